//! The table as a terminal shows it.

use agent_common::KernelTime;
use ratatui::{Terminal, backend::TestBackend};

use super::{Lab, MS, SECOND, router};
use crate::monitor::{
    event::LinkState,
    table::{self, View},
};

fn view() -> View {
    View {
        interface: "eth0".into(),
        link: LinkState::Up,
        scroll: 0,
        notes: Vec::new(),
    }
}

fn picture(lab: &Lab, view: &View, now: u64, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| table::draw(frame, &lab.model, view, KernelTime(now)))
        .expect("a picture");
    let buffer = terminal.backend().buffer();
    let cells: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
    cells
        .chunks(usize::from(width))
        .map(|line| line.concat().trim_end().to_owned())
        .collect()
}

#[test]
fn a_quiet_link() {
    let lines = picture(&Lab::default(), &view(), SECOND, 60, 10);
    assert!(lines[0].contains(" Virtual routers on eth0 "), "{lines:#?}");
    assert!(lines.iter().any(|line| line == " nothing"), "{lines:#?}");
}

#[test]
fn routers_above_and_what_is_wrong_below() {
    let mut lab = Lab::default();
    let mut one = router("192.0.2.1", 200);
    one.vlan = Some(10);
    let mut two = router("192.0.2.2", 100);
    two.vlan = Some(10);
    two.local = true;
    two.centis = 50;
    for i in 0..4 {
        lab.hear(&one, SECOND + i * 1_000 * MS);
        lab.hear(&two, SECOND + (i * 1_000 + 200) * MS);
        lab.hear(&two, SECOND + (i * 1_000 + 700) * MS);
    }
    lab.frame(&one.bent(|m| m[2] ^= 1), 5 * SECOND, false);
    let lines = picture(&lab, &view(), 5 * SECOND, 140, 16);
    let expected = [
        "VRID  Version Source     State    Prio Every  Mean      Jitter    Max       Missed Adverts Age   VIPs",
        "51@10 3       192.0.2.1  active   200  1s     1s        0us       1s        0      4       1.0s  192.0.2.100",
        "51@10 3       192.0.2.2* active   100  500ms  500ms     0us       500ms     0      8       0.3s  192.0.2.100",
    ];
    assert_eq!(lines[1..4], expected, "{lines:#?}");
    let wrong: Vec<_> = lines
        .iter()
        .skip_while(|line| !line.contains("What is wrong"))
        .collect();
    assert_eq!(
        wrong[1],
        " VRID 51 on VLAN 10: more than one Active: 192.0.2.1 with priority 200; 192.0.2.2 with priority 100"
    );
    assert_eq!(
        wrong[2],
        " VRID 51 on VLAN 10: different intervals: 192.0.2.1 every 1s; 192.0.2.2 every 500ms"
    );
    assert_eq!(
        wrong[3],
        " VRID 51 on VLAN 10 192.0.2.1: the VRRP checksum is wrong in every known form (checksum), 1 so far"
    );
}

#[test]
fn a_narrow_terminal_keeps_what_identifies_a_router() {
    let mut lab = Lab::default();
    lab.hear(&router("192.0.2.1", 200), SECOND);
    let lines = picture(&lab, &view(), SECOND, 80, 12);
    let expected = [
        "VRID Version Source    State    Prio Every  Mean      Jitter    VIPs",
        "51   3       192.0.2.1 active   200  1s     -         -         192.0.2.100",
    ];
    assert_eq!(lines[1..3], expected, "{lines:#?}");
    let lines = picture(&lab, &view(), SECOND, 60, 12);
    assert!(lines[2].ends_with(" 192.0.2.100"), "{lines:#?}");
}

#[test]
fn the_longest_source_is_shown_whole() {
    let mut lab = Lab::default();
    let mut long = router("fe80:1234:5678:9abc:def0:1234:5678:9abc", 200);
    long.local = true;
    lab.hear(&long, SECOND);
    let lines = picture(&lab, &view(), SECOND, 150, 12);
    assert!(
        lines[2].contains(" fe80:1234:5678:9abc:def0:1234:5678:9abc* active"),
        "{lines:#?}"
    );
}

#[test]
fn a_link_that_is_down_and_notes_are_shown() {
    let mut view = view();
    view.link = LinkState::Down;
    view.notes.push("cannot join ff02::12".into());
    let lines = picture(&Lab::default(), &view, SECOND, 80, 12);
    assert!(
        lines[0].contains("eth0 is down: waiting for it"),
        "{lines:#?}"
    );
    assert!(
        lines.iter().any(|line| line == " cannot join ff02::12"),
        "{lines:#?}"
    );
}

#[test]
fn every_size_of_terminal_is_drawn() {
    let mut lab = Lab::default();
    for last in 1..60 {
        lab.hear(&router(&format!("192.0.2.{last}"), 100), SECOND);
    }
    for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (300, 100)] {
        let lines = picture(&lab, &view(), SECOND, width, height);
        assert_eq!(lines.len(), usize::from(height));
    }
    let scrolled = View {
        scroll: 58,
        ..view()
    };
    let lines = picture(&lab, &scrolled, SECOND, 120, 24);
    assert!(lines[2].contains("192.0.2.59"), "{lines:#?}");
}
