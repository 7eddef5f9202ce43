//! The flags of one instance, checked all at once.

use std::net::IpAddr;
use std::time::Duration;

use agent_common::{AdvertInterval, Family, Priority, Version, Vrid};

use super::interval::Given;
use super::usage_error::UsageError;
use super::{InstanceArgs, Plan, warning};
use crate::config::model::{AnnouncePolicy, Password, Paths, Transport, V3Checksum};
use crate::config::{
    Code, Config, Diagnostic, Files, IfName, Instance, MAX_PEERS, cut_password, family_of,
    parse_host,
};

/// # Errors
/// All that is wrong, never an empty list.
pub fn plan(args: &InstanceArgs) -> Result<(Plan, Vec<Diagnostic>), Vec<UsageError>> {
    let mut check = Check::default();
    let interface = check.interface(args.iface.as_deref());
    if args.vip.is_empty() {
        if let Some(interface) = interface.filter(|_| check.errors.is_empty()) {
            return Ok((Plan::Monitor(interface), unused_without_vip(args)));
        }
        return Err(check.errors);
    }
    let instance = check.instance(args, interface);
    match instance {
        Some(instance) if check.errors.is_empty() => {
            let config = Config {
                files: Files::default(),
                instances: vec![instance],
                ..Config::default()
            };
            Ok((Plan::Run(Box::new(config)), check.warnings))
        }
        Some(_) | None => Err(check.errors),
    }
}

/// The flags that say nothing to a monitor.
fn unused_without_vip(args: &InstanceArgs) -> Vec<Diagnostic> {
    let given = [
        ("--vrid", args.vrid.is_some()),
        ("--priority", args.priority.is_some()),
        ("--advert-int", args.advert_int.is_some()),
        ("--version", args.version.is_some()),
        ("--unicast-src", args.unicast_src.is_some()),
        ("--unicast-peer", !args.unicast_peer.is_empty()),
        ("--auth-pass", args.auth_pass.is_some()),
        ("--no-preempt", args.no_preempt),
        ("--fast-detect", args.fast_detect),
        ("--fast-interval", args.fast_interval.is_some()),
        ("--fast-multiplier", args.fast_multiplier.is_some()),
        ("--fast-lease", args.fast_lease.is_some()),
    ];
    let names: Vec<_> = given
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "{} without --vip: there is nothing to hold, so this only monitors",
        names.join(", ")
    );
    vec![warning(Code::NoVip, message)]
}

#[derive(Default)]
pub struct Check {
    pub errors: Vec<UsageError>,
    pub warnings: Vec<Diagnostic>,
}

impl Check {
    /// `None` only with an error.
    fn instance(&mut self, args: &InstanceArgs, interface: Option<IfName>) -> Option<Instance> {
        let vrid = self.vrid(args.vrid.as_deref());
        let priority = self.priority(args.priority.as_deref());
        let vips = self.vips(&args.vip);
        let family = family_of(vips.first()?.address);
        let (version, interval) = self.version_and_interval(args, family);
        let transport = self.transport(args, family);
        let password = self.password(args, version, family);
        let preempt = self.preempt(args.no_preempt, priority);
        let fast_detect = self.fast_detect(args);
        Some(Instance {
            name: "VI_1".to_owned(),
            interface: interface?,
            vrid: vrid?,
            version,
            family,
            priority,
            interval,
            preempt,
            preempt_delay: Duration::ZERO,
            down_factor: 3,
            assert_on_lower: true,
            higher_prio_send_advert: true,
            owner_ignores: false,
            transport,
            password,
            v3_checksum: V3Checksum::PseudoHeader,
            announce: AnnouncePolicy::default(),
            packets: Default::default(),
            paces: Vec::new(),
            vips,
            accept: true,
            promote_secondaries: false,
            tracked_addresses: Vec::new(),
            notify: Default::default(),
            track_interfaces: Vec::new(),
            tracks: Vec::new(),
            group: None,
            paths: Paths::default(),
            track_primary: true,
            fast_detect,
            virtual_mac: None,
            vip_macs: Vec::new(),
        })
    }

    fn interface(&mut self, given: Option<&str>) -> Option<IfName> {
        let Some(text) = given else {
            self.errors.push(UsageError::NoInterface);
            return None;
        };
        let name = IfName::new(text);
        if name.is_none() {
            self.errors.push(UsageError::BadInterface(text.to_owned()));
        }
        name
    }

    fn vrid(&mut self, given: Option<&str>) -> Option<Vrid> {
        let Some(text) = given else {
            self.errors.push(UsageError::NoVrid);
            return None;
        };
        let vrid = text.parse().ok().and_then(Vrid::new);
        if vrid.is_none() {
            self.errors.push(UsageError::BadVrid(text.to_owned()));
        }
        vrid
    }

    fn priority(&mut self, given: Option<&str>) -> Priority {
        let Some(text) = given else {
            return Priority::DEFAULT;
        };
        match text.parse().map(Priority) {
            Ok(priority) if !priority.is_release() => priority,
            Ok(_) | Err(_) => {
                self.errors.push(UsageError::BadPriority(text.to_owned()));
                Priority::DEFAULT
            }
        }
    }

    fn version_and_interval(
        &mut self,
        args: &InstanceArgs,
        family: Family,
    ) -> (Version, AdvertInterval) {
        let text = args.advert_int.as_deref();
        let given = text.and_then(Given::parse);
        let version = match (args.version.as_deref(), family) {
            (Some("2"), Family::V6) => {
                self.errors.push(UsageError::Version2WithIpv6);
                Version::V3
            }
            (Some("2"), Family::V4) => Version::V2,
            (Some("3"), _) | (None, Family::V6) => Version::V3,
            (None, Family::V4) if given.is_some_and(Given::is_sub_second) => Version::V3,
            (None, Family::V4) => Version::V2,
            (Some(other), _) => {
                self.errors.push(UsageError::BadVersion(other.to_owned()));
                Version::V3
            }
        };
        let interval = match (text, given) {
            (None, _) => AdvertInterval::DEFAULT,
            (Some(text), None) => {
                self.errors.push(UsageError::BadInterval(text.to_owned()));
                AdvertInterval::DEFAULT
            }
            (Some(text), Some(given)) => given.interval(version).unwrap_or_else(|| {
                self.errors.push(match version {
                    Version::V2 => UsageError::IntervalV2(text.to_owned()),
                    Version::V3 => UsageError::IntervalV3(text.to_owned()),
                });
                AdvertInterval::DEFAULT
            }),
        };
        (version, interval)
    }

    fn address(&mut self, flag: &'static str, text: &str, vips: Family) -> Option<IpAddr> {
        match parse_host(text) {
            Ok(address) if family_of(address) == vips => Some(address),
            Ok(address) => {
                self.errors.push(UsageError::UnicastFamily {
                    flag,
                    address,
                    vips,
                });
                None
            }
            Err(why) => {
                self.errors.push(UsageError::BadAddress {
                    flag,
                    text: text.to_owned(),
                    why,
                });
                None
            }
        }
    }

    fn transport(&mut self, args: &InstanceArgs, family: Family) -> Transport {
        let given = args.unicast_src.as_deref();
        let source = given.and_then(|text| self.address("--unicast-src", text, family));
        if args.unicast_peer.is_empty() {
            if given.is_some() {
                self.errors.push(UsageError::NoPeers);
            }
            return Transport::Multicast { source: None };
        }
        let mut peers: Vec<IpAddr> = Vec::new();
        for text in &args.unicast_peer {
            let Some(peer) = self.address("--unicast-peer", text, family) else {
                continue;
            };
            if Some(peer) == source {
                self.errors.push(UsageError::PeerIsSource(peer));
            } else if peers.contains(&peer) {
                let message = format!("--unicast-peer {peer} is given twice");
                self.warnings.push(warning(Code::Duplicate, message));
            } else {
                peers.push(peer);
            }
        }
        if peers.len() > MAX_PEERS {
            self.errors
                .push(UsageError::TooManyPeers { count: peers.len() });
        }
        Transport::Unicast {
            source,
            peers,
            check_source: true,
        }
    }

    fn password(
        &mut self,
        args: &InstanceArgs,
        version: Version,
        family: Family,
    ) -> Option<Password> {
        let text = &args.auth_pass.as_ref()?.0;
        if version == Version::V3 {
            let why = match (args.version.as_deref(), family) {
                (Some("3"), _) => "--version 3 is given",
                (_, Family::V6) => "IPv6 is always version 3",
                // The value of --version is wrong, and reported as that.
                (Some(_), Family::V4) => return None,
                (None, Family::V4) => "an interval of less than a second selects version 3",
            };
            self.errors.push(UsageError::PasswordWithV3(why));
        }
        if text.is_empty() {
            self.errors.push(UsageError::EmptyPassword);
        }
        let (password, truncated) = cut_password(text);
        if truncated {
            let message = "--auth-pass is longer than 8 bytes; the first 8 are used".to_owned();
            self.warnings
                .push(warning(Code::PasswordTruncated, message));
        }
        Some(password)
    }

    fn preempt(&mut self, no_preempt: bool, priority: Priority) -> bool {
        if no_preempt && priority.is_owner() {
            let message = "--no-preempt has no effect with --priority 255: the owner of the address always preempts".to_owned();
            self.warnings.push(warning(Code::Conflict, message));
            return true;
        }
        !no_preempt
    }
}
