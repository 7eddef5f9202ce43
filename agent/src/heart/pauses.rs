//! After a false alarm adverts alone decide for a while, twice as long each time.

use core::time::Duration;

use agent_common::KernelTime;

use super::Place;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);
/// After so long without another one it begins with the shortest.
const FORGIVEN: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
struct Entry {
    place: Place,
    until: KernelTime,
    length: Duration,
}

/// Of more machines than there is room for, the one whose pause ended first is
/// forgotten.
#[derive(Clone, Debug)]
pub(super) struct Pauses(Box<[Option<Entry>]>);

impl Pauses {
    /// Room for as many machines as there can be streams.
    pub(super) fn new(machines: usize) -> Self {
        Self(vec![None; machines].into_boxed_slice())
    }

    /// How long it lasts from `now`. One that is going on is not prolonged:
    /// the instances of one machine are wrong together.
    pub(super) fn pause(&mut self, place: Place, now: KernelTime) -> Duration {
        let mut known = self.0.iter_mut().flatten();
        if let Some(entry) = known.find(|entry| entry.place == place) {
            if entry.until > now {
                return entry.until.since(now);
            }
            entry.length = match now.since(entry.until) < FORGIVEN {
                true => (entry.length * 2).min(LONGEST),
                false => SHORTEST,
            };
            entry.until = now.after(entry.length);
            return entry.length;
        }
        let oldest = self
            .0
            .iter_mut()
            .min_by_key(|entry| entry.map(|entry| entry.until));
        if let Some(entry) = oldest {
            *entry = Some(Entry {
                place,
                until: now.after(SHORTEST),
                length: SHORTEST,
            });
        }
        SHORTEST
    }

    /// When the latest pause ends, or has ended.
    pub(super) fn until(&self, place: Place) -> Option<KernelTime> {
        let mut known = self.0.iter().flatten();
        known
            .find(|entry| entry.place == place)
            .map(|entry| entry.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(last: u8) -> Place {
        Place {
            ifindex: 1,
            remote: [192, 0, 2, last].into(),
        }
    }

    #[test]
    fn pauses_double_and_are_forgiven() {
        let mut pauses = Pauses::new(32);
        let mut now = KernelTime(5);
        let mut lengths = vec![];
        for _ in 0..14 {
            let pause = pauses.pause(place(1), now);
            assert_eq!(pauses.pause(place(1), now), pause, "all instances at once");
            lengths.push(pause.as_secs());
            now = now.after(pause);
        }
        assert_eq!(
            lengths,
            [
                1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600
            ]
        );
        assert_eq!(pauses.pause(place(2), now), SHORTEST);
        assert_eq!(pauses.pause(place(1), now.after(FORGIVEN)), SHORTEST);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut pauses = Pauses::new(32);
        for last in 0..=255 {
            let now = KernelTime(u64::from(last));
            assert_eq!(pauses.pause(place(last), now), SHORTEST);
        }
        assert!(pauses.until(place(255)).is_some());
        assert_eq!(pauses.until(place(0)), None);
    }
}
