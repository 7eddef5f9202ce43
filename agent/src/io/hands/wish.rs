//! What is wanted of the hands for one instance, until they come to it.
//!
//! Wishes of one instance are merged while an earlier one of it is carried
//! out, so there is a bound to what waits however long the kernel takes: a
//! promotion that was followed by a demotion is a removal, ten announcements
//! are one.

use super::works::Works;
use crate::core::InstanceId;

/// VIPs that are put back one by one; beyond that all of them are.
const SINGLES: usize = 16;

/// VIPs to put back and announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::io) enum Restore {
    #[default]
    None,
    Some {
        vips: [u16; SINGLES],
        count: usize,
    },
    All,
}

impl Restore {
    fn add(&mut self, vip: u16) {
        *self = match *self {
            Self::None => Self::Some {
                vips: [vip; SINGLES],
                count: 1,
            },
            Self::Some { mut vips, count } => {
                if vips.iter().take(count).any(|known| *known == vip) {
                    return;
                }
                match vips.get_mut(count) {
                    Some(slot) => {
                        *slot = vip;
                        Self::Some {
                            vips,
                            count: count.saturating_add(1),
                        }
                    }
                    None => Self::All,
                }
            }
            Self::All => Self::All,
        };
    }
}

/// In the order in which it is carried out.
#[derive(Debug, Default)]
pub struct Wish {
    /// Take off what the plans that are about to be replaced put there.
    pub(in crate::io) before: bool,
    pub(in crate::io) works: Option<Box<Works>>,
    /// A predecessor put the VIPs there.
    pub(in crate::io) inherited: bool,
    /// Of running plans that are replaced: how often to announce new VIPs.
    pub(in crate::io) change: Option<u8>,
    pub(in crate::io) remove: bool,
    /// Take up the links with virtual MAC addresses.
    pub(in crate::io) raise: bool,
    pub(in crate::io) add: bool,
    pub(in crate::io) restore: Restore,
    /// Put back routes and rules.
    pub(in crate::io) ensure: bool,
    /// How often to announce all VIPs.
    pub(in crate::io) announce: u8,
    /// Announce VIPs on other links than the instance's.
    pub(in crate::io) elsewhere: bool,
    /// How often to announce all VIPs at the pace of their limits.
    pub(in crate::io) rest: u8,
    /// The instance leaves: its plans go back.
    pub(in crate::io) retire: bool,
    /// When all of it is done, that is said of this transition.
    pub(in crate::io) flight: Option<u32>,
}

impl Wish {
    /// Other plans; returns those that nobody needs any more.
    pub fn install(&mut self, works: Box<Works>) -> Option<Box<Works>> {
        self.before |= std::mem::take(&mut self.remove);
        self.retire = false;
        // Numbers are those of the plan that they were said of.
        if self.restore != Restore::None {
            self.restore = Restore::All;
        }
        self.works.replace(works)
    }

    pub fn inherit(&mut self) {
        self.inherited = true;
    }

    /// All VIPs, routes and rules.
    pub fn add(&mut self) {
        self.remove = false;
        self.add = true;
    }

    /// Of all, and nothing is announced any more.
    pub fn remove(&mut self) {
        self.remove = true;
        self.inherited = false;
        self.change = None;
        self.raise = false;
        self.add = false;
        self.restore = Restore::None;
        self.ensure = false;
        self.announce = 0;
        self.elsewhere = false;
        self.rest = 0;
    }

    /// The plans that are installed take the place of others that are in use.
    pub fn change(&mut self, repeat: u8) {
        self.change = Some(self.change.unwrap_or(0).max(repeat));
    }

    pub fn restore(&mut self, vip: u16) {
        self.restore.add(vip);
    }

    pub fn ensure_paths(&mut self) {
        self.ensure = true;
    }

    pub fn announce(&mut self, repeat: u8) {
        self.announce = self.announce.max(repeat);
    }

    pub fn announce_elsewhere(&mut self) {
        self.elsewhere = true;
    }

    pub fn announce_rest(&mut self, repeat: u8) {
        self.rest = self.rest.max(repeat);
    }

    /// The last transition counts: what an earlier one wanted may not be done
    /// at all.
    pub fn tell(&mut self, serial: u32) {
        self.flight = Some(serial);
    }

    /// Returns plans that were never used.
    pub fn retire(&mut self) -> Option<Box<Works>> {
        self.retire = true;
        self.works.take()
    }

    /// Takes out what has to be done before an advert can leave by a link that
    /// is down, and nothing that has to come after it.
    pub fn take_first(&mut self) -> Self {
        Self {
            before: std::mem::take(&mut self.before),
            works: self.works.take(),
            inherited: std::mem::take(&mut self.inherited),
            change: self.change.take(),
            raise: true,
            ..Self::default()
        }
    }
}

/// What the hands are given; of each instance one at a time.
#[derive(Debug)]
pub(super) enum Job {
    Wish {
        id: InstanceId,
        wish: Wish,
    },
    /// Announcements at a pace stop, and how many are left is noted.
    Hold,
    /// They go on.
    Resume,
    /// The thread ends.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works() -> Box<Works> {
        Box::new(Works {
            addresses: Default::default(),
            paths: Default::default(),
            announce: Default::default(),
            vips: Vec::new(),
            ifindex: 1,
            has_links: false,
        })
    }

    #[test]
    fn a_promotion_that_is_taken_back_is_a_removal() {
        let mut wish = Wish::default();
        wish.add();
        wish.announce(5);
        wish.restore(3);
        wish.announce_elsewhere();
        wish.remove();
        assert!(wish.remove && !wish.add && !wish.elsewhere && !wish.ensure);
        assert_eq!((wish.announce, wish.restore), (0, Restore::None));
    }

    #[test]
    fn a_demotion_that_is_taken_back_removes_nothing() {
        let mut wish = Wish::default();
        wish.remove();
        wish.add();
        wish.announce(5);
        assert!(wish.add && !wish.remove);
        assert_eq!(wish.announce, 5);
    }

    /// What the old plans put there only they can take off.
    #[test]
    fn a_removal_before_other_plans_is_one_by_the_old_ones() {
        let mut wish = Wish::default();
        wish.remove();
        assert!(wish.install(works()).is_none());
        wish.add();
        assert!(wish.before && wish.add && !wish.remove);
        assert!(wish.install(works()).is_some(), "never used");
        assert!(wish.before);
    }

    #[test]
    fn vips_to_put_back_are_counted_once_and_bounded() {
        let mut wish = Wish::default();
        for vip in [7, 7, 8] {
            wish.restore(vip);
        }
        assert!(matches!(wish.restore, Restore::Some { count: 2, .. }));
        for vip in 0..=u16::MAX {
            wish.restore(vip);
        }
        assert_eq!(wish.restore, Restore::All);
        let mut wish = Wish::default();
        wish.restore(7);
        drop(wish.install(works()));
        assert_eq!(wish.restore, Restore::All, "7 is another VIP now");
    }

    /// The advert comes between the two.
    #[test]
    fn links_come_up_alone() {
        let mut wish = Wish::default();
        drop(wish.install(works()));
        wish.add();
        wish.announce(5);
        let first = wish.take_first();
        assert!(first.raise && first.works.is_some() && !first.add && first.announce == 0);
        assert!(wish.add && wish.announce == 5 && wish.works.is_none());
    }

    #[test]
    fn an_instance_that_leaves_takes_no_new_plans_along() {
        let mut wish = Wish::default();
        drop(wish.install(works()));
        wish.remove();
        assert!(wish.retire().is_some());
        assert!(wish.retire && wish.remove);
        drop(wish.install(works()));
        assert!(!wish.retire && wish.before, "another one took its place");
    }
}
