//! What instances must not have in common.

use std::collections::{HashMap, HashSet};

use agent_common::{Family, Vrid};

use super::address::family_name;
use super::instance::Draft;
use crate::config::diagnostic::Code;
use crate::config::lexer::Span;
use crate::config::model::{IfName, Instance};
use crate::config::sink::Sink;

/// The capacity of the kernel maps: 255 VRIDs of two families.
pub const MAX_INSTANCES: usize = 510;

#[derive(Debug, Default)]
pub struct Seen {
    names: HashSet<String>,
    routers: HashMap<(IfName, Family, Vrid), String>,
    count: usize,
}

impl Seen {
    pub fn name(&mut self, draft: &Draft, sink: &mut Sink) {
        let Some(name) = &draft.name else { return };
        if !self.names.insert(name.text.clone()) {
            let message = format!("vrrp instance {} already defined", name.text);
            sink.error(Code::Duplicate, name.span, message)
                .help("give it a name of its own");
        }
    }

    pub fn instance(&mut self, instance: &Instance, place: Span, sink: &mut Sink) {
        self.count = self.count.saturating_add(1);
        if self.count == MAX_INSTANCES + 1 {
            let message = format!("more than {MAX_INSTANCES} instances");
            sink.error(Code::TooManyInstances, place, message)
                .help("put several VIPs into one instance");
        }
        let router = (instance.interface.clone(), instance.family, instance.vrid);
        if let Some(other) = self.routers.insert(router, instance.name.clone()) {
            let message = format!(
                "{other} and {} both use VRID {} with {} on interface {}",
                instance.name,
                instance.vrid,
                family_name(instance.family),
                instance.interface
            );
            sink.error(Code::Duplicate, place, message)
                .help("use another virtual_router_id");
        }
    }
}
