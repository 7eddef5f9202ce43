//! Values of keywords as they are compared and shown.

use std::collections::BTreeMap;

use crate::config::model::{
    Firewall, Password, StaticAddress, Transport, Vip, VipMac, VirtualMac, mac_text,
};
use crate::config::{machine, model, print};

/// Values by keyword.
pub(super) type Fields = BTreeMap<String, Vec<String>>;

#[derive(Default)]
pub(super) struct Values(pub(super) Fields);

impl Values {
    pub(super) fn addresses(&mut self, static_addresses: &[StaticAddress], firewall: &Firewall) {
        let Firewall {
            table,
            priority,
            by_index,
            counters,
        } = firewall;
        let lines = static_addresses.iter().map(|StaticAddress(vip)| words(vip));
        self.list("static_ipaddress", lines);
        self.set("nftables", table);
        self.set("nftables_priority", priority);
        self.set("nftables_ifindex", by_index);
        self.set("nftables_counters", counters);
    }

    /// `kind`: `virtual` or `static`.
    pub(super) fn paths(&mut self, kind: &str, paths: &model::Paths) {
        let model::Paths { routes, rules } = paths;
        self.list(
            &format!("{kind}_routes"),
            routes.iter().map(print::route_line),
        );
        self.list(&format!("{kind}_rules"), rules.iter().map(print::rule_line));
    }

    pub(super) fn process(&mut self, process: &machine::Process) {
        let machine::Process {
            realtime,
            nice,
            cpus,
            rttime,
            umask,
        } = process;
        self.list("vrrp_rt_priority", realtime);
        self.list("vrrp_priority", nice);
        self.list("vrrp_cpu_affinity", cpus);
        self.list("vrrp_rlimit_rttime", rttime);
        self.list("umask", umask.map(|bits| format!("{bits:#o}")));
    }

    pub(super) fn interfaces(&mut self, interfaces: &machine::Interfaces) {
        let machine::Interfaces { dynamic, delays } = interfaces;
        self.list("dynamic_interfaces", dynamic.then_some(true));
        let delays = delays.iter().map(|(name, delays)| {
            format!("{name} {} {}", seconds(delays.down), seconds(delays.up))
        });
        self.list("interface_up_down_delays", delays);
    }

    pub(super) fn set(&mut self, keyword: &str, value: impl ToString) {
        self.list(keyword, [value]);
    }

    /// A keyword without a value is not there.
    pub(super) fn list<T: ToString>(&mut self, keyword: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        if !values.is_empty() {
            self.0.insert(keyword.to_owned(), values);
        }
    }

    pub(super) fn transport(&mut self, transport: &Transport) {
        match transport {
            Transport::Multicast { source } => self.list("mcast_src_ip", source),
            Transport::Unicast {
                source,
                peers,
                check_source,
            } => {
                self.list("unicast_src_ip", source);
                self.list("unicast_peer", peers);
                self.set("check_unicast_src", check_source);
            }
        }
    }

    pub(super) fn announce(&mut self, policy: &model::AnnouncePolicy) {
        let model::AnnouncePolicy {
            repeat,
            delay,
            refresh,
            refresh_repeat,
            lower_prio_repeat,
            lower_prio_delay,
            extra,
        } = policy;
        self.set("garp_master_repeat", repeat);
        self.set("garp_master_delay", seconds(*delay));
        self.list("garp_master_refresh", refresh.map(seconds));
        self.set("garp_master_refresh_repeat", refresh_repeat);
        self.set("garp_lower_prio_repeat", lower_prio_repeat);
        self.set("garp_lower_prio_delay", seconds(*lower_prio_delay));
        self.list("garp_extra_if", extra.map(seconds));
    }

    /// A keyword that is on.
    pub(super) fn flag(&mut self, keyword: &str, on: bool) {
        self.list(keyword, on.then_some(on));
    }
}

pub(super) fn given(span: core::time::Duration) -> Option<core::time::Duration> {
    (!span.is_zero()).then_some(span)
}

pub(super) fn seconds(span: core::time::Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

/// As the line of a virtual_ipaddress block. A VIP that moves between the two
/// blocks is in another list then.
pub(super) fn words(vip: &Vip) -> String {
    let Vip {
        address,
        prefix,
        device,
        broadcast,
        label,
        scope,
        options,
        advertised: _,
    } = vip;
    let mut text = options.beginning(*address, *prefix);
    let mut option = |keyword: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {keyword} {value}"));
        }
    };
    option("dev", device.as_ref().map(ToString::to_string));
    option("brd", broadcast.map(|address| address.to_string()));
    option("label", label.clone());
    option("scope", (*scope != 0).then(|| scope.to_string()));
    text + &options.words()
}

/// FNV-1a, to tell passwords apart without showing them. Not a secret kept
/// well: VRRPv2 sends them in the clear.
pub(super) fn fingerprint(password: &Password) -> String {
    let hash = password
        .0
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
}

/// An interface for VIPs.
pub(super) fn vip_mac(vmac: &VipMac) -> String {
    let VipMac {
        name,
        mac,
        base,
        // It is that of the VIPs, and in the address.
        family: _,
    } = vmac;
    format!("{name} {} on {base}", mac_text(*mac))
}

/// What `use_vmac` and `vmac_xmit_base` say.
pub(super) fn vmac(vmac: &VirtualMac) -> String {
    let VirtualMac {
        name,
        mac,
        xmit_base,
        group,
    } = vmac;
    let mut text = format!("{name} {}", mac_text(*mac));
    if *group != 0 {
        text.push_str(&format!(" group {group}"));
    }
    if *xmit_base {
        text.push_str(" vmac_xmit_base");
    }
    text
}

/// The settings of one that is on.
pub(super) fn fast(fast: &model::FastDetect) -> String {
    let model::FastDetect {
        lease,
        interval,
        multiplier,
        asks,
    } = fast;
    if !asks {
        return "off, but answers until it is Active no more".to_owned();
    }
    let (interval, lease) = (interval.as_micros(), lease.as_millis());
    format!("interval {interval}us multiplier {multiplier} lease {lease}ms")
}
