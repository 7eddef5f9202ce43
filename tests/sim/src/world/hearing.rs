//! A frame at a router: its parser, its kernel side, its process. And the
//! switch between them.

use std::{cmp::Reverse, net::IpAddr};

use agent_common::{
    KernelTime, Priority, Version,
    outcome::Outcome,
    record::{AdvertRecord, InstanceFilter},
};
use failoverd::core::Advert as Heard;

use super::{Event, World};
use crate::{
    check::Rule,
    network::{Advert, Bend, Frame, Port},
    node::{Brain, address},
    wire,
};

impl World {
    /// The switch learns which port a virtual MAC address is at.
    pub(super) fn switch(&mut self, from: Port, frame: &Frame) {
        let instance = match frame {
            Frame::Advert(advert) => advert.instance,
            Frame::Garp { instance, .. } => *instance,
            // From a router's own MAC address.
            Frame::Probe(_) => return,
        };
        self.learned[instance] = match from {
            Port::Router(router) => Some(router),
            Port::Host(_) | Port::Attacker => None,
        };
    }

    pub(super) fn hear(&mut self, router: usize, advert: Advert) {
        let node = &self.nodes[router];
        if !node.plight.is_linked() || node.brain.is_none() {
            return;
        }
        let now = node.local(self.now);
        let setting = &self.schedule.setting;
        let filters = &node.kernel.filters;
        let verdict = wire::read(setting, &advert, node.spec.host, filters, now.0);
        self.check_verdict(router, &advert, &verdict);
        self.nodes[router].kernel.received += 1;
        let Ok((instance, record)) = verdict else {
            self.nodes[router].kernel.refused += 1;
            return;
        };
        let Some(heard) = Heard::from_record(&record) else {
            return;
        };
        let woken = match &self.nodes[router].brain {
            Some(Brain::Agent(_)) => self.hear_as_agent(router, instance, heard),
            Some(Brain::Reference(_)) => {
                let node = &mut self.nodes[router];
                node.kernel.taken += 1;
                // As deep as a socket's buffer.
                if node.inbox.len() < 256 && advert.host != node.spec.host {
                    node.inbox.push_back(advert);
                }
                true
            }
            None => false,
        };
        if woken {
            self.signal(router);
        }
    }

    fn hear_as_agent(&mut self, router: usize, instance: usize, heard: Heard) -> bool {
        let node = &mut self.nodes[router];
        let own = Priority(node.priority[instance]);
        let book = &mut self.books[router][instance];
        // A farewell in our own name is no farewell.
        if heard.source != node.address(instance) || !heard.priority.is_release() {
            book.hear(&heard, own, node.spec.preempt);
        }
        book.accepted += 1;
        let before = node.kernel.dropped;
        let woken = node.kernel.receive(instance, heard);
        book.dropped += node.kernel.dropped - before;
        woken
    }

    /// What has been sent to a router and has not arrived.
    fn coming(&self, to: usize) -> impl Iterator<Item = Frame> {
        self.queue.iter().filter_map(move |Reverse((_, _, event))| {
            let Event::Deliver { to: port, what } = *event else {
                return None;
            };
            (port == Port::Router(to)).then(|| self.frames[what])
        })
    }

    /// Adverts from `source` that have been sent to a router and have not
    /// arrived.
    pub fn under_way(
        &self,
        to: usize,
        source: IpAddr,
        instance: usize,
    ) -> impl Iterator<Item = Advert> {
        let family = self.schedule.setting.family[instance];
        self.coming(to).filter_map(move |frame| match frame {
            Frame::Advert(advert) => {
                let counts = advert.instance == instance && !advert.priority.is_release();
                (counts && address(advert.host, family) == source).then_some(advert)
            }
            Frame::Garp { .. } | Frame::Probe(_) => None,
        })
    }

    /// Whether `source` has said something that a router's heartbeat has not
    /// read: it waits in the socket, or is under way.
    pub fn is_answer_unread(&self, to: usize, source: IpAddr, instance: usize) -> bool {
        let node = &self.nodes[to];
        let own = node.address(instance);
        let waits = node.kernel.answers.iter().any(|(from, _)| *from == source);
        waits
            || self.coming(to).any(|frame| match frame {
                Frame::Probe(datagram) => {
                    datagram.said(own).is_some_and(|(from, _)| from == source)
                }
                Frame::Garp { .. } | Frame::Advert(_) => false,
            })
    }

    /// 6, 24: an advert is taken for what it is, and nothing else for one.
    fn check_verdict(
        &mut self,
        router: usize,
        advert: &Advert,
        verdict: &Result<(usize, AdvertRecord), Outcome>,
    ) {
        let node = &self.nodes[router];
        let setting = &self.schedule.setting;
        let filter = &node.kernel.filters[advert.instance];
        let fair = match (advert.bend, verdict) {
            (bend, Ok(_)) if bend.is_refused(setting.unicast) => false,
            (_, Ok((instance, record))) => {
                let source = node_address(setting, advert);
                let meant = (advert.instance, advert.priority.get(), source);
                let centis = (advert.interval.centis(), KernelTime(record.stamp_ns));
                meant == (*instance, record.priority, record.source)
                    && centis == (record.interval_cs, node.local(self.now))
            }
            (Bend::Straight, Err(outcome)) => self.may_refuse(advert, filter, *outcome),
            (_, Err(_)) => true,
        };
        if !fair {
            let what = format!("{advert:?}: {verdict:?}");
            self.fail(Rule::DiscardPurity, Some(router), what);
        }
    }

    /// Why a whole advert may be refused.
    fn may_refuse(&self, advert: &Advert, filter: &InstanceFilter, outcome: Outcome) -> bool {
        let setting = &self.schedule.setting;
        let source = node_address(setting, advert);
        let centis = u32::from(advert.interval.centis());
        let other = u32::from(filter.v2_seconds) * 100 != centis;
        let stranger = !setting.peers.contains(&advert.host);
        (outcome == Outcome::OwnSource && source == filter.own)
            || (outcome == Outcome::IntervalMismatch && setting.version == Version::V2 && other)
            || (outcome == Outcome::UnknownPeer && setting.unicast && stranger)
    }
}

fn node_address(setting: &crate::schedule::Setting, advert: &Advert) -> [u8; 16] {
    let family = setting.family[advert.instance];
    let address = crate::node::address(advert.host, family);
    agent_common::wire::frame::wire_address(address)
}
