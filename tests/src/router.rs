//! What a virtual router is configured with, for whichever daemon runs it.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;

use crate::process::{Line, Process};

/// One virtual router on one machine. Starts from [`VirtualRouter::new`], and
/// the fields are changed from there.
#[derive(Clone, Debug)]
pub struct VirtualRouter {
    /// Name of the instance in logs and configurations.
    pub name: String,
    pub interface: String,
    pub vrid: u8,
    pub priority: u8,
    /// Address and prefix length.
    pub vips: Vec<(IpAddr, u8)>,
    pub interval: Duration,
    pub version: u8,
    pub preempt: bool,
    /// Own address and those of the peers, in unicast mode.
    pub unicast: Option<(IpAddr, Vec<IpAddr>)>,
    /// Authentication type 1 of version 2.
    pub password: Option<String>,
    /// With the kernel heartbeat, which only the agent has.
    pub heartbeat: bool,
}

impl VirtualRouter {
    /// VRID 51 on eth0, version 3, 1 s, multicast.
    pub fn new(priority: u8, vip: IpAddr) -> Self {
        let length = if vip.is_ipv4() { 24 } else { 64 };
        Self {
            name: "VI_1".to_owned(),
            interface: "eth0".to_owned(),
            vrid: 51,
            priority,
            vips: vec![(vip, length)],
            interval: Duration::from_secs(1),
            version: 3,
            preempt: true,
            unicast: None,
            password: None,
            heartbeat: false,
        }
    }

    /// The same with another advertisement interval.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The arguments of `failoverd run`.
    pub fn agent_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["run".to_owned()];
        let mut put = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        put("--iface", self.interface.clone());
        put("--vrid", self.vrid.to_string());
        put("--priority", self.priority.to_string());
        for (address, length) in &self.vips {
            put("--vip", format!("{address}/{length}"));
        }
        put("--advert-int", format!("{}ms", self.interval.as_millis()));
        put("--version", self.version.to_string());
        if let Some((source, peers)) = &self.unicast {
            put("--unicast-src", source.to_string());
            for peer in peers {
                put("--unicast-peer", peer.to_string());
            }
        }
        if let Some(password) = &self.password {
            put("--auth-pass", password.clone());
        }
        if !self.preempt {
            arguments.push("--no-preempt".to_owned());
        }
        if self.heartbeat {
            arguments.push("--fast-detect".to_owned());
        }
        arguments
    }

    /// A keepalived.conf with this one instance.
    pub fn keepalived_conf(&self) -> String {
        let mut conf = format!(
            "global_defs {{\n  router_id lab\n  vrrp_version {}\n}}\n\
             vrrp_instance {} {{\n  interface {}\n  state BACKUP\n  virtual_router_id {}\n  \
             priority {}\n  advert_int {}\n",
            self.version,
            self.name,
            self.interface,
            self.vrid,
            self.priority,
            self.interval.as_secs_f64(),
        );
        if !self.preempt {
            conf.push_str("  nopreempt\n");
        }
        if let Some((source, peers)) = &self.unicast {
            conf.push_str(&format!("  unicast_src_ip {source}\n  unicast_peer {{\n"));
            for peer in peers {
                conf.push_str(&format!("    {peer}\n"));
            }
            conf.push_str("  }\n");
        }
        if let Some(password) = &self.password {
            conf.push_str(&format!(
                "  authentication {{\n    auth_type PASS\n    auth_pass {password}\n  }}\n"
            ));
        }
        conf.push_str("  virtual_ipaddress {\n");
        for (address, length) in &self.vips {
            conf.push_str(&format!("    {address}/{length}\n"));
        }
        conf.push_str("  }\n}\n");
        conf
    }
}

/// What a log of keepalived or of the agent says that an instance is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// MASTER in both logs.
    Active,
    Backup,
    Fault,
}

impl State {
    /// The word in keepalived's log lines, which the agent shares.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
        }
    }

    const ALL: [Self; 3] = [Self::Active, Self::Backup, Self::Fault];
}

/// A change of state as the log told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// When the lab read the line, CLOCK_MONOTONIC nanoseconds.
    pub time: u64,
    pub state: State,
}

/// The transitions of instance `name` in a log.
pub fn transitions(lines: &[Line], name: &str) -> Vec<Transition> {
    let of_line = |line: &Line| {
        let state = State::ALL.into_iter().find(|state| {
            line.text
                .contains(&format!("({name}) Entering {} STATE", state.word()))
        })?;
        Some(Transition {
            time: line.time,
            state,
        })
    };
    lines.iter().filter_map(of_line).collect()
}

/// A running daemon with one virtual router.
pub trait Router {
    fn process(&self) -> &Process;

    fn process_mut(&mut self) -> &mut Process;

    /// The name of its instance.
    fn instance(&self) -> &str;

    /// Reads the changes of state out of its log.
    fn transitions_in(&self, lines: &[Line]) -> Vec<Transition> {
        transitions(lines, self.instance())
    }

    /// All changes of state so far.
    fn transitions(&self) -> Vec<Transition> {
        self.transitions_in(&self.process().lines())
    }

    /// Where it is now, `None` before its first transition.
    fn state(&self) -> Option<State> {
        self.transitions().last().map(|transition| transition.state)
    }

    /// Waits until it is in `state`; the transition that brought it there.
    ///
    /// # Errors
    /// When it is not `within` that time.
    fn wait_state(&self, state: State, within: Duration) -> Result<Transition> {
        let what = format!("state {}", state.word());
        self.process().wait_lines(&what, within, |lines| {
            self.transitions_in(lines)
                .pop()
                .filter(|last| last.state == state)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_are_those_of_the_named_instance() {
        let line = |time, text: &str| Line {
            time,
            text: text.to_owned(),
        };
        let lines = [
            line(1, "Nov 20 (VI_1) Entering BACKUP STATE (init)"),
            line(2, "Nov 20 (VI_2) Entering MASTER STATE"),
            line(3, "Nov 20 (VI_1) Entering MASTER STATE"),
        ];
        let expected = [
            Transition {
                time: 1,
                state: State::Backup,
            },
            Transition {
                time: 3,
                state: State::Active,
            },
        ];
        assert_eq!(transitions(&lines, "VI_1"), expected);
    }
}
