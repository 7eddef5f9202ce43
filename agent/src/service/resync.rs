//! Asking the kernel anew when its announcements may have been lost.

use super::Service;
use crate::io::{lane::Command, netlink::survey::survey, plan};

impl Service {
    /// After lost announcements: compares the VIPs that the kernel has with
    /// those that instances should have, and tells the fast lane.
    pub(super) async fn resync(&mut self) -> bool {
        let Ok(world) = survey(&self.handle).await else {
            return false;
        };
        for (instance, seat) in self.config.instances.iter().zip(&self.seats) {
            let id = seat.id;
            // Else the fast lane has other VIPs by these numbers.
            if seat.told != Some(plan::core_config(id, instance)) {
                continue;
            }
            for (number, vip) in instance.vips.iter().enumerate() {
                let home = vip.device.as_ref().unwrap_or(&instance.interface);
                let Some(link) = world.link(home.as_str()) else {
                    continue;
                };
                let present = world
                    .addresses_on(link.ifindex)
                    .any(|found| found.address == vip.address);
                let _ = self.lane.send(if present {
                    Command::AddressPresent { id }
                } else {
                    Command::AddressMissing {
                        id,
                        vip: number as u16,
                    }
                });
            }
        }
        true
    }
}
