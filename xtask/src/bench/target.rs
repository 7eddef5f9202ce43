//! What has to be reached, and the comparison with what was.

use super::{
    data::{Check, Scenario, Series},
    stats::{Summary, shown},
};

/// Which figure of a row of samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    P50,
    P99,
    Max,
    /// False take-overs.
    False,
}

impl Figure {
    fn of(self, series: &Series) -> Option<f64> {
        let summary = || Summary::of(&series.samples);
        match self {
            Self::P50 => summary().map(|summary| summary.p50),
            Self::P99 => summary().map(|summary| summary.p99),
            Self::Max => summary().map(|summary| summary.max),
            Self::False => series.false_take_overs.map(|count| count as f64),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::False => "false take-overs",
        }
    }
}

/// How much is allowed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bound {
    AtMost(f64),
    /// Not above the same figure of another side, of the same quantity.
    NotAbove(&'static str),
}

/// One line of the table of targets.
#[derive(Clone, Debug)]
pub struct Target {
    pub side: String,
    /// `None`: every case, each by itself.
    pub case: Option<String>,
    pub quantity: &'static str,
    pub figure: Figure,
    pub bound: Bound,
}

impl Target {
    /// Compares, a line for each case.
    pub fn checks(&self, scenario: &Scenario) -> Vec<Check> {
        let ours = |series: &&Series| {
            series.side == self.side
                && series.quantity == self.quantity
                && self.case.as_ref().is_none_or(|case| *case == series.case)
        };
        let found: Vec<Check> = scenario
            .series
            .iter()
            .filter(ours)
            .map(|series| self.check(scenario, series))
            .collect();
        if !found.is_empty() {
            return found;
        }
        let case = self.case.clone().unwrap_or_default();
        vec![Check {
            what: self.what(&case),
            target: self.wanted(None),
            ..Check::default()
        }]
    }

    fn check(&self, scenario: &Scenario, series: &Series) -> Check {
        let limit = match self.bound {
            Bound::AtMost(limit) => Some(limit),
            Bound::NotAbove(side) => scenario
                .series
                .iter()
                .find(|other| {
                    other.side == side
                        && other.case == series.case
                        && other.quantity == series.quantity
                })
                .and_then(|other| self.figure.of(other)),
        };
        let value = self.figure.of(series);
        Check {
            what: self.what(&series.case),
            target: self.wanted(limit.map(|limit| with_unit(limit, self.unit(series)))),
            measured: value.map_or_else(String::new, |value| with_unit(value, self.unit(series))),
            met: value.zip(limit).map(|(value, limit)| value <= limit),
        }
    }

    fn unit<'a>(&self, series: &'a Series) -> &'a str {
        match self.figure {
            Figure::False => "",
            Figure::P50 | Figure::P99 | Figure::Max => &series.unit,
        }
    }

    fn what(&self, case: &str) -> String {
        let figure = match self.figure {
            Figure::False => "false take-overs".to_owned(),
            other => format!("{}, {}", self.quantity, other.name()),
        };
        let parts = [figure.as_str(), &self.side, case];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }

    fn wanted(&self, limit: Option<String>) -> String {
        match (self.bound, limit) {
            (Bound::AtMost(limit), None) => format!("at most {}", shown(limit)),
            (Bound::AtMost(_), Some(limit)) => format!("at most {limit}"),
            (Bound::NotAbove(side), None) => format!("not above {side}"),
            (Bound::NotAbove(side), Some(limit)) => format!("not above {side}, {limit}"),
        }
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {unit}", shown(value)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let mut scenario = Scenario::default();
        for (side, base) in [("ours", 30.0), ("theirs", 32.0)] {
            for sample in 0..100 {
                scenario.add(
                    side,
                    "p=100",
                    "blackout",
                    "ms",
                    base + f64::from(sample) / 10.0,
                );
            }
        }
        scenario
            .series("ours", "p=100", "blackout", "ms")
            .watched(0, 60.0);
        scenario
    }

    fn target(figure: Figure, bound: Bound) -> Target {
        Target {
            side: "ours".to_owned(),
            case: None,
            quantity: "blackout",
            figure,
            bound,
        }
    }

    #[test]
    fn a_target_is_met_at_its_bound_and_not_above() {
        let scenario = scenario();
        let met = |figure, bound| {
            let checks = target(figure, Bound::AtMost(bound)).checks(&scenario);
            checks.first().and_then(|check| check.met)
        };
        // 30.0 to 39.9: the median by rank is the fiftieth sample.
        assert_eq!(met(Figure::P50, 34.9), Some(true));
        assert_eq!(met(Figure::P50, 34.8), Some(false));
        assert_eq!(met(Figure::Max, 39.8), Some(false));
        assert_eq!(met(Figure::False, 0.0), Some(true));
    }

    #[test]
    fn another_side_is_a_bound_too() {
        let scenario = scenario();
        let checks = target(Figure::P99, Bound::NotAbove("theirs")).checks(&scenario);
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].verdict(), "met");
        assert_eq!(checks[0].target, "not above theirs, 41.8 ms");
        assert_eq!(checks[0].measured, "39.8 ms");
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let checks = target(Figure::P50, Bound::AtMost(1.0)).checks(&Scenario::default());
        assert_eq!(checks.len(), 1);
        assert_eq!((checks[0].met, checks[0].verdict()), (None, "not measured"));
        let scenario = scenario();
        let checks = target(Figure::P50, Bound::NotAbove("nobody")).checks(&scenario);
        assert_eq!(checks[0].met, None);
    }
}
