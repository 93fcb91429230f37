//! What several rounds of the same measurement gave.

use serde::{Deserialize, Serialize};

/// The median of the rounds between the smallest and the largest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    /// The smallest.
    pub least: f64,
    /// The one in the middle, or between the two there.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of all rounds; not a number without any.
    pub(super) fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = rounds.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self { least: at(0), median: (at(last / 2) + at(last.div_ceil(2))) / 2.0, most: at(last) }
    }

    /// Of one number.
    pub(super) fn one(value: f64) -> Self {
        Self { least: value, median: value, most: value }
    }

    /// Each round of one by the same round of the other: what changes for both changes nothing.
    pub(super) fn ratio(
        of: impl IntoIterator<Item = f64>,
        to: impl IntoIterator<Item = f64>,
    ) -> Self {
        Self::of(of.into_iter().zip(to).map(|(of, to)| of / to))
    }

    /// `2.00 (1.50-3.00)`; without the brackets if all rounds are alike.
    pub(super) fn show(&self, digits: usize) -> String {
        let Self { least, median, most } = self;
        if !median.is_finite() {
            return "-".to_owned();
        }
        if least.total_cmp(most).is_eq() {
            return format!("{median:.digits$}");
        }
        format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Spread { least: 1.0, median: 2.0, most: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).show(1), "2.0 (1.0-3.0)");
        assert_eq!(Spread::one(2.0).show(2), "2.00");
        assert_eq!(Spread::of([]).show(2), "-");
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let ratio = Spread::ratio([2.0, 20.0, 6.0], [1.0, 10.0, 2.0]);
        assert_eq!(ratio, Spread { least: 2.0, median: 2.0, most: 3.0 });
    }
}
