//! Links that go down and come back are taken as they were for the time that
//! `interface_up_down_delays` gives them.
//!
//! Between two surveys (some milliseconds) a bounce can go unseen. That is a
//! change which nobody saw, not one that counts too early.

use std::{collections::BTreeMap, time::Duration};

use agent_common::KernelTime;
use tokio::time::Instant;

use crate::{
    config::{IfName, machine::Interfaces},
    io::{clock, netlink::survey::World},
};

/// What counts of the links that have a delay.
#[derive(Debug, Default)]
pub(super) struct Debounce(BTreeMap<IfName, Settling>);

#[derive(Clone, Copy, Debug)]
struct Settling {
    ifindex: u32,
    /// What counts.
    usable: bool,
    /// Since when the link is otherwise.
    differs_since: Option<Instant>,
}

impl Debounce {
    pub fn all(&self) -> impl Iterator<Item = (&IfName, Debounced)> {
        let (now, then) = (clock::now(), clock::instant());
        self.0.iter().map(move |(name, settling)| {
            let since = settling.differs_since;
            let since = since.map(|since| then.saturating_duration_since(since.into_std()));
            let debounced = Debounced {
                ifindex: settling.ifindex,
                usable: settling.usable,
                since: since.map(|ago| now.before(ago)),
            };
            (name, debounced)
        })
    }

    /// Goes on as a predecessor did.
    pub fn inherit(&mut self, settling: Vec<(IfName, Debounced)>) {
        let (now, then) = (clock::now(), Instant::from_std(clock::instant()));
        let settling = settling.into_iter().map(|(name, found)| {
            let since = found.since.map(|since| then.checked_sub(now.since(since)));
            let settling = Settling {
                ifindex: found.ifindex,
                usable: found.usable,
                differs_since: since.map(|since| since.unwrap_or(then)),
            };
            (name, settling)
        });
        self.0.extend(settling);
    }

    /// Puts what counts in the place of what is. When the next delay ends, if
    /// one is under way.
    pub fn settle(
        &mut self,
        world: &mut World,
        interfaces: &Interfaces,
        now: Instant,
    ) -> Option<Instant> {
        self.0
            .retain(|name, _| interfaces.delays.contains_key(name));
        let mut next: Option<Instant> = None;
        for (name, delays) in &interfaces.delays {
            let found = world
                .links
                .iter_mut()
                .find(|link| link.name == name.as_str());
            let Some(link) = found else {
                self.0.remove(name);
                continue;
            };
            // The first sight counts at once, as does another link of the name.
            let fresh = Settling {
                ifindex: link.ifindex,
                usable: link.usable,
                differs_since: None,
            };
            let settling = self.0.entry(name.clone()).or_insert(fresh);
            if settling.ifindex != link.ifindex {
                *settling = fresh;
            }
            let delay = match link.usable {
                true => delays.up,
                false => delays.down,
            };
            if let Some(until) = settling.until(link.usable, delay, now) {
                next = Some(next.map_or(until, |next| next.min(until)));
            }
            link.usable = settling.usable;
            link.patient = !delays.down.is_zero();
        }
        next
    }
}

/// As one agent tells it to the next.
#[derive(Clone, Copy, Debug)]
pub struct Debounced {
    pub ifindex: u32,
    pub usable: bool,
    pub since: Option<KernelTime>,
}

impl Settling {
    /// Takes note of how the link is; until when that does not count.
    fn until(&mut self, usable: bool, delay: Duration, now: Instant) -> Option<Instant> {
        if usable == self.usable {
            self.differs_since = None;
            return None;
        }
        let until = *self.differs_since.get_or_insert(now) + delay;
        if until <= now {
            self.usable = usable;
            self.differs_since = None;
            return None;
        }
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::machine::Delays, io::netlink::survey::Link};

    const MS: Duration = Duration::from_millis(1);

    struct Scene {
        debounce: Debounce,
        interfaces: Interfaces,
        start: Instant,
    }

    impl Scene {
        fn new(down: u32, up: u32) -> Self {
            let mut interfaces = Interfaces::default();
            let delays = Delays {
                down: MS * down,
                up: MS * up,
            };
            interfaces
                .delays
                .extend([(IfName::new("eth0").unwrap(), delays)]);
            Self {
                debounce: Debounce::default(),
                interfaces,
                start: Instant::from_std(crate::io::clock::instant()),
            }
        }

        /// What counts, and for how long still, of a link that is so at `at`.
        fn see(&mut self, at: u32, ifindex: u32, usable: bool) -> (bool, Option<u32>) {
            let link = Link {
                ifindex,
                name: "eth0".to_owned(),
                usable,
                patient: false,
                mac: [0; 6],
                mtu: 1500,
                vlan_of: None,
                promotes: false,
                macvlan_of: None,
                vrf: None,
                alias: String::new(),
            };
            let mut world = World {
                links: vec![link],
                ..World::default()
            };
            let now = self.start + MS * at;
            let next = self.debounce.settle(&mut world, &self.interfaces, now);
            let next = next.map(|next| (next - now).as_millis() as u32);
            (world.links[0].usable, next)
        }
    }

    #[test]
    fn a_bounce_does_not_count_and_a_loss_does() {
        let mut scene = Scene::new(100, 200);
        assert_eq!(scene.see(0, 1, true), (true, None));
        assert_eq!(scene.see(10, 1, false), (true, Some(100)));
        assert_eq!(scene.see(60, 1, false), (true, Some(50)));
        assert_eq!(scene.see(70, 1, true), (true, None));
        // From the beginning again.
        assert_eq!(scene.see(80, 1, false), (true, Some(100)));
        assert_eq!(scene.see(180, 1, false), (false, None));
        assert_eq!(scene.see(200, 1, true), (false, Some(200)));
        assert_eq!(scene.see(390, 1, false), (false, None));
        assert_eq!(scene.see(391, 1, true), (false, Some(200)));
        assert_eq!(scene.see(591, 1, true), (true, None));
    }

    #[test]
    fn no_delay_counts_at_once_and_so_does_another_link() {
        let mut scene = Scene::new(100, 0);
        assert_eq!(scene.see(0, 1, false), (false, None));
        assert_eq!(scene.see(1, 1, true), (true, None));
        assert_eq!(scene.see(2, 1, false), (true, Some(100)));
        assert_eq!(scene.see(3, 2, false), (false, None));
    }
}
