//! Times as keepalived writes them, in UTC.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `1795169472.043046 (Fri Nov 20 10:11:12.043046 2026)`, from microseconds
/// since 1970.
pub fn stamp(micros: u64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let pick = |names: &[&'static str], index: u64| {
        let index = usize::try_from(index).unwrap_or(0);
        names.get(index).copied().unwrap_or("?")
    };
    format!(
        "{seconds}.{fraction:06} ({} {} {day:2} {:02}:{:02}:{:02}.{fraction:06} {year})",
        pick(&DAYS, days % 7),
        pick(&MONTHS, month),
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

/// `2026-11-20T10:11:12.043046Z`, from microseconds since 1970.
pub fn iso(micros: u64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:06}Z",
        month + 1,
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

/// Year, month from 0, day from 1, of a day since 1970.
///
/// Counted in years that begin in March, so that a leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    // From 1 March of the year 0; 400 years have 146,097 days.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December have 153 days each.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let next_year = u64::from(month >= 10);
    (era * 400 + year + next_year, (month + 2) % 12, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_keepalived_writes_it() {
        assert_eq!(
            stamp(1_795_169_472_043_046),
            "1795169472.043046 (Fri Nov 20 10:11:12.043046 2026)"
        );
        assert_eq!(stamp(0), "0.000000 (Thu Jan  1 00:00:00.000000 1970)");
        let leap = "1709164800.000000 (Thu Feb 29 00:00:00.000000 2024)";
        assert_eq!(stamp(1_709_164_800_000_000), leap);
        let next = "1709251200.000000 (Fri Mar  1 00:00:00.000000 2024)";
        assert_eq!(stamp(1_709_251_200_000_000), next);
        let last = "1735689599.000000 (Tue Dec 31 23:59:59.000000 2024)";
        assert_eq!(stamp(1_735_689_599_000_000), last);
        assert!(!stamp(u64::MAX).is_empty());
    }
}
