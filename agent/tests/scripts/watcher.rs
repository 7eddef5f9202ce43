//! Sources under test, and what they tell.

use std::time::Duration;

use failoverd::{
    config::model::{FileSpec, InitFile, ParamMatch, ProcessSpec, RunAs, ScriptSpec, Weight},
    track::{Kind, Reading, Spec, TrackerId, Value, Wanted, sources::Sources},
};
use tokio::{sync::mpsc, time::timeout};

use crate::lab::{PATIENCE, runner};

pub struct Watcher {
    pub sources: Sources,
    readings: mpsc::Receiver<Reading>,
}

impl Watcher {
    pub fn new(wanted: &[Wanted]) -> Self {
        let (sender, readings) = mpsc::channel(64);
        let mut sources = Sources::new(runner(), sender);
        sources.apply(wanted);
        Self { sources, readings }
    }

    pub async fn next(&mut self) -> Reading {
        let next = timeout(PATIENCE, self.readings.recv()).await;
        next.expect("a reading in time").expect("sources that run")
    }

    pub async fn value(&mut self) -> Value {
        self.next().await.value
    }

    /// The next reading with this value; those in between may be there or not.
    pub async fn until(&mut self, value: Value) -> Reading {
        loop {
            let reading = self.next().await;
            if reading.value == value {
                return reading;
            }
        }
    }

    /// What was told already.
    pub fn told(&mut self) -> Vec<Reading> {
        std::iter::from_fn(|| self.readings.try_recv().ok()).collect()
    }
}

pub fn script(name: &str, words: &[&str]) -> ScriptSpec {
    ScriptSpec {
        name: name.to_owned(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        interval: Duration::from_millis(50),
        timeout: PATIENCE,
        rise: 1,
        fall: 1,
        weight: Weight::default(),
        init_fail: false,
        run_as: Some(RunAs {
            user: failoverd::script::Identity::own().user,
            group: None,
        }),
    }
}

pub fn file(name: &str, path: &str, init: Option<InitFile>) -> FileSpec {
    FileSpec {
        name: name.to_owned(),
        path: path.to_owned(),
        weight: Weight::default(),
        init,
    }
}

pub fn process(name: &str, process: &str) -> ProcessSpec {
    ProcessSpec {
        name: name.to_owned(),
        process: process.to_owned(),
        params: Vec::new(),
        param_match: ParamMatch::Exact,
        weight: Weight::default(),
        quorum: 1,
        quorum_max: None,
        fork_delay: Duration::ZERO,
        terminate_delay: Duration::ZERO,
        full_command: false,
    }
}

pub fn wanted(epoch: u32, spec: Spec) -> Wanted {
    let tracker = match &spec {
        Spec::Script(spec) => TrackerId::new(Kind::Script, &spec.name),
        Spec::File(spec) => TrackerId::new(Kind::File, &spec.name),
        Spec::Process(spec) => TrackerId::new(Kind::Process, &spec.name),
    };
    Wanted {
        tracker,
        epoch,
        spec,
    }
}
