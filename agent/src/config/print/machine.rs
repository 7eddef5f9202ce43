//! Interfaces and the process, as [`crate::config::machine`] has them.

use super::instance::micros;
use super::writer::Writer;
use crate::config::machine::{Delays, Interfaces, Process};

/// Lines of `global_defs`.
pub fn globals(process: &Process, interfaces: &Interfaces, writer: &mut Writer) {
    let Process {
        realtime,
        nice,
        cpus,
        rttime,
        umask,
    } = process;
    // The delays stand outside of `global_defs`.
    let Interfaces { dynamic, delays: _ } = interfaces;
    writer.flag("dynamic_interfaces", *dynamic);
    writer.maybe("vrrp_rt_priority", realtime.as_ref());
    writer.maybe("vrrp_priority", nice.as_ref());
    if !cpus.is_empty() {
        let cpus: Vec<String> = cpus.iter().map(u16::to_string).collect();
        writer.line(&format!("vrrp_cpu_affinity {}", cpus.join(" ")));
    }
    writer.maybe("vrrp_rlimit_rttime", rttime.as_ref());
    writer.maybe("umask", umask.map(|bits| format!("0{bits:o}")));
}

pub fn delays(interfaces: &Interfaces, writer: &mut Writer) {
    let lines = interfaces
        .delays
        .iter()
        .map(|(name, Delays { down, up })| format!("{name} {} {}", micros(*down), micros(*up)));
    writer.lines("interface_up_down_delays", lines);
}
