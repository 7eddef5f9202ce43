//! Reports of the fast lane as log lines, in the words that people grep for.
//!
//! State changes are worded as keepalived words them.

use std::{collections::BTreeMap, io};

use agent_common::{KernelTime, record::SLOTS};
use tracing::{error, info, warn};

use super::{
    process::warn_refused,
    words::{self, Weight, Words},
};

use crate::{
    config::Instance,
    core::{Cause, GroupId, InstanceId, State},
    io::{lane::Report, sched::Entered},
};

/// Adverts that fail come at the pace of adverts: one line per instance in
/// this many seconds.
const FAILURE_PAUSE_SECONDS: u64 = 10;

/// Writes reports to the log.
#[derive(Debug)]
pub struct Reporter {
    instances: Vec<Option<Instance>>,
    last_failure: Vec<Option<KernelTime>>,
    groups: BTreeMap<GroupId, String>,
}

impl Reporter {
    pub fn new() -> Self {
        Self {
            instances: vec![None; SLOTS],
            last_failure: vec![None; SLOTS],
            groups: BTreeMap::new(),
        }
    }

    /// What lines about an instance call it and its VIPs from now on.
    pub fn name_it(&mut self, id: InstanceId, instance: &Instance) {
        let index = usize::from(id.0).wrapping_sub(1);
        if let Some(known) = self.instances.get_mut(index) {
            *known = Some(instance.clone());
        }
    }

    pub(super) fn instance(&self, id: InstanceId) -> Option<&Instance> {
        let index = usize::from(id.0).wrapping_sub(1);
        self.instances.get(index)?.as_ref()
    }

    pub(super) fn vip(&self, id: InstanceId, vip: u16) -> String {
        let vips = self.instance(id).map_or(&[][..], |own| &own.vips);
        vips.get(usize::from(vip))
            .map_or_else(|| format!("number {vip}"), |vip| vip.address.to_string())
    }

    pub(super) fn name(&self, id: InstanceId) -> &str {
        self.instance(id).map_or("?", |own| own.name.as_str())
    }

    /// Logs one report; `now` only limits repeated failures.
    pub fn log(&mut self, report: &Report, now: KernelTime) {
        match report {
            Report::Transition {
                id,
                from,
                to,
                cause,
                at: _,
            } => {
                transition(self.name(*id), self.instance(*id), *from, *to, cause);
            }
            Report::GroupTransition { group, to, at: _ } => self.group_transition(*group, *to),
            Report::PriorityChanged { id, from, to } => info!(
                instance = self.name(*id),
                "({}) Changing effective priority from {from} to {to}",
                self.name(*id)
            ),
            Report::Notice { id, notice } => {
                line(
                    self.name(*id),
                    &words::notice(notice, |vip| self.vip(*id, vip)),
                );
            }
            Report::Heart { id, active, news } => {
                line(self.name(*id), &words::heart(news, *active));
            }
            Report::WentDown { .. } | Report::LinkGone { .. } | Report::TookOver => {}
            Report::StrayRemoved { id, address } => {
                if self.may_log_failure(*id, now) {
                    warn!(
                        instance = self.name(*id),
                        "({}) somebody added VIP {address} while we are not Active: removed",
                        self.name(*id)
                    );
                }
            }
            Report::AdvertFailed {
                id,
                priority,
                errno,
            } => {
                if self.may_log_failure(*id, now) {
                    let reason = os_error(*errno);
                    warn!(
                        instance = self.name(*id),
                        "({}) cannot send advert with priority {priority}: {reason}",
                        self.name(*id)
                    );
                }
            }
            Report::AddressesRefused { id, failed, errno } => {
                let what = match *failed {
                    u32::MAX => "address changes".to_owned(),
                    count => format!("{count} address changes"),
                };
                error!(
                    instance = self.name(*id),
                    "({}) the kernel refused {what}: {}",
                    self.name(*id),
                    os_error(*errno)
                );
            }
            Report::PathsRefused {
                id,
                path,
                failed,
                errno,
            } => self.paths_refused(*id, *path, *failed, *errno),
            Report::PathsRestored { id, count } => warn!(
                instance = self.name(*id),
                "({}) routes or rules were gone from the kernel: {count} put back",
                self.name(*id)
            ),
            Report::AnnounceFailed { id, errno } => {
                if self.may_log_failure(*id, now) {
                    warn!(
                        instance = self.name(*id),
                        "({}) cannot send GARP or NA: {}",
                        self.name(*id),
                        os_error(*errno)
                    );
                }
            }
            Report::Privileges(Entered {
                tid: _,
                fifo_errno,
                lock_errno,
                cpus_errno,
                confined: _,
            }) => {
                if *cpus_errno != 0 {
                    warn_refused("vrrp_cpu_affinity", &os_error(*cpus_errno));
                }
                if *fifo_errno != 0 {
                    warn!(
                        "fast lane runs at ordinary priority, SCHED_FIFO was refused: {}; \
                         a busy machine will be slower to notice",
                        os_error(*fifo_errno)
                    );
                }
                if *lock_errno != 0 {
                    warn!("memory is not locked: {}", os_error(*lock_errno));
                }
            }
            // Refused as the fast lane's, which was said.
            Report::HandsPrivileges(_) => {}
            Report::HandsWait { span } => warn!(
                "the kernel has not carried out a change of addresses for {:.1} s: another \
                 program holds its lock on interfaces (RTNL); adverts go on",
                span.as_secs_f32()
            ),
            Report::HandsGoOn { span } => warn!(
                "the kernel goes on with changes of addresses, after {:.1} s",
                span.as_secs_f32()
            ),
            Report::Released { id } => info!(
                instance = self.name(*id),
                "({}) sent 0 priority",
                self.name(*id)
            ),
            // See `refusals`, `fence` and `flight`.
            Report::Refused(_)
            | Report::Flight(_)
            | Report::Step(_)
            | Report::LeaseLapsed { .. } => {}
            Report::Overrun => warn!("netlink announcements were lost, asking for everything"),
        }
    }

    fn group_transition(&self, group: GroupId, to: State) {
        let name = self.group_name(group);
        let state = match to {
            State::Active => "MASTER",
            State::Backup => "BACKUP",
            State::Initialize => "FAULT",
        };
        info!("VRRP_Group({name}) Syncing instances to {state} state");
    }

    /// What lines about a sync group call it from now on.
    pub fn name_group(&mut self, group: GroupId, name: &str) {
        self.groups.insert(group, name.to_owned());
    }

    fn group_name(&self, group: GroupId) -> &str {
        self.groups.get(&group).map_or("?", String::as_str)
    }

    /// Names the first of them, so that it can be found in the file.
    fn paths_refused(&self, id: InstanceId, path: Option<u16>, failed: u32, errno: i32) {
        let paths = self.instance(id).map(|own| &own.paths);
        let line = path
            .zip(paths)
            .and_then(|(number, paths)| paths.line(number));
        let name = self.name(id);
        let more = match (failed, &line) {
            (u32::MAX, _) | (_, None) => String::new(),
            (1, Some(_)) => String::new(),
            (count, Some(_)) => format!(" and {} more", count.saturating_sub(1)),
        };
        error!(
            instance = name,
            "({name}) the kernel refused {}{more}: {}",
            line.unwrap_or_else(|| "routes and rules".to_owned()),
            os_error(errno)
        );
    }

    fn may_log_failure(&mut self, id: InstanceId, now: KernelTime) -> bool {
        let index = usize::from(id.0).wrapping_sub(1);
        let Some(last) = self.last_failure.get_mut(index) else {
            return true;
        };
        let due = last.is_none_or(|last| now.since(last).as_secs() >= FAILURE_PAUSE_SECONDS);
        if due {
            *last = Some(now);
        }
        due
    }
}

fn os_error(errno: i32) -> String {
    match errno {
        0 => "no reason given".to_owned(),
        errno => io::Error::from_raw_os_error(errno).to_string(),
    }
}

/// Adverts on this link have no room for all VIPs.
pub fn surplus(name: &str, surplus: usize, interface: &str) {
    warn!(
        "({name}) adverts on {interface} have no room for the last {surplus} VIPs: \
         these are held, but not advertised"
    );
}

/// An instance that was never up, or is kept down by something else now.
pub fn still_down(name: &str, why: &str, entering: bool) {
    warn!(instance = name, "({name}) {why}");
    if entering {
        info!(
            instance = name,
            state = "FAULT",
            "({name}) Entering FAULT STATE"
        );
    }
}

fn line(name: &str, words: &Words) {
    let text = &words.text;
    if text.is_empty() {
        return;
    }
    match words.weight {
        Weight::Info => info!(instance = name, "({name}) {text}"),
        Weight::Warning => warn!(instance = name, "({name}) {text}"),
        Weight::Error => error!(instance = name, "({name}) {text}"),
    }
}

fn transition(name: &str, instance: Option<&Instance>, from: State, to: State, cause: &Cause) {
    line(name, &words::cause(cause, instance));
    match (from, to) {
        (_, State::Active) => info!(
            instance = name,
            state = "MASTER",
            "({name}) Entering MASTER STATE"
        ),
        (State::Initialize, State::Backup) => info!(
            instance = name,
            state = "BACKUP",
            "({name}) Entering BACKUP STATE (init)"
        ),
        (_, State::Backup) => info!(
            instance = name,
            state = "BACKUP",
            "({name}) Entering BACKUP STATE"
        ),
        (_, State::Initialize) => match cause {
            Cause::Shutdown => info!(instance = name, state = "STOP", "({name}) Stopped"),
            _ => info!(
                instance = name,
                state = "FAULT",
                "({name}) Entering FAULT STATE"
            ),
        },
    }
}
