//! The lab: network namespaces, real peers, probes and captures, for the tests
//! and for the demonstration.
//!
//! Traffic stays inside namespaces that the lab made, loops are bounded in
//! count and time, processes are ended by their pid, and every guard undoes on
//! drop what it did. Times are CLOCK_MONOTONIC nanoseconds, as everywhere in
//! the project, so what the lab saw can be compared with what the agent logs.
//!
//! The decoders here are deliberately not those of `agent-common`: they are a
//! second opinion on what is on the wire.

pub mod adverts;
pub mod agent;
pub mod agents;
pub mod capture;
pub mod clock;
pub mod daemon;
pub mod decode;
#[cfg(test)]
mod failure_modes;
pub mod fixtures;
pub mod flood;
pub mod forge;
pub mod frr;
pub mod impair;
pub mod initiator;
pub mod interop;
pub mod keepalived;
pub mod netns;
pub mod packet;
pub mod pair;
pub mod privilege;
pub mod probe;
pub mod process;
pub mod random;
pub mod reflector;
pub mod router;
pub mod soak;
pub mod stalls;
pub mod stress;
pub mod sys;
pub mod topology;
pub mod tshark;
pub mod usage;
pub mod wait;
pub mod witness;
