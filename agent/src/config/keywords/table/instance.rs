//! vrrp_instance, and its authentication.

use super::common::{ADDRESS, COUNT, FLAG, INTERFACE, POSITIVE, SCRIPT, SWITCH};
use super::reason::{BFD, BUFFERS, LINKBEAT, SYNC, VMAC, tell, track};
use super::{rows, special};
use crate::config::keywords::AuthKey as A;
use crate::config::keywords::GarpKey::{
    Delay, ExtraIf, LowerPrioDelay, LowerPrioRepeat, Refresh, RefreshRepeat, Repeat,
};
use crate::config::keywords::InstanceKey as I;
use crate::config::keywords::Status::{Refused, Supported, WithoutEffect};
use crate::config::keywords::shape::Argument::{Maybe, One};
use crate::config::keywords::shape::{Kind, block, list, words};
use crate::config::keywords::{Block, Key, Keyword, List, Status};

const fn instance(key: I) -> Status {
    Supported(Key::Instance(key))
}

const IGNORED_THERE: Status = WithoutEffect("keepalived does nothing with it either");
const LATE: Status = WithoutEffect("a failoverd that wakes up late looks before it sends");
const HMAC: Status = Refused(
    "without it every advert of a peer that uses it would be half understood",
    "remove it on all routers of this VRID, or stay with keepalived for this instance",
);

pub const INSTANCE: &[Keyword] = rows! { VrrpInstance:
    instance(I::State), words(&[One(Kind::Choice(&["MASTER", "BACKUP"]))]) => "state";
    instance(I::Interface), INTERFACE => "interface";
    instance(I::VirtualRouterId), words(&[One(Kind::Number(1, 255))]) => "virtual_router_id";
    instance(I::Priority), words(&[One(Kind::Number(1, 255))]) => "priority";
    instance(I::AdvertInt), words(&[One(Kind::Seconds(10_000, 255_000_000))]) => "advert_int";
    instance(I::Version), words(&[One(Kind::Number(2, 3))]) => "version";
    instance(I::NativeIpv6), FLAG => "native_ipv6";
    instance(I::Authentication), block(&[], Block::Authentication) => "authentication";
    instance(I::UnicastSrcIp), ADDRESS => "unicast_src_ip";
    instance(I::UnicastPeer), list(List::Peers) => "unicast_peer";
    instance(I::McastSrcIp), ADDRESS => "mcast_src_ip";
    instance(I::CheckUnicastSrc), SWITCH => "check_unicast_src";
    instance(I::VirtualIpaddress), list(List::Vips) => "virtual_ipaddress";
    instance(I::VirtualIpaddressExcluded), list(List::Vips) => "virtual_ipaddress_excluded";
    track("track_interface"), list(List::TrackInterfaces) => "track_interface";
    instance(I::Preempt), FLAG => "preempt";
    instance(I::Nopreempt), FLAG => "nopreempt";
    instance(I::PreemptDelay), words(&[One(Kind::Seconds(0, 1_000_000_000))]) => "preempt_delay";
    instance(I::Garp(Delay)), COUNT => "garp_master_delay";
    instance(I::Garp(Repeat)), POSITIVE => "garp_master_repeat";
    instance(I::Garp(Refresh)), COUNT => "garp_master_refresh";
    instance(I::Garp(RefreshRepeat)), POSITIVE => "garp_master_refresh_repeat";
    instance(I::Garp(LowerPrioDelay)), COUNT => "garp_lower_prio_delay";
    instance(I::Garp(LowerPrioRepeat)), COUNT => "garp_lower_prio_repeat";
    instance(I::DownTimerAdverts), words(&[One(Kind::Number(1, 100))]) => "down_timer_adverts";
    instance(I::LowerPrioNoAdvert), SWITCH => "lower_prio_no_advert";
    instance(I::HigherPrioSendAdvert), SWITCH => "higher_prio_send_advert";
    instance(I::FastDetect), special::FAST_DETECT => "fast_detect";
    instance(I::V3ChecksumAsV2), SWITCH => "v3_checksum_as_v2";
    instance(I::OwnerIgnoreAdverts), SWITCH => "owner_ignore_adverts";
    instance(I::SkipCheckAdvAddr), SWITCH => "skip_check_adv_addr";
    instance(I::AllowedSources), special::SOURCES => "allowed_sources";
    instance(I::MaxLearnedInterval), special::INTERVAL => "max_learned_interval";
    IGNORED_THERE, words(&[One(Kind::Number(0, 4))]) => "debug";
    LINKBEAT, FLAG => "linkbeat_use_polling";
    BUFFERS, POSITIVE => "kernel_rx_buf_size";
    instance(I::Accept), FLAG => "accept";
    instance(I::NoAccept), FLAG => "no_accept";
    instance(I::PromoteSecondaries), FLAG => "promote_secondaries";
    instance(I::NoVirtualIpaddress), FLAG => "no_virtual_ipaddress";
    instance(I::DontTrackPrimary), FLAG => "dont_track_primary";
    track("track_file"), list(List::TrackFiles) => "track_file";
    track("track_process"), list(List::TrackProcesses) => "track_process";
    WithoutEffect("failoverd always does: without its source address an instance is in fault"), FLAG =>
        "track_src_ip";
    track("track_script"), list(List::TrackScripts) => "track_script";
    BFD, list(List::TrackBfds) => "track_bfd";
    tell("notify"), SCRIPT => "notify";
    tell("notify_master"), SCRIPT => "notify_master";
    tell("notify_backup"), SCRIPT => "notify_backup";
    tell("notify_fault"), SCRIPT => "notify_fault";
    tell("notify_stop"), SCRIPT => "notify_stop";
    tell("notify_master_rx_lower_pri"), SCRIPT => "notify_master_rx_lower_pri";
    tell("notify_deleted"), words(&[Maybe(Kind::Script), Maybe(Kind::User), Maybe(Kind::User)]) =>
        "notify_deleted";
    tell("notify_priority_changes"), SWITCH => "notify_priority_changes";
    tell("smtp_alert"), SWITCH => "smtp_alert";
    instance(I::UseVmac), special::USE_VMAC => "use_vmac";
    VMAC, special::USE_IPVLAN => "use_ipvlan";
    instance(I::UseVmacAddr), FLAG => "use_vmac_addr";
    instance(I::VmacXmitBase), FLAG => "vmac_xmit_base";
    instance(I::Garp(ExtraIf)), special::EXTRA_GARP => "vmac_garp_intvl";
    VMAC, INTERFACE => "vrf";
    instance(I::VirtualRoutes), list(List::Routes) => "virtual_routes";
    instance(I::VirtualRules), list(List::Rules) => "virtual_rules";
    instance(I::McastDstIp), words(&[One(Kind::Group)]) => "mcast_dst_ip";
    instance(I::UnicastTtl), words(&[One(Kind::Number(0, 255))]) => "unicast_ttl";
    instance(I::UnicastFaultNoPeer), FLAG => "unicast_fault_no_peer";
    instance(I::OldUnicastChecksum), words(&[Maybe(Kind::Choice(&["never"]))]) => "old_unicast_checksum";
    instance(I::StrictMode), SWITCH => "strict_mode";
    SYNC, INTERFACE => "lvs_sync_daemon_interface";
    instance(I::Garp(ExtraIf)), special::EXTRA_GARP => "garp_extra_if";
    LATE, words(&[Maybe(Kind::Number(1, 254))]) => "timer_expired_backup" "thread_timer_expired";
    HMAC, block(&[], Block::AuthHmac) => "auth_hmac";
};

pub const AUTHENTICATION: &[Keyword] = rows! { Authentication:
    Supported(Key::Auth(A::Type)), words(&[One(Kind::Choice(&["PASS", "AH"]))]) => "auth_type";
    Supported(Key::Auth(A::Pass)), words(&[One(Kind::Secret)]) => "auth_pass";
};

pub const AUTH_HMAC: &[Keyword] = rows! { AuthHmac:
    HMAC, words(&[One(Kind::Number(0, 255)), One(Kind::Secret), Maybe(Kind::Secret)]) => "key";
    HMAC, words(&[One(Kind::Number(0, 255))]) => "active_key";
    HMAC, words(&[One(Kind::Number(1, 300))]) => "time_window";
    HMAC, words(&[One(Kind::Choice(&["time", "monotonic"]))]) => "anti_replay";
    HMAC, words(&[One(Kind::Choice(&["enforce", "permissive", "receive-only"]))]) => "mode";
};
