//! FRR's vrrpd as a peer (VRRPv3 and v2, with a virtual MAC on a macvlan).
//!
//! FRR does not make its macvlan: the operator does, with the virtual router's
//! MAC and addresses, and vrrpd finds it by these.

use std::{net::IpAddr, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::{Line, Process},
    router::{Router, State, Transition, VirtualRouter},
    wait::eventually,
};

/// Where Debian and FRR's own packages put the daemons.
const DIRECTORIES: [&str; 2] = ["/usr/lib/frr", "/usr/libexec/frr"];

/// Zebra and vrrpd in a namespace, with one virtual router.
#[derive(Debug)]
pub struct Frr {
    vrrpd: Process,
    _zebra: Process,
    instance: String,
    vrid: u8,
    _directory: TempDir,
}

/// Path of one of FRR's daemons.
pub fn daemon(name: &str) -> Option<String> {
    let paths = DIRECTORIES
        .into_iter()
        .map(|directory| format!("{directory}/{name}"));
    paths.into_iter().find(|path| Path::new(path).is_file())
}

/// Why FRR cannot run here, for [`crate::privilege::ready`].
pub fn missing() -> Option<String> {
    if daemon("vrrpd").is_none() {
        return Some("FRR's vrrpd is not installed (cargo xtask setup --tests)".to_owned());
    }
    crate::privilege::missing_link_type("macvlan")
}

impl Frr {
    /// Makes the macvlan of the virtual router and starts both daemons.
    ///
    /// # Errors
    /// When FRR is missing or does not start; for unicast, passwords and
    /// several families in one router, which it does not have.
    pub fn start(ns: &Netns, router: &VirtualRouter) -> Result<Self> {
        if router.unicast.is_some() || router.password.is_some() {
            bail!("FRR's vrrpd has neither unicast nor authentication");
        }
        let directory = tempfile::Builder::new().prefix("lab-frr").tempdir()?;
        // The daemons change to a user of their own before they write there.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777))?;
        make_macvlan(ns, router)?;
        let zebra = start(ns, directory.path(), "zebra", "log stdout\n")?;
        let socket = directory.path().join("zserv");
        eventually(Duration::from_secs(10), "zebra's socket", || {
            socket.exists().then_some(())
        })?;
        let vrrpd = start(ns, directory.path(), "vrrpd", &conf(router))?;
        Ok(Self {
            vrrpd,
            _zebra: zebra,
            instance: router.name.clone(),
            vrid: router.vrid,
            _directory: directory,
        })
    }
}

fn make_macvlan(ns: &Netns, router: &VirtualRouter) -> Result<()> {
    let (first, _) = router
        .vips
        .first()
        .context("a virtual router without addresses")?;
    // RFC 9568 7.3: 00-00-5E-00-01-{VRID}, and -02- for IPv6.
    let (family, kind) = if first.is_ipv4() { (4, 1) } else { (6, 2) };
    let name = format!("vrrp{family}-{}", router.vrid);
    ns.sh(&format!(
        "ip link add {name} link {} address 00:00:5e:00:0{kind}:{:02x} type macvlan mode bridge",
        router.interface, router.vrid
    ))?;
    // Its link-local address must not be made of the virtual MAC.
    ns.sh(&format!("ip link set dev {name} addrgenmode random"))?;
    for (address, length) in &router.vips {
        let nodad = if address.is_ipv6() { "nodad" } else { "" };
        ns.sh(&format!(
            "ip addr add {address}/{length} dev {name} {nodad}"
        ))?;
    }
    // Otherwise Linux answers for the VIP from the link below as well, also
    // while FRR is Backup, and we rightly say so.
    let below = &router.interface;
    ns.sysctl(&format!("net/ipv4/conf/{below}/arp_ignore"), "1")?;
    ns.sh(&format!("ip link set {name} up")).map(drop)
}

fn conf(router: &VirtualRouter) -> String {
    let vrid = router.vrid;
    let mut conf = format!(
        "log stdout debugging\ndebug vrrp\ninterface {}\n vrrp {vrid} version {}\n \
         vrrp {vrid} priority {}\n vrrp {vrid} advertisement-interval {}\n",
        router.interface,
        router.version,
        router.priority,
        router.interval.as_millis(),
    );
    if !router.preempt {
        conf.push_str(&format!(" no vrrp {vrid} preempt\n"));
    }
    for (address, _) in &router.vips {
        let keyword = match address {
            IpAddr::V4(_) => "ip",
            IpAddr::V6(_) => "ipv6",
        };
        conf.push_str(&format!(" vrrp {vrid} {keyword} {address}\n"));
    }
    conf
}

fn start(ns: &Netns, directory: &Path, name: &str, conf: &str) -> Result<Process> {
    let program = daemon(name).with_context(|| format!("FRR's {name} is not installed"))?;
    let file = directory.join(format!("{name}.conf"));
    std::fs::write(&file, conf).context("configuration of FRR")?;
    let mut command = ns.command(&program);
    command.arg("-f").arg(&file);
    command.arg("-i").arg(directory.join(format!("{name}.pid")));
    command.arg("-z").arg(directory.join("zserv"));
    command.arg("--vty_socket").arg(directory);
    command.args(["-A", "127.0.0.1", "--log", "stdout"]);
    Process::start(name, &mut command)
}

impl Router for Frr {
    fn process(&self) -> &Process {
        &self.vrrpd
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.vrrpd
    }

    fn instance(&self) -> &str {
        &self.instance
    }

    fn transitions_in(&self, lines: &[Line]) -> Vec<Transition> {
        let vrid = format!("[VRID {}]", self.vrid);
        let of_line = |line: &Line| {
            let (_, state) = line
                .text
                .contains(&vrid)
                .then(|| line.text.split_once(" -> "))??;
            let state = match state.trim() {
                "Master" => State::Active,
                "Backup" => State::Backup,
                "Initialize" => State::Fault,
                _ => return None,
            };
            Some(Transition {
                time: line.time,
                state,
            })
        };
        lines.iter().filter_map(of_line).collect()
    }
}
