//! What is kept of transitions, and what it says.

use std::net::IpAddr;

use agent_common::{KernelTime, Priority};

use super::{
    Burst, Carried, Done, Flight, Names, Packet, Record, Step, Times, Why,
    book::{Book, OF_EACH, RECORDS},
    table,
};
use crate::{
    core::{Cause, InstanceId, State},
    tell::feed,
};

const MS: u64 = 1_000_000;
const US: u64 = 1_000;
const START: u64 = 1_000_000 * MS;

fn other() -> IpAddr {
    IpAddr::from([10, 0, 0, 1])
}

/// A take-over: silence since `START`, noticed after 34 ms.
fn take_over(id: u16, serial: u32) -> Flight {
    let last_advert = KernelTime(START);
    let deadline = last_advert.after(std::time::Duration::from_millis(34));
    Flight {
        id: InstanceId(id),
        serial,
        from: State::Backup,
        to: State::Active,
        cause: Cause::ActiveSilent {
            last_advert: Some(last_advert),
            deadline,
        },
        active: Some(other()),
        rival: None,
        configured: false,
        awaits_hands: true,
        awaits_packet: true,
        times: Times {
            last_advert: last_advert.nanos(),
            deadline: deadline.nanos(),
            woke: deadline.nanos() + 50 * US,
            advert: deadline.nanos() + 70 * US,
            ..Times::default()
        },
    }
}

fn names(flight: &Flight, instance: &str) -> Names {
    Names {
        instance: instance.to_owned(),
        from: feed::State::Backup,
        to: feed::State::Active,
        why: Why::of(flight, |id| format!("I{}", id.0)),
        wall_ns: 1_795_169_472_250_000_000,
    }
}

fn carried() -> Carried {
    let at = |us: u64| Some(KernelTime(START + 34 * MS + us * US));
    Carried {
        at: at(140),
        done: 2,
        refused: 0,
        burst: Burst {
            first: at(170),
            last: at(200),
            frames: 10,
        },
        paced: false,
    }
}

fn step(flight: &Flight, done: Done) -> Step {
    Step {
        id: flight.id,
        serial: flight.serial,
        done,
    }
}

fn done(flight: &Flight) -> Step {
    step(flight, Done::Carried(carried()))
}

fn recorded() -> Record {
    let flight = take_over(1, 1);
    let mut book = Book::default();
    assert!(book.begin(&flight, names(&flight, "VI_1")).is_empty());
    book.step(&done(&flight)).unwrap()
}

#[test]
fn the_parts_of_a_blackout_are_the_whole() {
    let mut record = recorded();
    let steps = record.steps_us;
    assert_eq!(steps.detection, Some(34_000));
    assert_eq!(steps.decision, Some(50));
    assert_eq!(steps.send, Some(20));
    assert_eq!(steps.addresses, Some(70));
    assert_eq!(steps.announcement, Some(30));
    let parts = [
        steps.detection,
        steps.decision,
        steps.send,
        steps.addresses,
        steps.announcement,
    ];
    assert_eq!(steps.blackout, Some(parts.iter().flatten().sum()));
    assert_eq!(record.packet, Packet::Awaited);
    record.packet(Some(KernelTime(START + 35 * MS)));
    assert_eq!(record.steps_us.blackout_to_packet, Some(35_000));
}

/// Its link was slow, and hosts knew already: no part of the way there.
#[test]
fn an_advert_that_left_last_is_no_part_of_the_blackout() {
    for late_us in [150, 180, 9_000_000] {
        let mut flight = take_over(1, 1);
        flight.times.advert = 0;
        let mut record = Record::new(&flight, names(&flight, "VI_1"));
        record.take(&Done::Carried(carried()));
        let sent = KernelTime(START + 34 * MS + late_us * US);
        record.take(&Done::Advert(sent));
        let steps = record.steps_us;
        assert_eq!((steps.send, steps.addresses), (None, Some(90)));
        assert_eq!(steps.announcement, Some(30));
        assert_eq!(steps.blackout, Some(34_170));
        assert_eq!(record.stamps.advert, Some(sent.nanos()));
        let parts = [
            steps.detection,
            steps.decision,
            steps.addresses,
            steps.announcement,
        ];
        assert_eq!(steps.blackout, Some(parts.iter().flatten().sum()));
    }
}

/// What the machine answered last counts, whichever it was.
#[test]
fn the_newest_sign_of_life_is_where_a_blackout_begins() {
    let mut flight = take_over(1, 1);
    flight.cause = Cause::HeartStopped {
        active: other(),
        why: crate::core::Lost::Silence,
    };
    flight.times.last_up = START + 33 * MS;
    let record = Record::new(&flight, names(&flight, "VI_1"));
    assert_eq!(record.sign_of_life(), Some(START + 33 * MS));
    assert_eq!(record.steps_us.detection, Some(1_000));
    flight.rival = Some((other(), Priority(50)));
    let cause = Cause::ActiveSilent {
        last_advert: None,
        deadline: KernelTime(START),
    };
    let preempts = Flight { cause, ..flight };
    let record = Record::new(&preempts, names(&preempts, "VI_1"));
    assert_eq!(record.text, "preempts 10.0.0.1 (priority 50)");
    assert_eq!(record.steps_us.blackout, None, "nobody was missing");
    assert_eq!(record.steps_us.detection, None);
    assert_eq!(record.steps_us.send, Some(20));
}

#[test]
fn what_the_hands_say_may_come_before_the_transition() {
    let flight = take_over(1, 1);
    let mut book = Book::default();
    assert_eq!(book.step(&done(&flight)), None);
    let told = book.begin(&flight, names(&flight, "VI_1"));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].vips, 2);
    assert_eq!(book.step(&done(&flight)), None, "told once");
    // Of a transition that nobody has heard of: kept within bounds.
    for serial in 2..1_000 {
        assert_eq!(book.step(&done(&take_over(1, serial))), None);
    }
    assert!(format!("{book:?}").len() < 100_000);
}

#[test]
fn an_advert_that_waits_for_its_link_is_noted_late() {
    let mut flight = take_over(1, 1);
    flight.times.advert = 0;
    let mut book = Book::default();
    assert!(book.begin(&flight, names(&flight, "VI_1")).is_empty());
    let sent = KernelTime(START + 35 * MS);
    assert_eq!(book.step(&step(&flight, Done::Advert(sent))), None);
    let record = book.step(&done(&flight)).unwrap();
    assert_eq!(record.stamps.advert, Some(sent.nanos()));
}

/// A promotion that was taken back before the hands came to it.
#[test]
fn what_is_not_carried_out_is_told_with_the_next_transition_or_in_time() {
    let (first, second) = (take_over(1, 1), take_over(1, 2));
    let mut book = Book::default();
    assert!(book.begin(&first, names(&first, "VI_1")).is_empty());
    let told = book.begin(&second, names(&second, "VI_1"));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].packet, Packet::None);
    let woke = KernelTime(second.times.woke);
    assert!(book.expire(woke).is_empty() && book.is_open());
    let later = woke.after(std::time::Duration::from_secs(10));
    assert_eq!(book.expire(later).len(), 1);
    book.packet(second.id, second.serial, None, later);
    assert!(!book.is_open());
    let all = book.records(None, None);
    assert_eq!(all.last().unwrap().packet, Packet::None);
}

/// A transition asks the kernel of one before it, whatever the others wait for.
#[test]
fn of_each_instance_the_newest_transition_waits_for_its_packet() {
    let (a, b) = (InstanceId(1), InstanceId(2));
    let mut book = Book::default();
    assert_eq!(book.awaited(a), None);
    for (id, serial) in [(1, 1), (2, 1), (2, 2)] {
        let flight = take_over(id, serial);
        drop(book.begin(&flight, names(&flight, &format!("I{id}"))));
    }
    assert_eq!((book.awaited(a), book.awaited(b)), (Some(1), Some(2)));
    let woke = KernelTime(take_over(2, 2).times.woke);
    book.packet(b, 2, None, woke);
    assert_eq!(book.awaited(b), Some(2), "its time is not over");
    book.packet(b, 2, Some(woke), woke);
    assert_eq!((book.awaited(a), book.awaited(b)), (Some(1), None));
}

#[test]
fn one_that_flaps_does_not_push_out_the_others() {
    let mut book = Book::default();
    let mut add = |id: u16, serial: u32, name: &str| {
        let flight = take_over(id, serial);
        drop(book.begin(&flight, names(&flight, name)));
    };
    for serial in 0..6 {
        add(1, serial, "calm");
    }
    for serial in 0..400 {
        add(2, serial, "flapping");
    }
    assert_eq!(book.records(Some("calm"), None).len(), OF_EACH);
    assert_eq!(book.records(None, None).len(), RECORDS);
    assert_eq!(book.records(Some("flapping"), Some(3)).len(), 3);
    // Hundreds, each with its last ones, and names that are no more.
    for id in 1..2_100 {
        let flight = take_over(id, 1);
        drop(book.begin(&flight, names(&flight, &format!("I{id}"))));
    }
    assert!(book.records(None, None).len() <= 510 * OF_EACH);
}

#[test]
fn a_successor_goes_on_with_the_records() {
    let mut old = Book::default();
    for serial in 1..=3 {
        let flight = take_over(1, serial);
        drop(old.begin(&flight, names(&flight, &format!("of {serial}"))));
    }
    let mut new = Book::default();
    let flight = take_over(1, 1);
    drop(new.begin(&flight, names(&flight, "own")));
    for record in old.give_away() {
        let json = serde_json::to_string(&record).unwrap();
        new.inherit(serde_json::from_str(&json).unwrap());
    }
    let records = new.records(None, None);
    let names: Vec<_> = records.iter().map(|it| it.instance.as_str()).collect();
    assert_eq!(names, ["of 1", "of 2", "of 3", "own"]);
    assert_eq!(records[2].packet, Packet::Unknown, "nobody waits any more");
    assert_eq!(new.awaiting(), [(InstanceId(1), 1)]);
    assert!(new.step(&done(&flight)).is_some());
}

#[test]
fn causes_are_told_by_name() {
    let mut flight = take_over(1, 1);
    let text = |cause, configured| {
        let flight = Flight {
            cause,
            configured,
            ..flight
        };
        Why::of(&flight, |id| format!("I{}", id.0)).to_string()
    };
    let with = InstanceId(7);
    assert_eq!(text(Cause::Group { with }, false), "sync group, with I7");
    assert_eq!(text(Cause::Shutdown, false), "shutdown");
    assert_eq!(text(Cause::Shutdown, true), "configuration");
    let released = Cause::ActiveReleased { by: other() };
    assert_eq!(text(released, true), "priority 0 from 10.0.0.1");
    flight.active = None;
    let why = Why::of(&flight, |_| String::new());
    assert_eq!(why.to_string(), "no advert heard");
    assert_eq!(
        serde_json::to_string(&why).unwrap(),
        r#"{"kind":"silence","router":null}"#
    );
}

#[test]
fn people_read_a_table() {
    assert_eq!(table::text(&[]), "nothing has happened yet\n");
    let mut record = recorded();
    record.packet(Some(KernelTime(START + 35 * MS)));
    assert_eq!(
        table::text(std::slice::from_ref(&record)),
        "\
TIME                         INSTANCE  CHANGE            DEADLINE  AWAKE  ADVERT   VIPS   GARP  PACKET  CAUSE
2026-11-20T10:11:12.250000Z  VI_1      BACKUP -> ACTIVE     34000  34050   34070  34140  34170   35000  silence of 10.0.0.1
    blackout 34.170 ms = detection 34.000 + decision 0.050 + send 0.020 + addresses 0.070 + announcement 0.030; first packet after 35.000 ms
Columns in us after the last sign of life of the router before, or after AWAKE where there is no such router.
"
    );
    assert_eq!(
        table::short(&record),
        "BACKUP -> ACTIVE, silence of 10.0.0.1: blackout 34.170 ms = detection 34.000 + decision \
         0.050 + send 0.020 + addresses 0.070 + announcement 0.030; first packet after 35.000 ms"
    );
}

/// A take-over that the kernel refused, in whole or in part.
#[test]
fn a_table_says_which_vips_were_refused() {
    let lines = |done, refused| {
        let flight = take_over(1, 1);
        let mut record = Record::new(&flight, names(&flight, "VI_1"));
        record.take(&Done::Carried(Carried {
            done,
            refused,
            ..carried()
        }));
        record.packet(Some(KernelTime(START + 35 * MS)));
        let text = table::text(std::slice::from_ref(&record));
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines, table::short(&record))
    };
    let parts = "blackout 34.170 ms = detection 34.000 + decision 0.050 + send 0.020 + \
                 addresses 0.070 + announcement 0.030; first packet after 35.000 ms";
    let (some, short) = lines(1, 2);
    assert!(some[1].contains("34140  34170"), "{some:?}");
    assert_eq!(some[2], format!("    {parts}, 2 VIPs refused"));
    assert!(short.ends_with("0 ms, 2 VIPs refused"), "{short}");

    let (none, short) = lines(0, 2);
    assert_eq!(
        none[..3],
        [
            "TIME                         INSTANCE  CHANGE            DEADLINE  AWAKE  ADVERT     \
             VIPS   GARP  PACKET  CAUSE",
            "2026-11-20T10:11:12.250000Z  VI_1      BACKUP -> ACTIVE     34000  34050   34070  \
             refused  34170   35000  silence of 10.0.0.1",
            "    2 VIPs refused",
        ]
    );
    assert_eq!(
        short,
        "BACKUP -> ACTIVE, silence of 10.0.0.1, 2 VIPs refused"
    );
}
