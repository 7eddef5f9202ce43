//! The addresses of `--vip`: readable, of one family, each once.

use std::net::IpAddr;

use super::check::Check;
use super::usage_error::UsageError;
use super::warning;
use crate::config::{
    AddressOptions, Code, MAX_ADVERTISED, Vip, family_of, parse_vip_address, useless,
};

impl Check {
    pub fn vips(&mut self, given: &[String]) -> Vec<Vip> {
        let mut vips: Vec<Vip> = Vec::new();
        for text in given {
            let (address, prefix) = match parse_vip_address(text) {
                Ok((address, Ok(prefix))) => (address, prefix),
                Ok((_, Err(most))) => {
                    self.errors.push(UsageError::BadPrefix(text.clone(), most));
                    continue;
                }
                Err(why) => {
                    self.errors.push(UsageError::BadVip(text.clone(), why));
                    continue;
                }
            };
            self.vip_fits(address, &vips);
            if let Some(why) = useless(address, prefix) {
                let message =
                    format!("--vip {text} {why}: give an address that other machines can reach");
                self.warnings.push(warning(Code::BadAddress, message));
            }
            if vips.iter().any(|vip| vip.address == address) {
                let message = format!("--vip {address} is given twice; the first one counts");
                self.warnings.push(warning(Code::Duplicate, message));
                continue;
            }
            vips.push(Vip {
                address,
                prefix,
                device: None,
                broadcast: None,
                label: None,
                scope: 0,
                options: AddressOptions::default(),
                advertised: true,
            });
        }
        if vips.len() > MAX_ADVERTISED {
            self.errors
                .push(UsageError::TooManyVips { count: vips.len() });
        }
        vips
    }

    fn vip_fits(&mut self, address: IpAddr, before: &[Vip]) {
        let family = family_of(address);
        match before.first().map(|vip| family_of(vip.address)) {
            Some(first) if first != family => {
                self.errors.push(UsageError::VipFamily {
                    vip: address,
                    family,
                    first,
                });
            }
            Some(_) => {}
            None => {
                if let IpAddr::V6(address) = address
                    && !address.is_unicast_link_local()
                {
                    let message = format!(
                        "--vip {address}: the first IPv6 VIP should be link-local (fe80::), RFC 9568 5.2.9"
                    );
                    self.warnings.push(warning(Code::NotLinkLocal, message));
                }
            }
        }
    }
}
