//! Keywords outside all blocks.

use super::common::{FLAG, TEXT};
use super::reason::{BFD, CHECKERS, ELSEWHERE, FIREWALL, LINKBEAT, PROCESS, lvs, track};
use super::{rows, special};
use crate::config::keywords::Status::Supported;
use crate::config::keywords::shape::Argument::{Maybe, One};
use crate::config::keywords::shape::{Kind, block, list, words};
use crate::config::keywords::{Block, Key, Keyword, List, RootKey};

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
    Supported(Key::Root(RootKey::TrackGroup)), block(&[One(Kind::Name)], Block::TrackGroup) =>
        "track_group";
    Supported(Key::Root(RootKey::UpDownDelays)), list(List::Delays) => "interface_up_down_delays";
    lvs("virtual_server"), special::VIRTUAL_SERVER => "virtual_server";
    lvs("virtual_server_group"), special::VIRTUAL_SERVER_GROUP => "virtual_server_group";
    CHECKERS, block(&[], Block::Ssl) => "SSL";
    Supported(Key::Root(RootKey::StaticIpaddress)), list(List::StaticAddresses) => "static_ipaddress";
    Supported(Key::Root(RootKey::StaticRoutes)), list(List::StaticRoutes) => "static_routes";
    Supported(Key::Root(RootKey::StaticRules)), list(List::StaticRules) => "static_rules";
    BFD, block(&[One(Kind::Name)], Block::BfdInstance) => "bfd_instance";
    Supported(Key::Root(RootKey::GarpGroup)), block(&[], Block::GarpGroup) => "garp_group";
    LINKBEAT, list(List::Linkbeats) => "linkbeat_interfaces";
    LINKBEAT, FLAG => "linkbeat_use_polling";
    Supported(Key::Root(RootKey::Instance)), TEXT => "instance";
    Supported(Key::Root(RootKey::UsePidDir)), FLAG => "use_pid_dir";
    PROCESS, words(&[One(Kind::Number(1, 300))]) => "child_wait_time";
    Supported(Key::Root(RootKey::NetNamespace)), TEXT => "net_namespace";
    ELSEWHERE, words(&[Maybe(Kind::Name)]) => "net_namespace_ipvs";
    FIREWALL, FLAG => "namespace_with_ipsets";
};
