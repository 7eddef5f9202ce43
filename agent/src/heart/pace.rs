//! How often streams ask, and when: all together within a budget, and not all
//! at once.

use core::time::Duration;

use agent_common::KernelTime;

/// Between two probes of this machine, to whomever: 50,000 in a second cost
/// about a fifth of a processor of the fast lane.
const BUDGET: Duration = Duration::from_micros(20);

/// The shortest interval of each of so many streams.
pub(super) fn floor(streams: u32) -> Duration {
    BUDGET.saturating_mul(streams)
}

/// The first moment after `now` that a stream asks at. Each has its own phase,
/// so that those that began together, or were kept from running together, do
/// not go on asking together: their answers would come together, and have to
/// find room in one socket.
pub(super) fn in_phase(number: u16, pace: Duration, now: KernelTime) -> KernelTime {
    /// Of 65,536, by the golden section: no two streams come close to each
    /// other sooner than they have to.
    const TURN: u16 = 40_503;
    let pace = u64::try_from(pace.as_nanos()).unwrap_or(u64::MAX).max(1);
    let share = u128::from(number.wrapping_mul(TURN));
    let phase = (u128::from(pace) * share) >> 16;
    let phase = u64::try_from(phase).unwrap_or(0);
    let into = now.nanos().wrapping_sub(phase) % pace;
    now.after(Duration::from_nanos(pace - into))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Duration = Duration::from_millis(1);

    #[test]
    fn each_has_its_own_phase_and_keeps_it() {
        let now = KernelTime(1_000_000_123);
        let mut phases = vec![];
        for number in 0..100 {
            let first = in_phase(number, T, now);
            assert!(first > now && first <= now.after(T));
            assert_eq!(in_phase(number, T, first), first.after(T));
            let later = in_phase(number, T, now.after(T * 7));
            assert_eq!(later, first.after(T * 7));
            phases.push(first.nanos());
        }
        phases.sort_unstable();
        let gaps = phases.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.min() > Some(4_000), "of 10,000 at best");
    }

    #[test]
    fn nothing_overflows() {
        for pace in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            assert!(in_phase(u16::MAX, pace, KernelTime(5)) > KernelTime(5));
        }
        assert!(floor(u32::MAX) > floor(1));
    }
}
