//! One keepalived.conf for whichever daemon reads it.

use std::{fmt::Write as _, net::Ipv4Addr, time::Duration};

use super::side::Side;

/// Name of the first instance, whose states are waited for.
pub const FIRST: &str = "V1";
/// Virtual router of the first instance.
pub const FIRST_VRID: u8 = 1;
/// Addresses in an advert; the others are `virtual_ipaddress_excluded`.
const ADVERTISED: usize = 20;

/// What one machine is configured with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub priority: u8,
    pub interval: Duration,
    /// Virtual routers, with VRID 1 and up.
    pub instances: u8,
    /// Addresses of the first; all others have one.
    pub vips: usize,
}

impl Setup {
    /// One virtual router with one address and 10 ms adverts.
    pub fn new(priority: u8) -> Self {
        Self {
            priority,
            interval: Duration::from_millis(10),
            instances: 1,
            vips: 1,
        }
    }

    /// Active_Down_Interval of a Backup with this setup (RFC 9568 6.1).
    pub fn down(&self) -> Duration {
        self.interval * 3 + self.skew()
    }

    /// Skew_Time of a Backup with this setup (RFC 9568 6.1).
    pub fn skew(&self) -> Duration {
        self.interval * (256 - u32::from(self.priority)) / 256
    }

    pub fn conf(&self, side: Side) -> String {
        let mut text = format!(
            "global_defs {{\nrouter_id bench\nvrrp_version 3\n{}}}\n",
            side.globals()
        );
        for vrid in FIRST_VRID..=self.instances {
            self.instance(&mut text, vrid, &side.lines());
        }
        text
    }

    fn instance(&self, text: &mut String, vrid: u8, more: &str) {
        let count = if vrid == FIRST_VRID { self.vips } else { 1 };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "vrrp_instance V{vrid} {{\nstate BACKUP\ninterface eth0\nvirtual_router_id {vrid}\n\
             priority {}\nadvert_int {}\n{more}virtual_ipaddress {{\n",
            self.priority,
            self.interval.as_secs_f64(),
        );
        for number in 0..count.min(ADVERTISED) {
            let _ = writeln!(text, "{}/32", vip(vrid, number));
        }
        text.push_str("}\n");
        if count > ADVERTISED {
            text.push_str("virtual_ipaddress_excluded {\n");
            for number in ADVERTISED..count {
                let _ = writeln!(text, "{}/32", vip(vrid, number));
            }
            text.push_str("}\n");
        }
        text.push_str("}\n");
    }
}

/// An address that no machine of the lab has for itself.
pub fn vip(vrid: u8, number: usize) -> Ipv4Addr {
    let number = u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    match vrid {
        // Not .0, which some take for the address of a network.
        FIRST_VRID => Ipv4Addr::new(10, 79, number[0], number[1].wrapping_add(1)),
        other => Ipv4Addr::new(10, 78, other, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_rfc() {
        let setup = Setup::new(100);
        assert_eq!(setup.skew(), Duration::from_nanos(6_093_750));
        assert_eq!(setup.down(), Duration::from_nanos(36_093_750));
        assert_eq!(Setup::new(254).down(), Duration::from_nanos(30_078_125));
    }

    #[test]
    fn every_address_and_instance_is_in_the_file_once() {
        let setup = Setup {
            instances: 255,
            vips: 4000,
            ..Setup::new(100)
        };
        let text = setup.conf(Side::KeepalivedRealTime);
        assert_eq!(text.matches("vrrp_instance V").count(), 255);
        let mut vips: Vec<&str> = text.lines().filter(|line| line.ends_with("/32")).collect();
        assert_eq!(vips.len(), 4254);
        vips.sort_unstable();
        vips.dedup();
        assert_eq!(vips.len(), 4254);
        assert!(text.contains("vrrp_rt_priority 60"));
        assert!(!text.contains("fast_detect"));
        let ours = setup.conf(Side::HEARTBEAT);
        assert!(ours.contains("fast_detect interval 1000us multiplier 3"));
    }
}
