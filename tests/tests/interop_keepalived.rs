//! keepalived as the peer: every combination, with either side as the Active.
//! What each test does is [`fail_over_and_back`].

use anyhow::Result;
use failoverd_tests::{
    agent,
    interop::{Kind, Setting, fail_over_and_back},
    privilege, require_root,
};

fn run(kinds: [Kind; 2], setting: Setting) -> Result<()> {
    require_root!("keepalived");
    if !privilege::ready(agent::missing()) {
        return Ok(());
    }
    fail_over_and_back(kinds, setting)
}

macro_rules! combinations {
    ($($name:ident = $setting:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn keepalived_is_active() -> Result<()> {
                run([Kind::Keepalived, Kind::Agent], $setting)
            }

            #[test]
            fn agent_is_active() -> Result<()> {
                run([Kind::Agent, Kind::Keepalived], $setting)
            }
        })*
    };
}

combinations! {
    v2_plain = Setting::V2;
    v2_pass = Setting::V2.password("secret");
    v2_pass_unicast = Setting::V2.password("secret").unicast();
    v2_pass_cut_to_8 = Setting::V2.password("longer-than-8-characters");
    v3_1s_ipv4 = Setting::V3.every_ms(1000);
    v3_1s_ipv6 = Setting::V3.every_ms(1000).ipv6();
    v3_100ms_ipv4 = Setting::V3;
    v3_100ms_ipv4_unicast = Setting::V3.unicast();
    v3_100ms_ipv6 = Setting::V3.ipv6();
    v3_100ms_ipv6_unicast = Setting::V3.ipv6().unicast();
    v3_10ms_ipv4 = Setting::V3.every_ms(10);
    v3_10ms_ipv4_unicast = Setting::V3.every_ms(10).unicast();
    v3_10ms_ipv6 = Setting::V3.every_ms(10).ipv6();
    v3_10ms_ipv6_unicast = Setting::V3.every_ms(10).ipv6().unicast();
}
