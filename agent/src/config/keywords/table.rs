//! The rows of the keyword table, by block and by what becomes of them.

use super::AuthKey as A;
use super::GarpKey::{Delay, LowerPrioDelay, LowerPrioRepeat, Refresh, RefreshRepeat, Repeat};
use super::GlobalKey as G;
use super::InstanceKey as I;
use super::RootKey as R;
use super::Shape::{Block as Braces, Flag, NamedBlock, Secret, Switch, Value};
use super::Status::{NotYet, Refused, WithoutEffect};
use super::{Block, Key, Keyword, Shape, Status};

const MAIL: Status = NotYet("e-mail notification");
const NOTIFY: Status = NotYet("notify scripts and FIFOs");
const SCRIPTS: Status = NotYet("scripts");
const TRACKING: Status = NotYet("tracking");
const GROUPS: Status = NotYet("sync groups");
const LVS: Status = NotYet("virtual servers (IPVS)");
const BFD: Status = NotYet("BFD");
const VMAC: Status = NotYet("virtual MAC addresses");
const ROUTES: Status = NotYet("static and virtual addresses, routes and rules");
const FIREWALL: Status = NotYet("firewall rules for VIPs");
const SNMP: Status = NotYet("SNMP");
const DBUS: Status = NotYet("D-Bus");
const PROCESS: Status = NotYet("process and scheduling settings");
const FILES: Status = NotYet("keepalived's reload and state files");
const MULTICAST: Status = NotYet("other multicast groups");
const START: Status = NotYet("delays at start");
const STRICT: Status = NotYet("strict mode");
const ANNOUNCE: Status = NotYet("further announcement settings");
const UNICAST: Status = NotYet("further unicast settings");
const IGNORED_THERE: Status = WithoutEffect("keepalived does nothing with it either");
const ONE_PROCESS: Status = WithoutEffect("failoverd has no such process");
const BUFFERS: Status =
    WithoutEffect("failoverd sizes its buffers itself and recovers from their overrun");
const LINKBEAT: Status =
    WithoutEffect("failoverd is told of link changes by the kernel and never polls");
const LIST_CHECK: Status = WithoutEffect(
    "failoverd logs adverts with other addresses and never drops them, so there is no check to skip",
);
const NETNS: Status = Refused(
    "failoverd cannot enter a network namespace by itself yet, and would act on the wrong one",
    "start failoverd in it: `ip netns exec NAME failoverd run ...`, or NetworkNamespacePath= in its unit",
);

const fn root(key: R, shape: Shape) -> Status {
    Status::Supported(Key::Root(key), shape)
}

const fn global(key: G, shape: Shape) -> Status {
    Status::Supported(Key::Global(key), shape)
}

const fn instance(key: I, shape: Shape) -> Status {
    Status::Supported(Key::Instance(key), shape)
}

const fn auth(key: A, shape: Shape) -> Status {
    Status::Supported(Key::Auth(key), shape)
}

macro_rules! table {
    ($($block:ident { $($status:expr => $($name:literal)+;)+ })+) => {
        pub const TABLE: &[Keyword] = &[
            $($($(Keyword { block: Block::$block, name: $name, status: $status },)+)+)+
        ];
    };
}

table! {
    Root {
        root(R::GlobalDefs, Braces) => "global_defs";
        root(R::VrrpInstance, NamedBlock) => "vrrp_instance";
        GROUPS => "vrrp_sync_group";
        SCRIPTS => "vrrp_script";
        TRACKING => "track_file" "vrrp_track_file" "vrrp_track_process" "track_group"
            "interface_up_down_delays";
        LVS => "virtual_server" "virtual_server_group" "SSL";
        ROUTES => "static_ipaddress" "static_routes" "static_rules";
        BFD => "bfd_instance";
        ANNOUNCE => "garp_group";
        LINKBEAT => "linkbeat_interfaces" "linkbeat_use_polling";
        PROCESS => "instance" "use_pid_dir" "child_wait_time";
        NETNS => "net_namespace";
        LVS => "net_namespace_ipvs" "namespace_with_ipsets";
    }
    GlobalDefs {
        global(G::RouterId, Value) => "router_id";
        global(G::Version, Value) => "vrrp_version";
        global(G::Garp(Delay), Value) => "vrrp_garp_master_delay";
        global(G::Garp(Repeat), Value) => "vrrp_garp_master_repeat";
        global(G::Garp(Refresh), Value) => "vrrp_garp_master_refresh";
        global(G::Garp(RefreshRepeat), Value) => "vrrp_garp_master_refresh_repeat";
        global(G::Garp(LowerPrioDelay), Value) => "vrrp_garp_lower_prio_delay";
        global(G::Garp(LowerPrioRepeat), Value) => "vrrp_garp_lower_prio_repeat";
        global(G::DownTimerAdverts, Value) => "vrrp_down_timer_adverts";
        global(G::LowerPrioNoAdvert, Switch) => "vrrp_lower_prio_no_advert";
        global(G::HigherPrioSendAdvert, Switch) => "vrrp_higher_prio_send_advert";
        global(G::V3ChecksumAsV2, Switch) => "v3_checksum_as_v2";
        global(G::CheckUnicastSrc, Switch) => "vrrp_check_unicast_src";
        global(G::OwnerIgnoreAdverts, Switch) => "vrrp_owner_ignore_adverts";
        LIST_CHECK => "vrrp_skip_check_adv_addr";
        MAIL => "notification_email" "notification_email_from" "smtp_server" "smtp_helo_name"
            "smtp_connect_timeout" "smtp_alert" "smtp_alert_vrrp" "smtp_alert_checker"
            "no_email_faults" "no_checker_emails";
        NOTIFY => "notify_fifo" "notify_fifo_script" "vrrp_notify_fifo" "vrrp_notify_fifo_script"
            "lvs_notify_fifo" "lvs_notify_fifo_script" "vrrp_notify_priority_changes"
            "fifo_write_vrrp_states_on_reload" "rs_init_notifies";
        SCRIPTS => "script_user" "enable_script_security" "startup_script" "startup_script_timeout"
            "shutdown_script" "shutdown_script_timeout" "set_supplementary_groups";
        LVS => "lvs_timeouts" "lvs_flush" "lvs_flush_on_stop" "lvs_flush_onstop" "lvs_sync_daemon"
            "checker_log_all_failures" "nftables_ipvs" "nftables_ipvs_priority"
            "nftables_ipvs_start_fwmark";
        FIREWALL => "nftables" "nftables_priority" "nftables_ifindex" "nftables_counters"
            "vrrp_iptables" "vrrp_ipsets";
        SNMP => "snmp_socket" "enable_traps" "enable_snmp_vrrp" "enable_snmp_keepalived"
            "enable_snmp_rfc" "enable_snmp_rfcv2" "enable_snmp_rfcv3" "enable_snmp_checker"
            "snmp_vs_stats_update_interval" "snmp_rs_stats_update_interval";
        DBUS => "enable_dbus" "dbus_service_name" "dbus_no_interface_name";
        VMAC => "vmac_prefix" "vmac_addr_prefix" "vrrp_vmac_garp_intvl";
        ANNOUNCE => "vrrp_garp_interval" "vrrp_gna_interval" "vrrp_min_garp" "vrrp_garp_extra_if";
        MULTICAST => "vrrp_mcast_group4" "vrrp_mcast_group6" "disable_local_igmp";
        START => "vrrp_startup_delay" "vrrp_delay_after_boot";
        STRICT => "vrrp_strict";
        NotYet("default_interface and dynamic_interfaces") => "default_interface"
            "dynamic_interfaces";
        NotYet("a log line for unknown VRIDs (`failoverd monitor` shows them)") =>
            "log_unknown_vrids";
        PROCESS => "max_auto_priority" "min_auto_priority_delay" "vrrp_priority" "vrrp_no_swap"
            "vrrp_rt_priority" "vrrp_cpu_affinity" "vrrp_rlimit_rttime" "vrrp_rlimit_rtime"
            "umask";
        ONE_PROCESS => "process_names" "process_name" "vrrp_process_name" "checker_process_name"
            "lvs_process_name" "bfd_process_name" "checker_priority" "checker_no_swap"
            "checker_rt_priority" "checker_cpu_affinity" "checker_rlimit_rttime"
            "checker_rlimit_rtime" "bfd_priority" "bfd_no_swap" "bfd_rt_priority"
            "bfd_cpu_affinity" "bfd_rlimit_rttime" "bfd_rlimit_rtime";
        BUFFERS => "vrrp_netlink_cmd_rcv_bufs" "vrrp_netlink_cmd_rcv_bufs_force"
            "vrrp_netlink_monitor_rcv_bufs" "vrrp_netlink_monitor_rcv_bufs_force"
            "process_monitor_rcv_bufs" "process_monitor_rcv_bufs_force"
            "lvs_netlink_cmd_rcv_bufs" "lvs_netlink_cmd_rcv_bufs_force"
            "lvs_netlink_monitor_rcv_bufs" "lvs_netlink_monitor_rcv_bufs_force"
            "vrrp_rx_bufs_policy" "vrrp_rx_bufs_multiplier";
        FILES => "reload_check_config" "reload_time_file" "reload_repeat" "reload_file"
            "include_check" "config_save_dir" "tmp_config_directory" "data_use_instance"
            "json_version" "state_dump_file" "stats_dump_file" "json_dump_file"
            "use_symlink_paths";
        WithoutEffect("failoverd does not read iproute2's tables") => "iproute_usr_dir"
            "iproute_etc_dir";
        WithoutEffect("failoverd uses no random numbers") => "random_seed";
    }
    VrrpInstance {
        instance(I::State, Value) => "state";
        instance(I::Interface, Value) => "interface";
        instance(I::VirtualRouterId, Value) => "virtual_router_id";
        instance(I::Priority, Value) => "priority";
        instance(I::AdvertInt, Value) => "advert_int";
        instance(I::Version, Value) => "version";
        instance(I::NativeIpv6, Flag) => "native_ipv6";
        instance(I::Authentication, Braces) => "authentication";
        instance(I::UnicastSrcIp, Value) => "unicast_src_ip";
        instance(I::UnicastPeer, Braces) => "unicast_peer";
        instance(I::McastSrcIp, Value) => "mcast_src_ip";
        instance(I::CheckUnicastSrc, Switch) => "check_unicast_src";
        instance(I::VirtualIpaddress, Braces) => "virtual_ipaddress";
        instance(I::VirtualIpaddressExcluded, Braces) => "virtual_ipaddress_excluded";
        instance(I::TrackInterface, Braces) => "track_interface";
        instance(I::Preempt, Flag) => "preempt";
        instance(I::Nopreempt, Flag) => "nopreempt";
        instance(I::PreemptDelay, Value) => "preempt_delay";
        instance(I::Garp(Delay), Value) => "garp_master_delay";
        instance(I::Garp(Repeat), Value) => "garp_master_repeat";
        instance(I::Garp(Refresh), Value) => "garp_master_refresh";
        instance(I::Garp(RefreshRepeat), Value) => "garp_master_refresh_repeat";
        instance(I::Garp(LowerPrioDelay), Value) => "garp_lower_prio_delay";
        instance(I::Garp(LowerPrioRepeat), Value) => "garp_lower_prio_repeat";
        instance(I::DownTimerAdverts, Value) => "down_timer_adverts";
        instance(I::LowerPrioNoAdvert, Switch) => "lower_prio_no_advert";
        instance(I::HigherPrioSendAdvert, Switch) => "higher_prio_send_advert";
        instance(I::V3ChecksumAsV2, Switch) => "v3_checksum_as_v2";
        instance(I::OwnerIgnoreAdverts, Switch) => "owner_ignore_adverts";
        LIST_CHECK => "skip_check_adv_addr";
        IGNORED_THERE => "debug";
        LINKBEAT => "linkbeat_use_polling";
        BUFFERS => "kernel_rx_buf_size";
        WithoutEffect("failoverd accepts traffic to its VIPs anyway") => "accept";
        FIREWALL => "no_accept";
        NotYet("an instance that outlives its interface") => "dont_track_primary";
        TRACKING => "track_file" "track_process" "track_src_ip";
        SCRIPTS => "track_script";
        BFD => "track_bfd";
        NOTIFY => "notify" "notify_master" "notify_backup" "notify_fault" "notify_stop"
            "notify_deleted" "notify_master_rx_lower_pri" "notify_priority_changes";
        MAIL => "smtp_alert";
        VMAC => "use_vmac" "use_vmac_addr" "vmac_xmit_base" "use_ipvlan" "vmac_garp_intvl" "vrf";
        ROUTES => "virtual_routes" "virtual_rules" "promote_secondaries" "no_virtual_ipaddress";
        MULTICAST => "mcast_dst_ip";
        UNICAST => "unicast_ttl" "unicast_fault_no_peer" "old_unicast_checksum";
        STRICT => "strict_mode";
        LVS => "lvs_sync_daemon_interface";
        ANNOUNCE => "garp_extra_if";
        WithoutEffect("a failoverd that wakes up late looks before it sends") =>
            "timer_expired_backup" "thread_timer_expired";
        Refused(
            "without it every advert of a peer that uses it would be half understood",
            "remove it on all routers of this VRID, or stay with keepalived for this instance",
        ) => "auth_hmac";
    }
    Authentication {
        auth(A::Type, Value) => "auth_type";
        auth(A::Pass, Secret) => "auth_pass";
    }
}
