//! Figures that a sponsorship is judged by.

/// Where a rating of 1 to 10 puts its giver (Reichheld 2003).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NpsGroup {
    /// 9 and 10.
    Promoter,
    /// 7 and 8.
    Passive,
    /// 6 and below.
    Detractor,
}

impl NpsGroup {
    /// The group of a rating.
    #[must_use]
    pub fn of(rating: i64) -> Self {
        match rating {
            9.. => Self::Promoter,
            7..=8 => Self::Passive,
            _ => Self::Detractor,
        }
    }

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promoter => "promoter",
            Self::Passive => "passive",
            Self::Detractor => "detractor",
        }
    }
}

/// The share of promoters less that of detractors, -100 to 100, to one decimal; `None` without a
/// rating.
#[must_use]
pub fn net_promoter_score(ratings: &[i64]) -> Option<f64> {
    if ratings.is_empty() {
        return None;
    }
    let balance: i64 = ratings
        .iter()
        .map(|rating| match NpsGroup::of(*rating) {
            NpsGroup::Promoter => 1,
            NpsGroup::Passive => 0,
            NpsGroup::Detractor => -1,
        })
        .sum();
    Some((balance as f64 * 1000.0 / ratings.len() as f64).round() / 10.0)
}

/// Share of leads that were won, to four decimals; `None` without a lead.
#[must_use]
pub fn conversion(won: i64, leads: i64) -> Option<f64> {
    (leads > 0).then(|| (won as f64 / leads as f64 * 1e4).round() / 1e4)
}

/// What a lead cost, to the cent; `None` without a lead or a contract.
#[must_use]
pub fn cost_per_lead(contract_value: Option<f64>, leads: i64) -> Option<f64> {
    contract_value.filter(|_| leads > 0).map(|value| (value * 100.0 / leads as f64).round() / 100.0)
}

/// What came back beyond what was paid, in percent of it, to two decimals; `None` where either is
/// not known or nothing was paid.
#[must_use]
pub fn return_on_investment(value: Option<f64>, paid: Option<f64>) -> Option<f64> {
    let (value, paid) = (value?, paid.filter(|paid| *paid > 0.0)?);
    Some(((value - paid) / paid * 1e4).round() / 100.0)
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // Rounded numbers.
mod tests {
    use super::*;

    #[test]
    fn figures_worked_by_hand() {
        assert_eq!(net_promoter_score(&[10, 9, 8, 6]), Some(25.0));
        assert_eq!(net_promoter_score(&[9, 9, 1]), Some(33.3));
        assert_eq!(net_promoter_score(&[]), None);
        assert_eq!(conversion(1, 3), Some(0.3333));
        assert_eq!(conversion(0, 0), None);
        assert_eq!(cost_per_lead(Some(1000.0), 3), Some(333.33));
        assert_eq!(cost_per_lead(None, 3), None);
        assert_eq!(cost_per_lead(Some(1000.0), 0), None);
        assert_eq!(return_on_investment(Some(35_000.0), Some(10_000.0)), Some(250.0));
        assert_eq!(return_on_investment(Some(0.0), Some(10_000.0)), Some(-100.0));
        assert_eq!(return_on_investment(Some(5.0), Some(0.0)), None);
    }
}
