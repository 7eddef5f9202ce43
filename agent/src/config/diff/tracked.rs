//! Trackers in words.

use std::collections::BTreeMap;

use super::{Values, seconds};
use crate::config::model::{
    FileSpec, InitFile, ParamMatch, ProcessSpec, RunAs, ScriptSpec, Track, Trackers, Weight,
};

/// Each definition by its keyword and name.
pub(super) fn definitions(trackers: &Trackers) -> BTreeMap<String, Vec<String>> {
    let Trackers {
        scripts,
        files,
        processes,
    } = trackers;
    let scripts = scripts.iter().map(script);
    let files = files.iter().map(file);
    scripts
        .chain(files)
        .chain(processes.iter().map(process))
        .collect()
}

/// The entries that are not interfaces without a weight.
pub(super) fn entries(tracks: &[Track], values: &mut Values) {
    let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Track {
        tracker,
        weight: given,
    } in tracks
    {
        let list = format!("track_{} weight", tracker.kind.word());
        let entry = format!("{} {}", tracker.name, weight(*given));
        lists.entry(list).or_default().push(entry);
    }
    for (keyword, list) in lists {
        values.list(&keyword, list);
    }
}

fn weight(Weight { value, reverse }: Weight) -> String {
    let reverse = if reverse { " reverse" } else { "" };
    format!("{value}{reverse}")
}

fn script(spec: &ScriptSpec) -> (String, Vec<String>) {
    let ScriptSpec {
        name,
        words,
        interval,
        timeout,
        rise,
        fall,
        weight: given,
        init_fail,
        run_as,
    } = spec;
    let mut lines = vec![
        format!("script {words:?}"),
        format!("interval {}", seconds(*interval)),
        format!("timeout {}", seconds(*timeout)),
        format!("rise {rise}"),
        format!("fall {fall}"),
        format!("weight {}", weight(*given)),
        format!("init_fail {init_fail}"),
    ];
    if let Some(RunAs { user, group }) = run_as {
        let group = group.as_deref().unwrap_or_default();
        lines.push(format!("user {user} {group}").trim_end().to_owned());
    }
    (format!("vrrp_script {name}"), lines)
}

fn file(spec: &FileSpec) -> (String, Vec<String>) {
    let FileSpec {
        name,
        path,
        weight: given,
        init,
    } = spec;
    let mut lines = vec![format!("file {path}"), format!("weight {}", weight(*given))];
    if let Some(InitFile { value, overwrite }) = init {
        let overwrite = if *overwrite { " overwrite" } else { "" };
        lines.push(format!("init_file {value}{overwrite}"));
    }
    (format!("track_file {name}"), lines)
}

fn process(spec: &ProcessSpec) -> (String, Vec<String>) {
    let ProcessSpec {
        name,
        process,
        params,
        param_match,
        weight: given,
        quorum,
        quorum_max,
        fork_delay,
        terminate_delay,
        full_command,
    } = spec;
    let words: Vec<&String> = std::iter::once(process).chain(params).collect();
    let mut lines = vec![
        format!("process {words:?}"),
        format!("weight {}", weight(*given)),
        format!("quorum {quorum}"),
        format!("fork_delay {}", seconds(*fork_delay)),
        format!("terminate_delay {}", seconds(*terminate_delay)),
        format!("full_command {full_command}"),
    ];
    lines.extend(quorum_max.map(|most| format!("quorum_max {most}")));
    match param_match {
        ParamMatch::Exact => {}
        ParamMatch::Initial => lines.push("param_match initial".to_owned()),
        ParamMatch::Partial => lines.push("param_match partial".to_owned()),
    }
    (format!("vrrp_track_process {name}"), lines)
}
