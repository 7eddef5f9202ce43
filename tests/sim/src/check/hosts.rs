//! Invariant 16: what hosts can know of who serves.

use crate::{
    node,
    schedule::{INSTANCES, Kind},
    world::World,
};

impl World {
    /// A router that yields in silence leaves hosts behind that nobody knows
    /// of: those of the RFCs do, and keepalived unless told not to. Then, and
    /// where announcements were lost, only repeating them helps.
    /// Nor does it help where the one that went told nobody, because it was cut
    /// off from the other routers but not from the hosts (Known limits in
    /// docs/ARCHITECTURE.md).
    pub(super) fn hosts_can_know(&self, index: usize, active: usize) -> bool {
        let tells =
            |node: &node::Node| node.spec.kind == Kind::Agent && node.spec.higher_prio_send_advert;
        let told = self.nodes.iter().all(tells) && !self.schedule.loses_announcements();
        let refreshed = self.kind(active) == Kind::Agent && self.nodes[active].spec.refreshes;
        told && !self.left_unheard[index] || refreshed
    }

    /// An Active goes without having heard a better one: for
    /// [`Self::hosts_can_know`].
    pub fn leaves(&mut self, router: usize, index: usize) {
        let another = self.actives(index).iter().any(|other| *other != router);
        self.left_unheard[index] |= another;
    }

    /// It went for somebody's advert, and there is an Active that it cannot reach
    /// with its last one: who has not heard of it does not announce anew.
    pub fn leaves_untold(&mut self, router: usize, index: usize) {
        let active = self.actives(index);
        let untold = |other: &usize| *other != router && self.network.is_blocked(router, *other);
        self.left_unheard[index] |= active.iter().any(untold);
    }

    /// The same, of one that ends.
    pub fn ends(&mut self, router: usize) {
        for index in 0..INSTANCES {
            if self.nodes[router].is_active(index) {
                self.leaves(router, index);
            }
        }
    }
}
