//! How long a large configuration takes to be read and checked.
//!
//! `cargo xtask bench config` builds and runs it. Ends with 1 where 10,000
//! instances take a second or more.

use std::process::ExitCode;
use std::time::Duration;

use failoverd::config::diff::{Portrait, diff};
use failoverd::config::print::{Secrets, print};
use failoverd::config::{Code, MAX_INSTANCES, parse_str};
use failoverd::io::clock::now;

const MANY: usize = 10_000;
const LIMIT: Duration = Duration::from_secs(1);
const ROUNDS: usize = 9;

fn main() -> ExitCode {
    let text = instances(MANY);
    let size = text.len() >> 10;
    let took = median(|| {
        let loaded = parse_str("many.conf", &text);
        // More than fit, which is the only error: all the others are good.
        let mut errors = loaded.diagnostics.iter().filter(|one| one.is_error());
        assert_eq!(
            errors.next().map(|one| one.code),
            Some(Code::TooManyInstances)
        );
        assert_eq!(errors.next(), None);
    });
    println!(
        "{MANY} instances ({size} KiB) read and checked: {}",
        shown(took)
    );

    let text = instances(MAX_INSTANCES);
    let read = median(|| assert!(parse_str("full.conf", &text).config.is_some()));
    println!(
        "{MAX_INSTANCES} instances, as many as one agent has: {}",
        shown(read)
    );
    let config = parse_str("full.conf", &text).config.unwrap_or_default();
    let printed = median(|| assert!(!print(&config, Secrets::Shown).is_empty()));
    println!("printed: {}", shown(printed));
    let compared = median(|| {
        let portrait = Portrait::from(&config);
        assert!(diff(&portrait, &portrait).is_empty());
    });
    println!("compared with itself: {}", shown(compared));
    ExitCode::from(u8::from(took >= LIMIT))
}

/// Instances as people write them, all good by themselves.
fn instances(count: usize) -> String {
    let one = |n: usize| {
        let (interface, vrid) = (n / 255, n % 255 + 1);
        format!(
            "vrrp_instance VI_{n} {{\n    state BACKUP\n    interface eth{interface}\n    virtual_router_id {vrid}\n    priority 150\n    advert_int 1\n    unicast_src_ip 10.0.0.1\n    unicast_peer {{\n        10.0.0.2\n    }}\n    authentication {{\n        auth_type PASS\n        auth_pass secret{}\n    }}\n    virtual_ipaddress {{\n        10.{}.{}.1/24 dev eth{interface}\n    }}\n}}\n",
            n % 10,
            1 + n / 256,
            n % 256
        )
    };
    (0..count).map(one).collect()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = now();
            work();
            now().since(start)
        })
        .collect();
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
