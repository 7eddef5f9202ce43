//! Trackers, who tracks them, and sync groups: from text to model, and what a
//! reload makes of a change.

use std::time::Duration;

use crate::config::diff::diff;
use crate::config::model::{
    FileSpec, InitFile, ParamMatch, ProcessSpec, RunAs, ScriptSpec, Track, Weight,
};
use crate::config::{Code, Config, parse_str};
use crate::track::{Kind, TrackerId};

fn instance(name: &str, vrid: u8, inside: &str) -> String {
    format!(
        "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n\
         virtual_ipaddress {{\n192.0.2.{vrid}/24\n}}\n{inside}\n}}\n"
    )
}

fn read(text: &str) -> (Config, Vec<Code>) {
    let loaded = parse_str("c.conf", text);
    let codes = loaded.diagnostics.iter().map(|found| found.code).collect();
    (loaded.config.expect(text), codes)
}

fn weight(value: i32, reverse: bool) -> Weight {
    Weight { value, reverse }
}

fn track(kind: Kind, name: &str, value: i32, reverse: bool) -> Track {
    Track {
        tracker: TrackerId::new(kind, name),
        weight: weight(value, reverse),
    }
}

#[test]
fn a_script_with_everything_and_with_nothing() {
    let text = "vrrp_script all {\nscript \"/bin/a 'b c' d\"\ninterval 0.25\ntimeout 3\n\
        rise 2\nfall 4\nweight -5 reverse\nuser nobody nogroup\ninit_fail\n}\n\
        vrrp_script bare {\nscript /bin/x y\ninterval 7\n}\n";
    let globals = "global_defs {\nscript_user daemon\n}\n";
    let (config, codes) = read(&format!("{globals}{text}{}", instance("VI_1", 1, "")));
    assert_eq!(codes, [Code::WithoutEffect], "init_fail");
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = ScriptSpec {
        name: "all".into(),
        words: words(&["/bin/a", "b c", "d"]),
        interval: Duration::from_millis(250),
        timeout: Duration::from_secs(3),
        rise: 2,
        fall: 4,
        weight: weight(-5, true),
        init_fail: true,
        run_as: Some(RunAs {
            user: "nobody".into(),
            group: Some("nogroup".into()),
        }),
    };
    let bare = ScriptSpec {
        name: "bare".into(),
        words: words(&["/bin/x", "y"]),
        interval: Duration::from_secs(7),
        timeout: Duration::from_secs(7),
        rise: 1,
        fall: 1,
        weight: Weight::default(),
        init_fail: false,
        run_as: Some(RunAs {
            user: "daemon".into(),
            group: None,
        }),
    };
    assert_eq!(config.trackers.scripts, [all, bare]);
}

#[test]
fn files_and_processes() {
    let text = "track_file f {\nfile /a/b\nweight -3 reverse\ninit_file 5 overwrite\n}\n\
        vrrp_track_file g {\nfile /c\n}\n\
        vrrp_track_process p {\nprocess haproxy -f x\nparam_match initial\nweight 9\n\
        quorum 2\nquorum_max 4\ndelay 0.5\nfork_delay 1\nfull_command\n}\n\
        vrrp_track_process q {\nprocess \"a b\"\n}\n";
    let (config, codes) = read(&format!("{text}{}", instance("VI_1", 1, "")));
    assert!(codes.is_empty(), "{codes:?}");
    let f = FileSpec {
        name: "f".into(),
        path: "/a/b".into(),
        weight: weight(-3, true),
        init: Some(InitFile {
            value: 5,
            overwrite: true,
        }),
    };
    let g = FileSpec {
        name: "g".into(),
        path: "/c".into(),
        weight: weight(1, false),
        init: None,
    };
    assert_eq!(config.trackers.files, [f, g]);
    let p = ProcessSpec {
        name: "p".into(),
        process: "haproxy".into(),
        params: vec!["-f".into(), "x".into()],
        param_match: ParamMatch::Initial,
        weight: weight(9, false),
        quorum: 2,
        quorum_max: Some(4),
        fork_delay: Duration::from_secs(1),
        terminate_delay: Duration::from_millis(500),
        full_command: true,
    };
    let q = ProcessSpec {
        name: "q".into(),
        process: "a b".into(),
        params: vec![],
        param_match: ParamMatch::Exact,
        weight: weight(1, false),
        quorum: 1,
        quorum_max: None,
        fork_delay: Duration::ZERO,
        terminate_delay: Duration::ZERO,
        full_command: false,
    };
    assert_eq!(config.trackers.processes, [p, q]);
}

const DEFINITIONS: &str = "vrrp_script s {\nscript /x\nweight 4\n}\ntrack_file f {\nfile /y\n}\n\
    vrrp_track_process p {\nprocess z\n}\n";

/// What `check --print` writes means the same.
#[test]
fn the_printed_text_is_read_back() {
    use crate::config::print::{Secrets, print};
    let definitions = "vrrp_script one {\nscript \"'/a b'\"\nuser u g\ninit_fail\n}\n\
        vrrp_script two {\nscript /x \"y z\"\n}\ntrack_file h {\nfile \"/a b\"\nweight 7 reverse\n\
        init_file 3 overwrite\n}\nvrrp_track_process r {\nprocess \"a b\" c\nparam_match partial\n\
        quorum_max 0\ndelay 0.5\nfull_command\n}\n";
    let lists = "track_process {\nr\n}\ntrack_script {\none weight 0\ntwo weight -3 reverse\n}\n\
        track_interface {\neth1\neth2 weight 4\n}";
    let first = instance("VI_1", 1, lists);
    let text = format!(
        "{DEFINITIONS}{definitions}{first}{}{}",
        instance("VI_2", 2, ""),
        group("track_file {\nh weight 2\n}\nsync_group_tracking_weight")
    );
    let (config, _) = read(&text);
    let printed = print(&config, Secrets::Shown);
    assert_eq!(read(&printed).0, config, "{printed}");
}

/// Observed with `keepalived -t` and its daemon.
#[test]
fn entries_take_the_weight_of_the_definition_or_their_own() {
    let lists = "track_interface {\neth1\neth2 weight 0\neth3 weight 5 reverse\neth4 weight 0 reverse\n\
        eth5 weight 300\neth0\n}\ntrack_script {\ns\ns weight 9\nnone\n}\n\
        track_file {\nf weight -7 noreverse\n}\ntrack_process {\np weight 3 reverse\n}";
    let (config, codes) = read(&format!("{DEFINITIONS}{}", instance("VI_1", 1, lists)));
    let first = &config.instances[0];
    let names: Vec<&str> = first.track_interfaces.iter().map(|n| n.as_str()).collect();
    assert_eq!(
        names,
        ["eth1", "eth2"],
        "without a weight: for the fast lane"
    );
    let expected = [
        track(Kind::Interface, "eth3", 5, true),
        track(Kind::Interface, "eth4", 0, true),
        track(Kind::Script, "s", 4, false),
        track(Kind::File, "f", -7, false),
        track(Kind::Process, "p", 3, true),
    ];
    assert_eq!(first.tracks, expected);
    for code in [
        Code::OutOfRange,
        Code::OwnInterface,
        Code::Duplicate,
        Code::UnknownName,
    ] {
        assert!(codes.contains(&code), "{code:?}: {codes:?}");
    }
}

#[test]
fn a_definition_further_down_is_not_seen() {
    let text = instance("VI_1", 1, "track_script {\ns\n}") + DEFINITIONS;
    let (config, codes) = read(&text);
    assert_eq!(config.instances[0].tracks, []);
    assert_eq!(codes, [Code::Order]);
}

fn group(inside: &str) -> String {
    format!("vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_2\n}}\n{inside}\n}}\n")
}

/// VI_1 tracks something with a weight and something without.
fn grouped(group_text: &str) -> (Config, Vec<Code>) {
    let lists = "track_script {\ns\n}\ntrack_file {\nf weight 0\n}";
    let first = instance("VI_1", 1, lists);
    let second = instance("VI_2", 2, "");
    read(&format!("{DEFINITIONS}{first}{second}{group_text}"))
}

#[test]
fn what_a_group_tracks_all_members_track() {
    let (config, codes) = grouped(&group(
        "track_interface {\neth7\neth0\neth8 weight 6\n}\ntrack_process {\np\n}",
    ));
    for instance in &config.instances {
        assert_eq!(instance.group.as_deref(), Some("G"));
        let names: Vec<&str> = instance
            .track_interfaces
            .iter()
            .map(|n| n.as_str())
            .collect();
        assert_eq!(names, ["eth7"], "its own interface is a fault anyway");
    }
    let shared = [
        track(Kind::Interface, "eth8", 6, false),
        track(Kind::Process, "p", 1, false),
    ];
    assert_eq!(config.instances[1].tracks, shared);
    // The weight of a member is not counted; what has none stays.
    let own = track(Kind::File, "f", 0, false);
    let [interface, process] = shared;
    assert_eq!(config.instances[0].tracks, [interface, own, process]);
    assert_eq!(codes, [Code::Conflict]);
}

#[test]
fn weights_of_members_count_where_that_is_asked_for() {
    let (config, codes) = grouped(&group("sync_group_tracking_weight"));
    assert_eq!(config.instances[0].tracks.len(), 2);
    assert_eq!(codes, []);
}

#[test]
fn odd_groups() {
    let (config, codes) = grouped("vrrp_sync_group G {\ngroup {\nVI_1\nnobody\n}\n}\n");
    assert_eq!(config.instances[0].group.as_deref(), Some("G"));
    assert!(codes.contains(&Code::UnknownName) && codes.contains(&Code::Incomplete));
    let twice = group("") + &group("").replace("_group G", "_group H");
    let (config, codes) = grouped(&twice);
    assert_eq!(
        config.instances[1].group.as_deref(),
        Some("G"),
        "the first one"
    );
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == Code::Duplicate)
            .count(),
        2
    );
}

#[test]
fn an_owner_tracks_without_weights_only() {
    let lists = "priority 255\ntrack_script {\ns\n}\ntrack_file {\nf weight 0\n}";
    let (config, codes) = read(&format!("{DEFINITIONS}{}", instance("VI_1", 1, lists)));
    assert_eq!(
        config.instances[0].tracks,
        [track(Kind::File, "f", 0, false)]
    );
    assert!(codes.contains(&Code::Conflict));
}

/// Every word of a tracker is in the words that two configurations are
/// compared by.
#[test]
fn each_change_of_a_tracker_is_a_change() {
    let text = "vrrp_script s {\nscript /x\ninterval 2\ntimeout 1\nrise 2\nfall 3\nweight 4\nuser root\n}\n\
        track_file f {\nfile /y\nweight 2\ninit_file 3\n}\n\
        vrrp_track_process p {\nprocess z\nquorum 2\nquorum_max 5\nfork_delay 1\nterminate_delay 2\n\
        weight 6\n}\n";
    let lists = "track_script {\ns weight 1\n}\ntrack_interface {\neth1 weight 8\n}";
    let one = instance("VI_1", 1, lists);
    let members = |definitions: &str, first: &str| {
        let second = instance("VI_2", 2, "");
        read(&format!("{definitions}{first}{second}{}", group(""))).0
    };
    let before = members(text, &one);
    assert!(diff(&(&before).into(), &(&before).into()).is_empty());
    for (old, new) in [
        ("script /x", "script /w"),
        ("interval 2", "interval 3"),
        ("timeout 1", "timeout 0.5"),
        ("rise 2", "rise 1"),
        ("fall 3", "fall 1"),
        ("weight 4", "weight 5"),
        ("user root", "user nobody"),
        ("user root", "init_fail"),
        ("file /y", "file /v"),
        ("init_file 3", "init_file 4"),
        ("init_file 3", "init_file 3 overwrite"),
        ("process z", "process z -q"),
        ("quorum 2", "quorum 1"),
        ("quorum_max 5", "quorum_max 6"),
        ("fork_delay 1", "fork_delay 3"),
        ("terminate_delay 2", "terminate_delay 3"),
        ("weight 6", "weight 6 reverse"),
        ("weight 6", "weight 6\nfull_command"),
        ("weight 6", "weight 6\nparam_match partial"),
    ] {
        let changed = text.replacen(old, new, 1);
        assert_ne!(changed, text, "{old}");
        let changes = diff(&(&before).into(), &(&members(&changed, &one)).into());
        assert!(!changes.global.is_empty(), "{old} to {new}");
    }
    for (old, new) in [
        ("eth1 weight 8", "eth1 weight 9"),
        ("s weight 1", "s weight 2"),
    ] {
        let sync = "sync_group_tracking_weight";
        let with = |one: &str| {
            let second = instance("VI_2", 2, "");
            read(&format!("{text}{one}{second}{}", group(sync))).0
        };
        let changes = diff(
            &(&with(&one)).into(),
            &(&with(&one.replace(old, new))).into(),
        );
        assert!(!changes.is_empty(), "{old}");
    }
    let second = instance("VI_2", 2, "");
    let alone = read(&format!("{text}{one}{second}")).0;
    assert!(
        !diff(&(&before).into(), &(&alone).into()).is_empty(),
        "the group"
    );
}
