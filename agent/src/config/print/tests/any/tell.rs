//! Scripts, FIFOs and mail.

use std::collections::BTreeMap;

use super::*;
use crate::config::model::{Deleted, FifoSpec, Hook, MailSpec, Notify, RunAs, Tell, Waited};

fn run_as() -> impl Strategy<Value = Option<RunAs>> {
    let parts = ("[a-z_]{1,8}", option::of("[a-z_]{1,8}"));
    option::of(parts.prop_map(|(user, group)| RunAs { user, group }))
}

/// Arguments with anything in them.
fn hook() -> BoxedStrategy<Hook> {
    let argument = "[ -~\u{e9}]{0,12}";
    ("/[a-z]{1,9}", vec(argument, 0..4), run_as())
        .prop_map(|(program, more, run_as)| Hook {
            words: [program].into_iter().chain(more).collect(),
            run_as,
        })
        .boxed()
}

pub fn notify() -> BoxedStrategy<Notify> {
    let one = || option::weighted(0.3, hook());
    let deleted = prop_oneof![
        2 => Just(Deleted::AsFault),
        1 => Just(Deleted::Told(None)),
        1 => hook().prop_map(|hook| Deleted::Told(Some(hook))),
    ];
    let switches = (any::<bool>(), any::<bool>());
    (one(), one(), one(), one(), one(), one(), deleted, switches)
        .prop_map(
            |(any, master, backup, fault, stop, lower_priority, deleted, switches)| Notify {
                any,
                master,
                backup,
                fault,
                stop,
                lower_priority,
                deleted,
                priority_changes: switches.0,
                mail: switches.1,
            },
        )
        .boxed()
}

fn waited() -> impl Strategy<Value = Option<Waited>> {
    let parts = (hook(), (1..=1000_u64).prop_map(Duration::from_secs));
    option::of(parts.prop_map(|(hook, timeout)| Waited { hook, timeout }))
}

fn fifo(path: &'static str) -> impl Strategy<Value = Option<FifoSpec>> {
    let parts = (path, run_as(), option::of(hook()));
    option::of(parts.prop_map(|(path, owner, script)| FifoSpec {
        path: PathBuf::from(path),
        owner,
        script,
    }))
}

fn mail() -> BoxedStrategy<Option<MailSpec>> {
    // A user of this machine, or one of another.
    let address = "[a-z]{1,4}([.+][a-z]{1,3})?(@[a-z]{1,5}([.][a-z]{1,3})?)?";
    let parts = (
        vec(address, 1..4),
        option::of(address),
        "[a-z0-9.-]{1,12}",
        1..=u16::MAX,
        option::of("[a-z.]{1,12}"),
        (1..=4294_u64).prop_map(Duration::from_secs),
        any::<bool>(),
    );
    option::of(
        parts.prop_map(|(to, from, host, port, helo, timeout, faults)| MailSpec {
            to,
            from,
            host,
            port,
            helo,
            timeout,
            faults,
        }),
    )
    .boxed()
}

pub fn tell() -> BoxedStrategy<Tell> {
    (
        fifo("/[a-z]{1,9}/a"),
        fifo("/[a-z]{1,9}/b"),
        any::<bool>(),
        waited(),
        waited(),
        mail(),
    )
        .prop_map(
            |(fifo, vrrp_fifo, states_on_reload, startup, shutdown, mail)| Tell {
                fifo,
                vrrp_fifo,
                states_on_reload,
                startup,
                shutdown,
                mail,
                groups: BTreeMap::new(),
            },
        )
        .boxed()
}
