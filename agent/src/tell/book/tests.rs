//! Events of instances and groups, against what keepalived 2.2.7 tells.

use super::*;
use crate::{config::parse_str, core::Fault};

const ONE: InstanceId = InstanceId(1);
const TWO: InstanceId = InstanceId(2);
const THREE: InstanceId = InstanceId(3);

fn config(names: &[&str], more: &str) -> Config {
    let instance = |(at, name): (usize, &&str)| {
        let vrid = at + 1;
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n\
             notify \"/n {name}\"\nnotify_master /m\nnotify_fault /f\nnotify_deleted /d\n\
             notify_priority_changes\nvirtual_ipaddress {{\n192.0.2.{vrid}/24\n}}\n}}\n"
        )
    };
    let instances: String = names.iter().enumerate().map(instance).collect();
    let loaded = parse_str("test.conf", &format!("{instances}{more}"));
    loaded.config.expect("a configuration")
}

const GROUP: &str =
    "vrrp_sync_group G {\ngroup {\na\nb\n}\nnotify /g\nnotify_master /gm\nsmtp_alert\n}\n";

fn book(names: &[&str], more: &str) -> Book {
    let mut book = Book::default();
    book.set(&config(names, more), (1..).map(|id| (InstanceId(id), 100)));
    book
}

fn lines(told: &[Told]) -> Vec<String> {
    let lines = told
        .iter()
        .map(|one| one.event.line().trim_end().to_owned());
    lines.collect()
}

fn programs(told: &[Told]) -> Vec<String> {
    let all = told.iter().flat_map(|one| &one.run);
    all.map(|hook| hook.words.join(" ")).collect()
}

const STARTED: Cause = Cause::Started;

#[test]
fn the_program_for_a_state_comes_before_the_one_for_all() {
    let mut book = book(&["a"], "");
    let told = book.transition(ONE, State::Active, &Cause::Owner);
    assert_eq!(programs(&told), ["/m", "/n a INSTANCE a MASTER 100"]);
    let told = book.lower_priority(ONE);
    assert_eq!(lines(&told), ["INSTANCE \"a\" MASTER_RX_LOWER_PRI 100"]);
    assert_eq!(programs(&told), [""; 0], "not the one for all");
}

#[test]
fn a_state_is_told_once() {
    let mut book = book(&["a"], "");
    assert_eq!(book.transition(ONE, State::Backup, &STARTED).len(), 1);
    assert_eq!(book.transition(ONE, State::Backup, &STARTED), []);
    let nobody = book.transition(THREE, State::Backup, &STARTED);
    assert_eq!(nobody, []);
}

#[test]
fn a_group_is_told_of_after_its_last_member() {
    let mut book = book(&["a", "b", "c"], GROUP);
    let mut go = |id, to| lines(&book.transition(id, to, &STARTED));
    assert_eq!(go(TWO, State::Backup), ["INSTANCE \"b\" BACKUP 100"]);
    assert_eq!(go(THREE, State::Backup), ["INSTANCE \"c\" BACKUP 100"]);
    assert_eq!(
        go(ONE, State::Backup),
        ["INSTANCE \"a\" BACKUP 100", "GROUP \"G\" BACKUP 0"]
    );
    assert_eq!(go(ONE, State::Active), ["INSTANCE \"a\" MASTER 100"]);
    // Back before all were there: the group has not moved.
    assert_eq!(go(ONE, State::Backup), ["INSTANCE \"a\" BACKUP 100"]);
    go(ONE, State::Active);
    let told = book.transition(TWO, State::Active, &STARTED);
    let expected = ["INSTANCE \"b\" MASTER 100", "GROUP \"G\" MASTER 0"];
    assert_eq!(lines(&told), expected);
    assert_eq!(
        programs(&told),
        [
            "/m",
            "/n b INSTANCE b MASTER 100",
            "/gm",
            "/g GROUP G MASTER 0"
        ]
    );
    assert!(told[1].mail && !told[0].mail);
}

#[test]
fn members_of_a_group_that_never_was_up_are_down_too() {
    let mut book = book(&["a", "b"], GROUP);
    let expected = [
        "INSTANCE \"a\" FAULT 100",
        "INSTANCE \"b\" FAULT 100",
        "GROUP \"G\" FAULT 0",
    ];
    assert_eq!(lines(&book.down(ONE)), expected);
    assert_eq!(book.down(TWO), []);
    let fault = Cause::Fault(Fault::Group);
    assert_eq!(book.transition(TWO, State::Initialize, &fault), []);
}

#[test]
fn priorities_are_told_where_asked_for_and_not_in_a_fault() {
    let mut book = book(&["a"], "");
    assert_eq!(book.priority(ONE, 90), [], "not up yet");
    book.transition(ONE, State::Backup, &STARTED);
    let told = book.priority(ONE, 80);
    assert_eq!(lines(&told), ["INSTANCE \"a\" BACKUP_PRIORITY 80"]);
    assert!(told[0].fifo && told[0].run.is_empty());
    book.transition(ONE, State::Active, &STARTED);
    let told = book.priority(ONE, 70);
    assert_eq!(lines(&told), ["INSTANCE \"a\" MASTER_PRIORITY 70"]);
    book.down(ONE);
    assert_eq!(book.priority(ONE, 60), []);
    let told = book.transition(ONE, State::Backup, &STARTED);
    assert_eq!(lines(&told), ["INSTANCE \"a\" BACKUP 60"]);
    let mut quiet = config(&["a"], "");
    quiet.instances[0].notify.priority_changes = false;
    book.set(&quiet, (1..).map(|id| (InstanceId(id), 100)));
    assert!(!book.priority(ONE, 50)[0].fifo);
}

#[test]
fn a_reload_keeps_what_was_told_and_takes_other_scripts() {
    let mut book = book(&["a", "b"], "");
    book.transition(ONE, State::Active, &STARTED);
    book.transition(TWO, State::Active, &STARTED);
    let mut new = config(&["a", "b"], GROUP);
    new.instances[0].notify.fault = None;
    new.instances.swap(0, 1);
    book.set(&new, [(TWO, 1), (ONE, 1)].into_iter());
    assert_eq!(book.transition(ONE, State::Active, &STARTED), []);
    let told = book.down(ONE);
    assert_eq!(programs(&told), ["/n a INSTANCE a FAULT 100"]);
    let again: Vec<String> = lines(&book.again());
    assert!(
        again.contains(&"GROUP \"G\" MASTER 0".to_owned()),
        "{again:?}"
    );
}

#[test]
fn what_a_reload_removes_is_deleted_or_in_fault() {
    let mut book = book(&["a", "b"], "");
    book.transition(ONE, State::Active, &STARTED);
    book.transition(TWO, State::Active, &STARTED);
    let gone = book.transition(ONE, State::Initialize, &Cause::Shutdown);
    assert_eq!(gone, [], "told when nothing of it is left");
    let told = book.deleted(ONE);
    assert_eq!(lines(&told), ["INSTANCE \"a\" DELETED 100"]);
    assert_eq!(programs(&told), ["/d", "/n a INSTANCE a DELETED 100"]);
    assert_eq!(book.deleted(ONE), []);
    book.entries.get_mut(&TWO).unwrap().notify.deleted = Deleted::AsFault;
    let told = book.deleted(TWO);
    assert_eq!(programs(&told), ["/n b INSTANCE b FAULT 100"]);
    assert_eq!(book.stop(), []);
}

#[test]
fn the_end_is_told_of_all() {
    let mut book = book(&["a", "b"], GROUP);
    book.transition(ONE, State::Active, &STARTED);
    let expected = [
        "INSTANCE \"a\" STOP 100",
        "INSTANCE \"b\" STOP 100",
        "GROUP \"G\" STOP 0",
    ];
    let told = book.stop();
    assert_eq!(lines(&told), expected);
    assert!(told.iter().all(|one| !one.mail));
    assert_eq!(book.stop(), []);
}

#[test]
fn a_successor_goes_on_from_what_was_told() {
    let mut old = book(&["a", "b"], GROUP);
    old.transition(ONE, State::Backup, &STARTED);
    old.transition(TWO, State::Backup, &STARTED);
    let mut new = book(&["a", "b"], GROUP);
    for (who, what) in old.state_of_all() {
        new.inherit(&who, what);
    }
    assert_eq!(new.transition(ONE, State::Backup, &STARTED), []);
    assert_eq!(new.transition(ONE, State::Active, &STARTED).len(), 1);
    let told = new.transition(TWO, State::Active, &STARTED);
    assert_eq!(lines(&told)[1], "GROUP \"G\" MASTER 0");
}

#[test]
fn of_three_members_two_are_not_all() {
    let group = GROUP.replace("b\n", "b\nc\n");
    let mut book = book(&["a", "b", "c"], &group);
    for id in [ONE, TWO] {
        let told = book.transition(id, State::Backup, &STARTED);
        assert_eq!(told.len(), 1, "{told:?}");
    }
    let told = book.transition(THREE, State::Backup, &STARTED);
    assert_eq!(lines(&told)[1], "GROUP \"G\" BACKUP 0");
    // Back to where it was before the others followed: nothing has moved.
    for id in [ONE, TWO] {
        book.transition(id, State::Active, &STARTED);
    }
    assert_eq!(book.transition(ONE, State::Backup, &STARTED).len(), 1);
}

#[test]
fn what_a_reload_replaces_is_gone_before_the_new_one_is_there() {
    let mut book = book(&["a", "b"], "");
    book.transition(ONE, State::Active, &STARTED);
    let other = [(THREE, 100), (TWO, 100)];
    let mut new = config(&["a", "b"], "");
    new.instances[0].notify.master = None;
    let told = book.set(&new, other.into_iter());
    assert_eq!(lines(&told), ["INSTANCE \"a\" DELETED 100"]);
    let told = book.transition(THREE, State::Active, &STARTED);
    assert_eq!(programs(&told), ["/n a INSTANCE a MASTER 100"]);
    assert_eq!(book.deleted(ONE), [], "told already");
}

#[test]
fn who_leaves_a_group_does_not_count_any_more() {
    let mut book = book(&["a", "b"], GROUP);
    book.down(ONE);
    let alone = GROUP.replace("a\n", "");
    let mut new = config(&["a", "b"], &alone);
    new.instances.remove(0);
    assert_eq!(book.set(&new, [(TWO, 100)].into_iter()), []);
    let told = book.transition(TWO, State::Backup, &STARTED);
    let expected = ["INSTANCE \"b\" BACKUP 100", "GROUP \"G\" BACKUP 0"];
    assert_eq!(lines(&told), expected);
    let told = book.deleted(ONE);
    assert_eq!(lines(&told), ["INSTANCE \"a\" DELETED 100"]);
}

#[test]
fn a_group_is_told_of_that_is_elsewhere_without_who_left() {
    let mut book = book(&["a", "b"], GROUP);
    book.down(ONE);
    book.transition(TWO, State::Active, &STARTED);
    let mut new = config(&["a", "b"], &GROUP.replace("a\n", ""));
    new.instances.remove(0);
    let told = book.set(&new, [(TWO, 100)].into_iter());
    assert_eq!(lines(&told), ["GROUP \"G\" MASTER 0"]);
    assert_eq!(programs(&told), ["/gm", "/g GROUP G MASTER 0"]);
}

#[test]
fn a_group_of_which_a_member_is_replaced_is_told_of_again() {
    let mut book = book(&["a", "b"], GROUP);
    for id in [ONE, TWO] {
        book.transition(id, State::Active, &STARTED);
    }
    let new = config(&["a", "b"], GROUP);
    book.set(&new, [(THREE, 100), (TWO, 100)].into_iter());
    let mut all = Vec::new();
    for to in [State::Backup, State::Active] {
        for id in [THREE, TWO] {
            all.extend(lines(&book.transition(id, to, &STARTED)));
        }
    }
    all.retain(|line| line.starts_with("GROUP"));
    assert_eq!(all, ["GROUP \"G\" BACKUP 0", "GROUP \"G\" MASTER 0"]);
}
