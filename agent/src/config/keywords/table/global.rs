//! global_defs.

use super::common::{
    COUNT, FLAG, INTERFACE, POSITIVE, POSITIVE_SECONDS, SCRIPT, SWITCH, TEXT, TIME,
};
use super::reason::{
    BUFFERS, CHECKERS, DBUS, FIREWALL, MARKS, ONE_PROCESS, SCRIPTS, SNMP, lvs, tell,
};
use super::{rows, special};
use crate::config::keywords::FilesKey as F;
use crate::config::keywords::GarpKey::{
    Delay, ExtraIf, LowerPrioDelay, LowerPrioRepeat, Refresh, RefreshRepeat, Repeat,
};
use crate::config::keywords::GlobalKey as G;
use crate::config::keywords::ProcessKey as P;
use crate::config::keywords::Status::{NotYet, Supported, WhileReading, WithoutEffect};
use crate::config::keywords::shape::Argument::{Maybe, One, Several};
use crate::config::keywords::shape::{Kind, Shape, list, words};
use crate::config::keywords::{Key, Keyword, List, Status};

const fn global(key: G) -> Status {
    Supported(Key::Global(key))
}

/// keepalived raises the priority of a process that is late.
const ALWAYS_REALTIME: Status = WithoutEffect(
    "failoverd's fast lane is real-time from its start, so there is nothing to raise",
);
const NAMES: Status = WithoutEffect("failoverd's processes and threads have names of their own");

const NICE: Shape = words(&[One(Kind::Number(-20, 19))]);
const REALTIME: Shape = words(&[One(Kind::Number(1, 99))]);
const CPUS: Shape = words(&[Several(Kind::Number(0, 8191))]);
const RTTIME: Shape = words(&[One(Kind::Number(1, i64::MAX))]);
const FIFO: Shape = words(&[One(Kind::File), Maybe(Kind::User), Maybe(Kind::User)]);
const START_DELAY: Shape = words(&[One(Kind::Seconds(1000, TIME))]);
const SCRIPT_TIME: Shape = words(&[One(Kind::Number(1, 1000))]);

pub const GLOBAL: &[Keyword] = rows! { GlobalDefs:
    global(G::RouterId), TEXT => "router_id";
    global(G::Version), words(&[One(Kind::Number(2, 3))]) => "vrrp_version";
    global(G::Garp(Delay)), COUNT => "vrrp_garp_master_delay";
    global(G::Garp(Repeat)), POSITIVE => "vrrp_garp_master_repeat";
    global(G::Garp(Refresh)), COUNT => "vrrp_garp_master_refresh";
    global(G::Garp(RefreshRepeat)), POSITIVE => "vrrp_garp_master_refresh_repeat";
    global(G::Garp(LowerPrioDelay)), COUNT => "vrrp_garp_lower_prio_delay";
    global(G::Garp(LowerPrioRepeat)), COUNT => "vrrp_garp_lower_prio_repeat";
    global(G::DownTimerAdverts), words(&[One(Kind::Number(1, 100))]) => "vrrp_down_timer_adverts";
    global(G::LowerPrioNoAdvert), SWITCH => "vrrp_lower_prio_no_advert";
    global(G::HigherPrioSendAdvert), SWITCH => "vrrp_higher_prio_send_advert";
    global(G::V3ChecksumAsV2), SWITCH => "v3_checksum_as_v2";
    global(G::CheckUnicastSrc), SWITCH => "vrrp_check_unicast_src";
    global(G::OwnerIgnoreAdverts), SWITCH => "vrrp_owner_ignore_adverts";
    global(G::SkipCheckAdvAddr), SWITCH => "vrrp_skip_check_adv_addr";
    global(G::MaxLearnedInterval), special::INTERVAL => "vrrp_max_learned_interval";
    tell("notification_email"), list(List::Words) => "notification_email";
    tell("notification_email_from"), TEXT => "notification_email_from";
    tell("smtp_helo_name"), TEXT => "smtp_helo_name";
    tell("smtp_server"), words(&[One(Kind::Host), Maybe(Kind::Port)]) => "smtp_server";
    tell("smtp_connect_timeout"), words(&[One(Kind::Number(1, 4294))]) => "smtp_connect_timeout";
    tell("smtp_alert"), SWITCH => "smtp_alert";
    tell("smtp_alert_vrrp"), SWITCH => "smtp_alert_vrrp";
    CHECKERS, SWITCH => "smtp_alert_checker";
    tell("no_email_faults"), FLAG => "no_email_faults";
    CHECKERS, FLAG => "no_checker_emails";
    tell("notify_fifo"), FIFO => "notify_fifo";
    tell("vrrp_notify_fifo"), FIFO => "vrrp_notify_fifo";
    CHECKERS, FIFO => "lvs_notify_fifo";
    tell("notify_fifo_script"), SCRIPT => "notify_fifo_script";
    tell("vrrp_notify_fifo_script"), SCRIPT => "vrrp_notify_fifo_script";
    CHECKERS, SCRIPT => "lvs_notify_fifo_script";
    tell("vrrp_notify_priority_changes"), SWITCH => "vrrp_notify_priority_changes";
    tell("fifo_write_vrrp_states_on_reload"), FLAG => "fifo_write_vrrp_states_on_reload";
    CHECKERS, FLAG => "rs_init_notifies";
    global(G::ScriptUser), words(&[One(Kind::User), Maybe(Kind::User)]) => "script_user";
    global(G::ScriptSecurity), FLAG => "enable_script_security";
    SCRIPTS, FLAG => "set_supplementary_groups";
    tell("startup_script"), SCRIPT => "startup_script";
    tell("shutdown_script"), SCRIPT => "shutdown_script";
    tell("startup_script_timeout"), SCRIPT_TIME => "startup_script_timeout";
    tell("shutdown_script_timeout"), SCRIPT_TIME => "shutdown_script_timeout";
    lvs("lvs_timeouts"), special::LVS_TIMEOUTS => "lvs_timeouts";
    lvs("lvs_flush"), FLAG => "lvs_flush";
    lvs("lvs_flush_on_stop"), words(&[Maybe(Kind::Choice(&["VS"]))]) =>
        "lvs_flush_on_stop" "lvs_flush_onstop";
    lvs("lvs_sync_daemon"), special::LVS_SYNC_DAEMON => "lvs_sync_daemon";
    CHECKERS, SWITCH => "checker_log_all_failures";
    MARKS, words(&[Maybe(Kind::Name)]) => "nftables_ipvs";
    MARKS, words(&[One(Kind::Number(-2_147_483_648, 2_147_483_647))]) => "nftables_ipvs_priority";
    MARKS, POSITIVE => "nftables_ipvs_start_fwmark";
    global(G::Nftables), words(&[Maybe(Kind::Name)]) => "nftables";
    global(G::NftablesPriority), words(&[One(Kind::Number(-2_147_483_648, 2_147_483_647))]) =>
        "nftables_priority";
    global(G::NftablesIfindex), FLAG => "nftables_ifindex";
    global(G::NftablesCounters), FLAG => "nftables_counters";
    FIREWALL, words(&[Maybe(Kind::Name), Maybe(Kind::Name)]) => "vrrp_iptables";
    FIREWALL, words(&[Maybe(Kind::Name), Maybe(Kind::Name), Maybe(Kind::Name), Maybe(Kind::Name), Maybe(Kind::Name)]) =>
        "vrrp_ipsets";
    SNMP, TEXT => "snmp_socket";
    SNMP, FLAG => "enable_traps" "enable_snmp_vrrp" "enable_snmp_keepalived" "enable_snmp_rfc"
        "enable_snmp_rfcv2" "enable_snmp_rfcv3" "enable_snmp_checker";
    SNMP, words(&[One(Kind::Seconds(1000, TIME))]) => "snmp_vs_stats_update_interval"
        "snmp_rs_stats_update_interval";
    DBUS, FLAG => "enable_dbus" "dbus_no_interface_name";
    DBUS, TEXT => "dbus_service_name";
    global(G::VmacPrefix), TEXT => "vmac_prefix";
    global(G::VmacAddrPrefix), TEXT => "vmac_addr_prefix";
    global(G::Garp(ExtraIf)), special::EXTRA_GARP => "vrrp_vmac_garp_intvl";
    global(G::Garp(ExtraIf)), special::EXTRA_GARP => "vrrp_garp_extra_if";
    global(G::GarpInterval), POSITIVE_SECONDS => "vrrp_garp_interval";
    global(G::GnaInterval), POSITIVE_SECONDS => "vrrp_gna_interval";
    global(G::MinGarp), SWITCH => "vrrp_min_garp";
    global(G::McastGroup4), words(&[One(Kind::Group)]) => "vrrp_mcast_group4";
    global(G::McastGroup6), words(&[One(Kind::Group)]) => "vrrp_mcast_group6";
    global(G::DisableLocalIgmp), FLAG => "disable_local_igmp";
    global(G::StartupDelay), START_DELAY => "vrrp_startup_delay";
    global(G::DelayAfterBoot), START_DELAY => "vrrp_delay_after_boot";
    global(G::Strict), FLAG => "vrrp_strict";
    global(G::DefaultInterface), INTERFACE => "default_interface";
    global(G::LogUnknownVrids), FLAG => "log_unknown_vrids";
    global(G::DynamicInterfaces), words(&[Maybe(Kind::Choice(&["allow_if_changes"]))]) =>
        "dynamic_interfaces";
    ALWAYS_REALTIME, words(&[Maybe(Kind::Number(-1, 99))]) => "max_auto_priority";
    ALWAYS_REALTIME, words(&[One(Kind::Number(1, 10_000_000))]) => "min_auto_priority_delay";
    global(G::Process(P::Priority)), NICE => "vrrp_priority";
    WithoutEffect("failoverd locks its memory always, where the machine allows it"), FLAG =>
        "vrrp_no_swap";
    global(G::Process(P::RtPriority)), REALTIME => "vrrp_rt_priority";
    global(G::Process(P::Affinity)), CPUS => "vrrp_cpu_affinity";
    global(G::Process(P::RtTime)), RTTIME => "vrrp_rlimit_rttime" "vrrp_rlimit_rtime";
    global(G::Process(P::Umask)), special::UMASK => "umask";
    NAMES, FLAG => "process_names";
    NAMES, TEXT => "process_name" "vrrp_process_name";
    ONE_PROCESS, TEXT => "checker_process_name" "lvs_process_name" "bfd_process_name";
    ONE_PROCESS, NICE => "checker_priority" "bfd_priority";
    ONE_PROCESS, FLAG => "checker_no_swap" "bfd_no_swap";
    ONE_PROCESS, REALTIME => "checker_rt_priority" "bfd_rt_priority";
    ONE_PROCESS, CPUS => "checker_cpu_affinity" "bfd_cpu_affinity";
    ONE_PROCESS, RTTIME => "checker_rlimit_rttime" "checker_rlimit_rtime" "bfd_rlimit_rttime"
        "bfd_rlimit_rtime";
    BUFFERS, POSITIVE => "vrrp_netlink_cmd_rcv_bufs" "vrrp_netlink_monitor_rcv_bufs"
        "process_monitor_rcv_bufs" "lvs_netlink_cmd_rcv_bufs" "lvs_netlink_monitor_rcv_bufs";
    BUFFERS, SWITCH => "vrrp_netlink_cmd_rcv_bufs_force" "vrrp_netlink_monitor_rcv_bufs_force"
        "process_monitor_rcv_bufs_force" "lvs_netlink_cmd_rcv_bufs_force"
        "lvs_netlink_monitor_rcv_bufs_force";
    BUFFERS, special::RX_POLICY => "vrrp_rx_bufs_policy";
    BUFFERS, POSITIVE => "vrrp_rx_bufs_multiplier";
    global(G::Files(F::StateDump)), words(&[One(Kind::File)]) => "state_dump_file";
    global(G::Files(F::StatsDump)), words(&[One(Kind::File)]) => "stats_dump_file";
    global(G::Files(F::JsonDump)), words(&[One(Kind::File)]) => "json_dump_file";
    global(G::Files(F::JsonVersion)), words(&[One(Kind::Number(1, 2))]) => "json_version";
    global(G::Files(F::DataUseInstance)), SWITCH => "data_use_instance";
    global(G::Files(F::ReloadFile)), words(&[Maybe(Kind::File)]) => "reload_file";
    WithoutEffect("every reload checks the file first, and a wrong one changes nothing"),
        words(&[Maybe(Kind::File)]) => "reload_check_config";
    WithoutEffect("failoverd writes no copy of its configuration"), words(&[One(Kind::File)]) =>
        "config_save_dir" "tmp_config_directory";
    NotYet("reloads at a set time"), words(&[One(Kind::File)]) => "reload_time_file";
    NotYet("reloads at a set time"), FLAG => "reload_repeat";
    SCRIPTS, FLAG => "use_symlink_paths";
    WhileReading, special::INCLUDE_CHECK => "include_check";
    WhileReading, COUNT => "random_seed";
    global(G::IprouteUsrDir), words(&[One(Kind::File)]) => "iproute_usr_dir";
    global(G::IprouteEtcDir), words(&[One(Kind::File)]) => "iproute_etc_dir";
};
