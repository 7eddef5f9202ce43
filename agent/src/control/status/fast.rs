//! The kernel heartbeat of an instance in the status.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

/// What the kernel says of us to those who ask (S-BFD).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FastDetect {
    /// `xdp` or `tcx`; none where no probe is answered.
    pub reflector: Option<String>,
    /// What a probe has to ask for.
    pub discriminator: u32,
    /// Probes that were told that we serve.
    pub answered_up: u64,
    /// That we do not: not Active.
    pub answered_down: u64,
    /// That we do not, although Active: the agent was not alive.
    pub answered_stale: u64,
    /// Not answered: with another destination than ours.
    pub left_alone: u64,
    /// The agent has not renewed its lease: nothing for the VIPs is answered.
    #[serde(default)]
    pub fenced: bool,
    /// ARP requests and neighbour solicitations that were kept from the stack.
    #[serde(default)]
    pub fenced_questions: u64,
    /// Packets to the VIPs that were, while another router served.
    #[serde(default)]
    pub fenced_packets: u64,
    /// Our own probes, while Backup.
    #[serde(default)]
    pub heartbeat: Option<Heartbeat>,
}

/// What asking an Active brings (S-BFD). Counters are since the start.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// `idle` (nobody to ask), `unanswered` or `late` (adverts alone decide),
    /// `armed`, or `paused` (after a false alarm).
    pub state: String,
    pub towards: Option<IpAddr>,
    pub interval_us: u64,
    pub multiplier: u8,
    /// How long a pause still lasts.
    pub paused_ms: Option<u64>,
    pub last_up_ms_ago: Option<f64>,
    pub sent: u64,
    pub answered: u64,
    /// Given up for lost.
    pub unanswered: u64,
    /// The kernel did not send it.
    pub unsent: u64,
    /// Times that the Active was found down.
    pub downs: u64,
    /// Of those, how often it was heard again at once.
    pub false_alarms: u64,
    /// Take-overs that were held back: no adverts, but Up.
    pub vetoes: u64,
}

impl fmt::Display for FastDetect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reflector,
            discriminator,
            answered_up,
            answered_down,
            answered_stale,
            left_alone: _,
            fenced,
            fenced_questions,
            fenced_packets,
            heartbeat,
        } = self;
        if *fenced {
            writeln!(
                f,
                "  FENCED: no advert was sent for the length of the lease"
            )?;
        }
        if fenced_questions.saturating_add(*fenced_packets) > 0 {
            writeln!(
                f,
                "  kept from the stack while the agent did not run: {fenced_questions} ARP \
                 requests and neighbour solicitations for the VIPs, {fenced_packets} packets \
                 to them"
            )?;
        }
        match reflector {
            Some(by) => writeln!(
                f,
                "  probes for {discriminator:#010x} are answered by {by}: {answered_up} up, \
                 {answered_down} down, {answered_stale} stale"
            ),
            None => writeln!(
                f,
                "  probes for {discriminator:#010x} are not answered: see the log"
            ),
        }?;
        heartbeat.as_ref().map_or(Ok(()), |heart| heart.fmt(f))
    }
}

impl fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            state,
            towards,
            interval_us,
            multiplier,
            paused_ms,
            last_up_ms_ago,
            sent,
            answered,
            unanswered,
            unsent,
            downs,
            false_alarms,
            vetoes,
        } = self;
        let whom = towards.map_or_else(|| "nobody".to_owned(), |towards| towards.to_string());
        write!(f, "  heartbeat: ")?;
        match (state.as_str(), paused_ms, last_up_ms_ago) {
            ("armed", _, Some(ago)) => write!(
                f,
                "{whom} answered that it serves {ago:.3} ms ago, asked each {interval_us} us, \
                 down after {multiplier} unanswered"
            ),
            ("unanswered", _, _) => {
                write!(
                    f,
                    "{whom} does not answer that it serves: adverts alone decide"
                )
            }
            ("late", _, _) => write!(
                f,
                "{whom} answers too late for {multiplier} probes each {interval_us} us: \
                 adverts alone decide"
            ),
            ("paused", Some(rest), _) => write!(
                f,
                "paused for {:.1} s after a false alarm about {whom}: adverts alone decide",
                *rest as f64 / 1e3
            ),
            (other, _, _) => write!(f, "{other}"),
        }?;
        writeln!(
            f,
            "; {sent} sent, {answered} answered, {unanswered} lost, {unsent} not sent; \
             {downs} times down, {false_alarms} false, {vetoes} take-overs held"
        )
    }
}
