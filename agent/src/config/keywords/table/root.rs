//! Keywords outside all blocks.

use super::common::{FLAG, TEXT};
use super::reason::{ANNOUNCE, BFD, LINKBEAT, LVS, PROCESS, ROUTES, TRACKING, track};
use super::{rows, special};
use crate::config::keywords::Status::{Refused, Supported};
use crate::config::keywords::shape::Argument::{Maybe, One};
use crate::config::keywords::shape::{Kind, block, list, words};
use crate::config::keywords::{Block, Key, Keyword, List, RootKey, Status};

const NETNS: Status = Refused(
    "failoverd cannot enter a network namespace by itself yet, and would act on the wrong one",
    "start failoverd in it: `ip netns exec NAME failoverd run ...`, or NetworkNamespacePath= in its unit",
);

pub const ROOT: &[Keyword] = rows! { Root:
    Supported(Key::Root(RootKey::GlobalDefs)), block(&[], Block::GlobalDefs) => "global_defs";
    Supported(Key::Root(RootKey::VrrpInstance)), block(&[One(Kind::Name)], Block::VrrpInstance) =>
        "vrrp_instance";
    track("vrrp_sync_group"), block(&[One(Kind::Name)], Block::SyncGroup) => "vrrp_sync_group";
    track("vrrp_script"), block(&[One(Kind::Name)], Block::VrrpScript) => "vrrp_script";
    track("track_file"), block(&[One(Kind::Name)], Block::TrackFile) =>
        "track_file" "vrrp_track_file";
    track("vrrp_track_process"), block(&[One(Kind::Name)], Block::TrackProcess) =>
        "vrrp_track_process";
    TRACKING, block(&[One(Kind::Name)], Block::TrackGroup) => "track_group";
    TRACKING, list(List::Delays) => "interface_up_down_delays";
    LVS, special::VIRTUAL_SERVER => "virtual_server";
    LVS, special::VIRTUAL_SERVER_GROUP => "virtual_server_group";
    LVS, block(&[], Block::Ssl) => "SSL";
    ROUTES, list(List::StaticAddresses) => "static_ipaddress";
    ROUTES, list(List::StaticRoutes) => "static_routes";
    ROUTES, list(List::StaticRules) => "static_rules";
    BFD, block(&[One(Kind::Name)], Block::BfdInstance) => "bfd_instance";
    ANNOUNCE, block(&[], Block::GarpGroup) => "garp_group";
    LINKBEAT, list(List::Linkbeats) => "linkbeat_interfaces";
    LINKBEAT, FLAG => "linkbeat_use_polling";
    PROCESS, TEXT => "instance";
    PROCESS, FLAG => "use_pid_dir";
    PROCESS, words(&[One(Kind::Number(1, 300))]) => "child_wait_time";
    NETNS, TEXT => "net_namespace";
    LVS, words(&[Maybe(Kind::Name)]) => "net_namespace_ipvs";
    LVS, FLAG => "namespace_with_ipsets";
};
