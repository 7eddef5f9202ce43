//! What is fuzzed: one file a target, each a function that takes any bytes and
//! panics where a promise is broken.
//!
//! To add one: a file here, a row in [`ALL`], and a directory of its name
//! below `corpus`. Under libFuzzer they are in `tests/fuzz/src`; an ordinary
//! `cargo test` replays what is kept, from `agent/tests/corpus.rs`.

mod config;
mod control;
mod core;
mod diff;
mod frame;
mod netlink;
mod packet;
mod xdp;

/// How inputs are best mutated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Statements on lines.
    Lines,
    Bytes,
}

#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As `cargo xtask fuzz` and the directories call it.
    pub name: &'static str,
    pub form: Form,
    pub run: fn(&[u8]),
}

pub const ALL: &[Target] = &[
    Target {
        name: "config",
        form: Form::Lines,
        run: config::run,
    },
    Target {
        name: "diff",
        form: Form::Lines,
        run: diff::run,
    },
    Target {
        name: "control",
        form: Form::Bytes,
        run: control::run,
    },
    Target {
        name: "packet",
        form: Form::Bytes,
        run: packet::run,
    },
    Target {
        name: "xdp",
        form: Form::Bytes,
        run: xdp::run,
    },
    Target {
        name: "core",
        form: Form::Bytes,
        run: core::run,
    },
    Target {
        name: "netlink",
        form: Form::Bytes,
        run: netlink::run,
    },
];
