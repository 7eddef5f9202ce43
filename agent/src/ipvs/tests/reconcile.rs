//! From any state to any other, touching no more than differs.

use super::super::encode::Command;
use super::super::reconcile::{self, Drift, Others, Wanted, foreign};
use super::*;

/// Where nobody knows what the kernel had.
fn plan<'a>(
    wanted: &'a Wanted,
    before: &Wanted,
    present: &Picture,
    others: Others,
) -> Vec<Command<'a>> {
    reconcile::plan(wanted, before, present, others, Drift::Mended)
}

fn wanted(pools: &[(ServiceKey, Pool)]) -> Wanted {
    Wanted {
        table: pools.iter().cloned().collect(),
        ..Wanted::default()
    }
}

fn present(pools: &[(ServiceKey, Pool)]) -> Picture {
    Picture {
        table: pools.iter().cloned().collect(),
        ..Picture::default()
    }
}

/// A kernel that knows no more than it has to.
fn carry_out(picture: &mut Picture, steps: &[Command<'_>]) {
    for step in steps {
        match *step {
            Command::NewService(service) => {
                let servers = BTreeMap::new();
                let service = service.clone();
                let new = picture.table.insert(service.key, Pool { service, servers });
                assert_eq!(new, None, "added twice");
            }
            Command::SetService(service) => {
                let pool = picture.table.get_mut(&service.key).expect("there");
                assert_ne!(pool.service, *service, "a needless edit");
                pool.service = service.clone();
            }
            Command::DelService(key) => drop(picture.table.remove(&key).expect("there")),
            Command::NewDestination(key, one) => {
                let pool = picture.table.get_mut(&key).expect("there");
                assert_eq!(pool.servers.insert(one.key, *one), None, "added twice");
            }
            Command::SetDestination(key, one) => {
                let pool = picture.table.get_mut(&key).expect("there");
                let before = pool.servers.insert(one.key, *one);
                assert!(before.is_some_and(|before| before != *one));
            }
            Command::DelDestination(key, one) => {
                let pool = picture.table.get_mut(&key).expect("there");
                pool.servers.remove(&one).expect("there");
                assert!(!pool.servers.is_empty(), "a service without servers");
            }
            Command::NewDaemon(daemon) => {
                assert!(picture.daemons.iter().all(|one| one.role != daemon.role));
                picture.daemons.push(daemon.clone());
            }
            Command::DelDaemon(role) => picture.daemons.retain(|one| one.role != role),
            Command::SetTimeouts(timeouts) => picture.timeouts = timeouts.over(picture.timeouts),
        }
    }
}

#[test]
fn what_is_right_is_not_touched() {
    let [web, mail] = [key("10.0.0.1", 80), key("fe80::1", 25)];
    let pools = [
        pool(web, &[server("10.1.0.1", 80), server("10.1.0.2", 80)]),
        pool(mail, &[server("fe80::2", 25)]),
    ];
    let wanted = wanted(&pools);
    let mut picture = Picture::default();
    let nothing = Wanted::default();
    let steps = plan(&wanted, &nothing, &picture, Others::Stay);
    assert_eq!(steps.len(), 5);
    carry_out(&mut picture, &steps);
    assert_eq!(picture.table, wanted.table);
    for others in [Others::Stay, Others::Go] {
        assert_eq!(plan(&wanted, &wanted, &picture, others), []);
        assert_eq!(plan(&wanted, &nothing, &picture, others), []);
    }
}

#[test]
fn an_edit_stays_where_it_is_and_new_servers_come_before_old_ones_go() {
    let web = key("10.0.0.1", 80);
    let before = wanted(&[pool(web, &[server("10.1.0.1", 80), server("10.1.0.2", 80)])]);
    let heavier = Destination {
        weight: 5,
        ..server("10.1.0.2", 80)
    };
    let new = server("10.1.0.3", 80);
    let mut after = pool(web, &[heavier, new]);
    after.1.service.scheduler = "wrr".into();
    let after = wanted(&[after]);
    let picture = present(&before.table.clone().into_iter().collect::<Vec<_>>());
    let steps = plan(&after, &before, &picture, Others::Stay);
    let pool = &after.table[&web];
    assert_eq!(
        steps,
        [
            Command::SetService(&pool.service),
            Command::SetDestination(web, &heavier),
            Command::NewDestination(web, &new),
            Command::DelDestination(web, server("10.1.0.1", 80).key),
        ]
    );
}

#[test]
fn what_others_made_stays_unless_all_is_to_go() {
    let [web, theirs, old] = [
        key("10.0.0.1", 80),
        key("10.0.0.9", 80),
        key("10.0.0.8", 80),
    ];
    let own = server("10.1.0.1", 80);
    let strange = server("10.1.0.9", 80);
    let before = wanted(&[pool(web, &[own]), pool(old, &[own])]);
    let after = wanted(&[pool(web, &[own])]);
    let picture = present(&[
        pool(web, &[own, strange]),
        pool(theirs, &[own]),
        pool(old, &[own]),
    ]);
    assert_eq!(
        plan(&after, &before, &picture, Others::Stay),
        [Command::DelService(old)]
    );
    assert_eq!(foreign(&after, &before, &picture), (1, 1));
    // Without a memory of it, the old one is somebody's too.
    let nothing = Wanted::default();
    assert_eq!(plan(&after, &nothing, &picture, Others::Stay), []);
    assert_eq!(foreign(&after, &nothing, &picture), (2, 1));
    assert_eq!(
        plan(&after, &nothing, &picture, Others::Go),
        [
            Command::DelDestination(web, strange.key),
            Command::DelService(old),
            Command::DelService(theirs),
        ]
    );
    // The end: everything that was asked for, and no more.
    assert_eq!(
        plan(&nothing, &after, &picture, Others::Stay),
        [Command::DelService(web)]
    );
}

#[test]
fn what_somebody_changed_by_hand_stays_until_the_file_changes_it() {
    let [web, mail, gone] = [
        key("10.0.0.1", 80),
        key("10.0.0.1", 25),
        key("10.0.0.1", 53),
    ];
    let [one, two, three] = ["10.1.0.1", "10.1.0.2", "10.1.0.3"].map(|at| server(at, 80));
    let before = wanted(&[
        pool(web, &[one, two, three]),
        pool(mail, &[one]),
        pool(gone, &[one]),
    ]);
    // Drained, removed; another scheduler; removed whole.
    let drained = Destination { weight: 0, ..two };
    let mut by_hand = pool(mail, &[one]);
    by_hand.1.service.scheduler = "sh".into();
    let picture = present(&[pool(web, &[one, drained]), by_hand]);
    let left = |after: &Wanted| {
        let steps = reconcile::plan(after, &before, &picture, Others::Stay, Drift::Left);
        steps.iter().map(reconcile::describe).collect::<Vec<_>>()
    };
    assert_eq!(left(&before), Vec::<String>::new());
    assert_eq!(plan(&before, &before, &picture, Others::Stay).len(), 5);
    // The file says something else of one of them.
    let heavier = Destination { weight: 9, ..two };
    let after = wanted(&[
        pool(web, &[one, heavier, three]),
        pool(mail, &[one]),
        pool(gone, &[one, two]),
    ]);
    assert_eq!(
        left(&after),
        [
            "cannot add virtual server TCP 10.0.0.1:53 (scheduler rr)",
            "cannot add real server 10.1.0.1:80 to virtual server TCP 10.0.0.1:53",
            "cannot add real server 10.1.0.2:80 to virtual server TCP 10.0.0.1:53",
            "cannot change real server 10.1.0.2:80 of virtual server TCP 10.0.0.1:80",
        ]
    );
}

#[test]
fn what_was_asked_for_is_ours_until_the_kernel_has_taken_all() {
    let [old, new] = [key("10.0.0.1", 80), key("10.0.0.2", 80)];
    let [one, two] = ["10.1.0.1", "10.1.0.2"].map(|at| server(at, 80));
    let mut ours = wanted(&[pool(old, &[one])]);
    ours.join(&wanted(&[pool(old, &[two]), pool(new, &[one])]));
    assert_eq!(ours, wanted(&[pool(old, &[one, two]), pool(new, &[one])]));
    let picture = present(&[pool(old, &[one, two]), pool(new, &[one])]);
    let nothing = Wanted::default();
    let steps = plan(&nothing, &ours, &picture, Others::Stay);
    assert_eq!(steps, [Command::DelService(old), Command::DelService(new)]);
    ours.keep_present(&present(&[pool(new, &[one])]));
    assert_eq!(ours, wanted(&[pool(new, &[one])]));
}

#[test]
fn timeouts_are_set_where_they_differ() {
    let picture = Picture {
        timeouts: Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        },
        ..Picture::default()
    };
    let with = |tcp, udp| Wanted {
        timeouts: Timeouts {
            tcp,
            tcp_fin: 0,
            udp,
        },
        ..Wanted::default()
    };
    let nothing = Wanted::default();
    let steps = |wanted: &Wanted| plan(wanted, &nothing, &picture, Others::Stay).len();
    assert_eq!(
        [with(0, 0), with(900, 0), with(900, 300)].map(|w| steps(&w)),
        [0; 3]
    );
    assert_eq!([with(901, 0), with(0, 30)].map(|w| steps(&w)), [1; 2]);
}

fn daemon(role: Role) -> Daemon {
    Daemon {
        role,
        interface: "eth0".into(),
        sync_id: 7,
        max_length: Some(60_000),
        group: None,
        port: None,
        ttl: None,
    }
}

fn with_daemons(daemons: Option<&[Daemon]>) -> Wanted {
    Wanted {
        daemons: daemons.map(<[Daemon]>::to_vec),
        ..Wanted::default()
    }
}

#[test]
fn a_daemon_changes_sides_and_is_else_left_alone() {
    let [master, backup] = [daemon(Role::Master), daemon(Role::Backup)];
    let as_backup = with_daemons(Some(std::slice::from_ref(&backup)));
    let as_master = with_daemons(Some(std::slice::from_ref(&master)));
    let nothing = Wanted::default();
    let mut picture = Picture::default();
    let steps = plan(&as_backup, &nothing, &picture, Others::Stay);
    carry_out(&mut picture, &steps);
    // The kernel has cut its length, and says its defaults.
    picture.daemons[0].max_length = Some(1472);
    picture.daemons[0].port = Some(Daemon::PORT);
    assert_eq!(plan(&as_backup, &as_backup, &picture, Others::Stay), []);
    assert_eq!(plan(&as_backup, &nothing, &picture, Others::Stay), []);
    assert_eq!(
        plan(&as_master, &as_backup, &picture, Others::Stay),
        [
            Command::DelDaemon(Role::Backup),
            Command::NewDaemon(&master)
        ]
    );
    // Another length is another daemon.
    let longer = Daemon {
        max_length: None,
        ..backup.clone()
    };
    let as_longer = with_daemons(Some(std::slice::from_ref(&longer)));
    assert_eq!(
        plan(&as_longer, &as_backup, &picture, Others::Stay),
        [
            Command::DelDaemon(Role::Backup),
            Command::NewDaemon(&longer)
        ]
    );
    // The end.
    assert_eq!(
        plan(&nothing, &as_backup, &picture, Others::Stay),
        [Command::DelDaemon(Role::Backup)]
    );
    // Somebody else's.
    assert_eq!(plan(&nothing, &nothing, &picture, Others::Stay), []);
}

#[test]
fn any_state_leads_to_any_other() {
    // Small numbers, so that all combinations of a few entries are there.
    let sets: Vec<Wanted> = (0_u32..64).map(any_state).collect();
    for before in &sets {
        for after in &sets {
            let mut picture = present(&before.table.clone().into_iter().collect::<Vec<_>>());
            let steps = plan(after, before, &picture, Others::Stay);
            carry_out(&mut picture, &steps);
            assert_eq!(picture.table, after.table);
            assert_eq!(plan(after, before, &picture, Others::Stay), []);
        }
    }
}

fn any_state(bits: u32) -> Wanted {
    let has = |bit: u32| bits & (1 << bit) != 0;
    let mut first = server("10.1.0.1", 80);
    first.weight = if has(2) { 1 } else { 9 };
    let second = server("10.1.0.2", 80);
    let mut pools = Vec::new();
    for (at, one) in [(0, key("10.0.0.1", 80)), (1, key("10.0.0.2", 80))] {
        let servers = if has(3) {
            vec![first, second]
        } else {
            vec![first]
        };
        let mut pool = pool(one, &servers);
        pool.1.service.persistence = has(4).then_some(60);
        pool.1.service.one_packet = has(5);
        if has(at) {
            pools.push(pool);
        }
    }
    wanted(&pools)
}
