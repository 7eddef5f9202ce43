//! FRR's vrrpd as the peer: version 3 with a virtual MAC on a macvlan. Its
//! IPv4 adverts have the checksum with a pseudo-header.

use anyhow::Result;
use failoverd_tests::{
    agent, frr,
    interop::{Kind, Setting, fail_over_and_back},
    privilege, require_root,
};

fn run(kinds: [Kind; 2], setting: Setting) -> Result<()> {
    require_root!();
    if !privilege::ready(agent::missing()) || !privilege::ready(frr::missing()) {
        return Ok(());
    }
    fail_over_and_back(kinds, setting)
}

macro_rules! combinations {
    ($($name:ident = $setting:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn frr_is_active() -> Result<()> {
                run([Kind::Frr, Kind::Agent], $setting)
            }

            #[test]
            fn agent_is_active() -> Result<()> {
                run([Kind::Agent, Kind::Frr], $setting)
            }
        })*
    };
}

combinations! {
    v3_1s_ipv4 = Setting::V3.every_ms(1000);
    v3_100ms_ipv4 = Setting::V3;
    v3_100ms_ipv6 = Setting::V3.ipv6();
}
