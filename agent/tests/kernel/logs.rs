//! L-02: refusals are logged, by name, and not more often than one can read.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use agent_common::record::InstanceKey;
use failoverd::io::bpf::Program;
use failoverd_tests::{
    fixtures::filter,
    packet::{Packet, golden},
};

use crate::lab::{self, LOOPBACK};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what is logged.
struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn lines_with(text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines
        .iter()
        .filter(|line| line.contains(text))
        .cloned()
        .collect()
}

// proves: L-02
#[test]
fn l02_the_first_refusal_of_a_kind_is_logged() {
    let Some(mut kernel) = lab::kernel() else {
        return;
    };
    assert!(kernel.log_task(None).is_err(), "there is no runtime here");
    log::set_logger(&Capture).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let key = InstanceKey {
        ifindex: LOOPBACK,
        vlan: 0,
        family: 4,
        vrid: 10,
    };
    kernel
        .set_instance(&key, &filter(3, agent_common::Family::V4))
        .unwrap();

    let run = |packet: &Packet| {
        kernel
            .test_run(Program::Xdp, &packet.frame(), 1_000)
            .unwrap();
    };
    run(&Packet {
        ttl: 1,
        ..Packet::v4(golden::G2)
    });
    // Another virtual router on the link is nobody's mistake.
    run(&Packet::v6(golden::G5));
    let mut cut = Packet::v4(golden::G2);
    cut.message.truncate(1);
    run(&cut);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let deadline = Duration::from_secs(10);
    let waited = runtime.block_on(async {
        tokio::spawn(kernel.log_task(None).unwrap());
        tokio::time::timeout(deadline, async {
            while lines_with("incomplete").is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await
    });
    assert!(waited.is_ok(), "{:?}", lines_with(""));
    assert_eq!(
        lines_with("advert refused"),
        [
            "advert refused: ttl from 192.0.2.251 vrid 10 ifindex 1: it was forwarded, or is \
             forged: adverts have TTL 255",
            "advert refused: incomplete ifindex 1",
        ]
    );
}
