//! Virtual servers that fit together.

use super::*;
use crate::config::model::{
    FlushOnStop, Front, Granularity, GroupEntry, Lvs, RealServer, ServerGroup, Sorry, SyncDaemon,
    Unused, VirtualServer,
};
use crate::ipvs::{Checksum, Forward, Protocol, Timeouts, Tunnel};

fn forward() -> impl Strategy<Value = Forward> {
    let sum = prop_oneof![
        Just(Checksum::None),
        Just(Checksum::Full),
        Just(Checksum::Remote)
    ];
    let gue = (1..=u16::MAX, sum).prop_map(|(port, checksum)| Tunnel::Gue { port, checksum });
    let gre = prop_oneof![Just(Checksum::None), Just(Checksum::Full)];
    let gre = gre.prop_map(|checksum| Tunnel::Gre { checksum });
    prop_oneof![
        Just(Forward::Masquerade),
        Just(Forward::Route),
        Just(Forward::Tunnel(Tunnel::Ipip)),
        gue.prop_map(Forward::Tunnel),
        gre.prop_map(Forward::Tunnel),
    ]
}

fn statement(words: &[&str], block: Option<Vec<Unused>>) -> Unused {
    Unused {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        block,
    }
}

/// Of virtual servers, then of real ones.
fn checks() -> [impl Strategy<Value = Vec<Unused>>; 2] {
    let inner = vec![
        statement(&["connect_port", "80"], None),
        statement(&["connect_timeout", "3"], None),
    ];
    let misc = vec![statement(&["misc_path", "/bin/a \"b\" \\$x", "'q'"], None)];
    let servers = [
        vec![statement(&["TCP_CHECK"], Some(inner))],
        vec![statement(&["MISC_CHECK"], Some(misc))],
        vec![statement(&["notify_down", "/bin/down it's $1"], None)],
        vec![statement(&["PING_CHECK"], Some(Vec::new()))],
    ];
    let services = [
        vec![statement(&["delay_loop", "6"], None)],
        vec![
            statement(&["quorum_up", "/bin/up x"], None),
            statement(&["alpha"], None),
        ],
        vec![statement(&["virtualhost", "www example"], None)],
        Vec::new(),
    ];
    [services, servers].map(|some| prop::sample::select(some.to_vec()))
}

fn real_servers(v6: bool) -> impl Strategy<Value = Vec<RealServer>> {
    let address = if v6 { v6_().boxed() } else { v4().boxed() };
    let [_, checks] = checks();
    let one = (
        address,
        any::<u16>(),
        0..=2_147_483_647_u32,
        forward(),
        any::<[u32; 2]>(),
        checks,
    );
    let one = one.prop_map(
        |(address, port, weight, forward, limits, checks)| RealServer {
            address,
            port,
            weight,
            forward,
            upper: limits[0].max(limits[1]),
            lower: limits[0].min(limits[1]),
            checks,
        },
    );
    vec(one, 1..4)
}

fn v6_() -> impl Strategy<Value = IpAddr> {
    super::v6()
}

fn entry() -> impl Strategy<Value = GroupEntry> {
    let mark = (any::<u32>(), option::of(any::<bool>()));
    let range = (any::<u32>(), 0..5_u32, any::<u16>()).prop_map(|(first, more, port)| {
        let last = first.saturating_add(more);
        GroupEntry::Range {
            first: IpAddr::V4(first.into()),
            last: IpAddr::V4(last.into()),
            port,
        }
    });
    prop_oneof![
        mark.prop_map(|(mark, v6)| GroupEntry::Mark { mark, v6 }),
        range
    ]
}

fn virtual_server(groups: Vec<String>) -> impl Strategy<Value = VirtualServer> {
    let front = prop_oneof![
        4 => (v4(), any::<u16>()).prop_map(|(at, port)| Front::Address(at, port)),
        4 => (v6_(), any::<u16>()).prop_map(|(at, port)| Front::Address(at, port)),
        1 => any::<u32>().prop_map(Front::Mark),
        1 => prop::sample::select(groups).prop_map(Front::Group),
    ];
    let protocol = prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Sctp)
    ];
    let granularity = prop_oneof![
        (0..=32_u8).prop_map(Granularity::V4),
        (1..=128_u8).prop_map(Granularity::V6)
    ];
    let persistence = (
        option::of(1..=2_678_400_u32),
        option::of(Just("sip".to_owned())),
        option::of(granularity),
    );
    let [checks, _] = checks();
    let parts = front.prop_flat_map(|front| {
        let v6 = matches!(front, Front::Address(at, _) if at.is_ipv6());
        (Just(front), real_servers(v6))
    });
    let flags = (any::<[bool; 4]>(), option::of(any::<bool>()));
    let sorry = option::of((v4(), any::<u16>(), forward()));
    let rest = (flags, persistence, forward(), sorry, checks);
    (parts, protocol, rest).prop_map(|((front, mut servers), protocol, rest)| {
        let ((flags, v6), (persistence, engine, granularity), forward, sorry, checks) = rest;
        let mark = matches!(front, Front::Mark(_));
        let own = match front {
            Front::Address(_, port) => Some(port),
            Front::Mark(_) => Some(0),
            Front::Group(_) => None,
        };
        for one in &mut servers {
            // Only NAT changes ports.
            let fixed = own.filter(|_| one.forward != Forward::Masquerade);
            one.port = fixed.unwrap_or(one.port);
        }
        let mut seen = HashSet::new();
        servers.retain(|one| seen.insert((one.address, one.port)));
        VirtualServer {
            protocol: if mark { Protocol::Tcp } else { protocol },
            v6,
            scheduler: "wrr".to_owned(),
            flags: [flags[0], flags[1], flags[2]],
            one_packet: flags[3] && (mark || protocol == Protocol::Udp),
            // Without a port it is needed.
            persistence: persistence.or((own != Some(1)).then_some(7)),
            engine,
            granularity,
            forward,
            sorry: sorry.map(|(address, port, forward)| Sorry {
                address,
                port,
                forward,
            }),
            front,
            servers,
            checks,
        }
    })
}

fn daemon() -> impl Strategy<Value = SyncDaemon> {
    let numbers = (
        option::of(any::<u8>()),
        option::of(1..=65_507_u16),
        option::of(1..=u16::MAX),
        option::of(1..=u8::MAX),
    );
    (interface(), numbers, any::<bool>()).prop_map(|(interface, numbers, group)| SyncDaemon {
        interface,
        instance: None,
        id: numbers.0,
        max_length: numbers.1,
        port: numbers.2,
        ttl: numbers.3,
        group: group.then(|| IpAddr::from([239, 1, 2, 3])),
    })
}

pub fn lvs() -> impl Strategy<Value = Lvs> {
    let groups = vec(vec(entry(), 1..4), 1..3);
    let servers = groups.prop_flat_map(|groups| {
        let groups: Vec<ServerGroup> = groups
            .into_iter()
            .enumerate()
            .map(|(at, entries)| ServerGroup {
                name: format!("G {at}"),
                entries,
            })
            .collect();
        let names = groups.iter().map(|group| group.name.clone()).collect();
        (Just(groups), vec(virtual_server(names), 0..3))
    });
    let stop = prop_oneof![
        Just(FlushOnStop::No),
        Just(FlushOnStop::Services),
        Just(FlushOnStop::All)
    ];
    let times = [0..=2_147_483_u32, 0..=2_147_483, 0..=2_147_483];
    (servers, times, any::<bool>(), stop, option::of(daemon())).prop_map(
        |((groups, mut virtual_servers), times, flush, flush_on_stop, sync_daemon)| {
            let mut seen = HashSet::new();
            virtual_servers.retain(|one| seen.insert((one.front.clone(), one.protocol)));
            Lvs {
                groups,
                virtual_servers,
                timeouts: Timeouts {
                    tcp: times[0],
                    tcp_fin: times[1],
                    udp: times[2],
                },
                flush,
                flush_on_stop,
                sync_daemon,
            }
        },
    )
}
