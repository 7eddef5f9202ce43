//! The words behind an address: `dev`, `peer`, `label` and the others.

use std::net::{IpAddr, Ipv4Addr};

use super::address::{bad_interface, family, family_name, parse_vip_address};
use super::statement::extra_word;
use crate::config::address::FOREVER;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{IfName, Vip};
use crate::config::sink::Sink;

/// Bytes of an interface label: IFNAMSIZ without the NUL.
const MAX_LABEL: usize = 15;

pub(super) struct Options<'a> {
    pub vip: Vip,
    /// The line has a prefix length of its own.
    pub has_prefix: bool,
    /// Of `static_ipaddress`: may name a `track_group`.
    pub fixed: bool,
    pub group: Option<Word>,
    /// Computed at the end, when the prefix cannot change any more.
    pub broadcast: Option<(String, Span)>,
    pub usable: bool,
    pub sink: &'a mut Sink,
}

impl Options<'_> {
    pub fn option<'w>(&mut self, option: &Word, rest: &mut impl Iterator<Item = &'w Word>) {
        let mut value = || rest.next();
        let set = &mut self.vip.options;
        match option.text.as_str() {
            "dev" => self.with_value(option, value(), Self::device),
            "brd" | "broadcast" => self.with_value(option, value(), |options, word| {
                options.broadcast = Some((word.text.clone(), word.span));
            }),
            "label" => self.with_value(option, value(), Self::label),
            "scope" => self.with_value(option, value(), Self::scope),
            "peer" => self.with_value(option, value(), Self::peer),
            "preferred_lft" => self.with_value(option, value(), Self::preferred_lifetime),
            "noprefixroute" => set.no_prefix_route = true,
            "no_track" => set.untracked = true,
            "autojoin" => self.autojoin(option),
            "home" => self.v6_only(option, |options| options.vip.options.home = true),
            "-nodad" => self.v6_only(option, |options| {
                options.vip.options.detect_duplicates = true;
            }),
            "mngtmpaddr" => self.v6_only(option, |options| {
                options.vip.options.manage_temporary = true;
            }),
            "nodad" => self
                .sink
                .warn(Code::ExtraWords, option.span, "nodad is ignored")
                .help("duplicate address detection is off; -nodad turns it on"),
            "use_vmac" if !self.fixed => set.use_vmac = true,
            "track_group" if self.fixed => self.with_value(option, value(), |options, word| {
                options.group = Some(word.clone());
            }),
            _ => extra_word("the address", option, false, true, self.sink),
        }
    }

    fn with_value(
        &mut self,
        option: &Word,
        value: Option<&Word>,
        set: impl FnOnce(&mut Self, &Word),
    ) {
        match value {
            Some(value) => set(self, value),
            None => {
                let message = format!("{} is missing its value", option.text);
                self.sink.error(Code::MissingValue, option.span, message);
                self.usable = false;
            }
        }
    }

    /// keepalived and the kernel ignore these with IPv4, without a word.
    fn v6_only(&mut self, option: &Word, set: impl FnOnce(&mut Self)) {
        if self.vip.address.is_ipv6() {
            set(self);
        } else {
            let message = format!("{} is for IPv6 addresses only; it is ignored", option.text);
            self.sink.trap(Code::WrongFamily, option.span, message);
        }
    }

    /// The kernel refuses the whole address where there is no group to join.
    fn autojoin(&mut self, option: &Word) {
        if self.vip.address.is_multicast() {
            self.vip.options.autojoin = true;
        } else {
            let message = "autojoin is for multicast addresses only; it is ignored";
            self.sink
                .trap(Code::Conflict, option.span, message)
                .help("the kernel would refuse the address, and keepalived not have it");
        }
    }

    fn device(&mut self, word: &Word) {
        self.vip.device = IfName::new(&word.text);
        if self.vip.device.is_none() {
            bad_interface(word, self.sink);
            self.usable = false;
        }
    }

    fn peer(&mut self, word: &Word) {
        let parsed = parse_vip_address(&word.text).ok();
        let peer = parsed.and_then(|(peer, prefix)| Some((peer, prefix.ok()?)));
        match peer {
            Some((peer, _)) if family(peer) != family(self.vip.address) => {
                let message = format!(
                    "peer {peer} must be {} as the address is; it is ignored",
                    family_name(family(self.vip.address))
                );
                self.sink.warn(Code::WrongFamily, word.span, message);
            }
            Some((peer, prefix)) => {
                if self.has_prefix {
                    let message = format!(
                        "Cannot specify address prefix when specifying peer address; /{prefix} is used"
                    );
                    self.sink
                        .warn(Code::Conflict, word.span, message)
                        .help("write ADDRESS peer PEER/LENGTH");
                }
                self.vip.options.peer = Some(peer);
                self.vip.prefix = prefix;
            }
            None => {
                let message = format!("Invalid peer address '{}'; it is ignored", word.text);
                self.sink.warn(Code::BadValue, word.span, message);
            }
        }
    }

    fn preferred_lifetime(&mut self, word: &Word) {
        let lifetime = match word.text.as_str() {
            "forever" => Some(FOREVER),
            seconds => seconds.parse().ok(),
        };
        if lifetime.is_none() {
            let message = format!("Invalid preferred_lft '{}'; it is ignored", word.text);
            self.sink
                .warn(Code::BadValue, word.span, message)
                .help("use forever or a number of seconds");
        } else if self.vip.address.is_ipv4() {
            let message = "preferred_lft is for IPv6 addresses only; it is ignored";
            self.sink.trap(Code::WrongFamily, word.span, message);
        } else {
            self.vip.options.preferred_lifetime = lifetime;
        }
    }

    fn label(&mut self, word: &Word) {
        if word.text.len() > MAX_LABEL {
            let message = format!(
                "label '{}' is longer than {MAX_LABEL} characters",
                word.text
            );
            self.sink
                .error(Code::BadInterface, word.span, message)
                .help("shorten it");
            self.usable = false;
        } else if self.vip.address.is_ipv6() {
            let message = "a label is for IPv4 addresses only; it is ignored";
            self.sink.warn(Code::WrongFamily, word.span, message);
        } else {
            self.vip.label = Some(word.text.clone());
        }
    }

    fn scope(&mut self, word: &Word) {
        let scope = match word.text.as_str() {
            "global" | "universe" => Some(0),
            "site" => Some(200),
            "link" => Some(253),
            "host" => Some(254),
            "nowhere" => Some(255),
            number => number.parse().ok(),
        };
        match scope {
            Some(scope) => self.vip.scope = scope,
            None => {
                let message = format!("Invalid scope '{}'; it is ignored", word.text);
                self.sink
                    .warn(Code::BadValue, word.span, message)
                    .help("use global, site, link, host or a number of 0 to 255");
            }
        }
    }

    pub fn finish(mut self, place: Span) -> Option<Vip> {
        if let Some((text, span)) = self.broadcast.take() {
            self.vip.broadcast = self.broadcast(&text, span);
        }
        if self.vip.options.manage_temporary && self.vip.prefix != 64 {
            let message = format!(
                "mngtmpaddr needs a /64, and {} is a /{}; it is ignored",
                self.vip.address, self.vip.prefix
            );
            self.sink.trap(Code::Conflict, place, message);
            self.vip.options.manage_temporary = false;
        }
        if self.vip.address.is_multicast() && !self.vip.options.autojoin {
            let message = format!("'{}' is not the address of a machine", self.vip.address);
            self.sink
                .error(Code::BadAddress, place, message)
                .help("with autojoin its multicast group is joined");
            self.usable = false;
        }
        self.usable.then_some(self.vip)
    }

    fn broadcast(&mut self, text: &str, span: Span) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.vip.address else {
            let message = "IPv6 has no broadcast; brd is ignored";
            self.sink.warn(Code::WrongFamily, span, message);
            return None;
        };
        if text == "+" || text == "-" {
            let hosts = u32::MAX
                .checked_shr(u32::from(self.vip.prefix))
                .unwrap_or(0);
            if self.vip.prefix > 30 {
                let message = format!("a /{} has no broadcast; brd is ignored", self.vip.prefix);
                self.sink.warn(Code::OutOfRange, span, message);
                return None;
            }
            let bits = address.to_bits();
            return Some(Ipv4Addr::from_bits(if text == "+" {
                bits | hosts
            } else {
                bits & !hosts
            }));
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("brd '{text}' is not an IPv4 address; it is ignored");
            self.sink
                .warn(Code::BadValue, span, message)
                .help("use an address, + or -");
        }
        parsed
    }
}
