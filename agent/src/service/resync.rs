//! After lost announcements: what the kernel has against what it should have.

use super::Service;
use crate::{
    config::Vip,
    io::{lane::Command, netlink::survey::survey, plan},
};

impl Service {
    /// After lost announcements: compares the VIPs that the kernel has with
    /// those that instances should have, and tells the fast lane.
    pub(super) async fn resync(&mut self) -> bool {
        let Ok(world) = survey(&self.handle).await else {
            return false;
        };
        self.machine.paths.doubt();
        self.look_soon();
        for (instance, seat) in self.config.instances.iter().zip(&self.seats) {
            let id = seat.id;
            let mtu = world.link(instance.interface.as_str()).map(|link| link.mtu);
            let told = plan::fitting(instance, mtu.unwrap_or(u32::MAX));
            let (standing, _) = self.health.standing(instance);
            // Else the fast lane has other VIPs by these numbers.
            if seat.told != Some(plan::core_config(id, &told, standing)) {
                continue;
            }
            let tracked = |vip: &Vip| !vip.options.untracked;
            for (number, vip) in instance.vips.iter().enumerate() {
                let home = instance.home(vip);
                let Some(link) = world.link(home.as_str()) else {
                    continue;
                };
                let present = world
                    .addresses_on(link.ifindex)
                    .any(|found| found.address == vip.address);
                let command = match (present, tracked(vip)) {
                    (true, _) => Command::AddressPresent { id },
                    (false, true) => Command::AddressMissing {
                        id,
                        vip: number as u16,
                    },
                    (false, false) => continue,
                };
                let _ = self.lane.send(command);
            }
        }
        true
    }
}
