//! What people make of a match: it is seen, somebody gets in touch, it is accepted or rejected.

use crate::error::{Error, Result};

/// What somebody does with a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Looks at it.
    Viewed,
    /// Gets in touch with the other side.
    Contacted,
    /// Says yes.
    Accepted,
    /// Says no.
    Rejected,
}

impl Action {
    const ALL: [(&'static str, Self); 4] = [
        ("viewed", Self::Viewed),
        ("contacted", Self::Contacted),
        ("accepted", Self::Accepted),
        ("rejected", Self::Rejected),
    ];

    /// Reads an action by its name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else than the four words.
    pub fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, action)| action).ok_or_else(|| {
            Error::invalid(
                format!("{text:?} is nothing that is done with a match"),
                "",
                "Use viewed, contacted, accepted or rejected.",
            )
        })
    }
}

/// What a match has been through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// pending, suggested, accepted or rejected.
    pub status: &'a str,
    /// Whether somebody looked at it.
    pub viewed: bool,
    /// Whether somebody got in touch.
    pub contacted: bool,
    /// Whether sponsor or event left the market.
    pub retired: bool,
}

/// The state after an action. Whoever gets in touch or answers has looked; a yes can become a no and
/// a no a yes; the same again changes nothing.
///
/// # Errors
/// [`Error::WrongState`] for more than a look at a match that is off the market.
pub fn answer(state: State<'_>, action: Action) -> Result<State<'_>> {
    if state.retired && action != Action::Viewed {
        return Err(Error::WrongState {
            message: "this match is off the market".into(),
            detail: "Its sponsor or its event left the market.".into(),
            hint: "Answer it when both are back.".into(),
        });
    }
    let status = match action {
        Action::Accepted => "accepted",
        Action::Rejected => "rejected",
        Action::Viewed | Action::Contacted => state.status,
    };
    let contacted = state.contacted || action == Action::Contacted;
    Ok(State { status, viewed: true, contacted, ..state })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: State<'_> =
        State { status: "suggested", viewed: false, contacted: false, retired: false };

    #[test]
    fn actions_lead_where_they_say() {
        let seen = answer(NEW, Action::Viewed).unwrap();
        assert_eq!(seen, State { viewed: true, ..NEW });
        let asked = answer(NEW, Action::Contacted).unwrap();
        assert_eq!(asked, State { viewed: true, contacted: true, ..NEW });
        let yes = answer(asked, Action::Accepted).unwrap();
        assert_eq!(yes, State { status: "accepted", ..asked });
        assert_eq!(answer(yes, Action::Accepted).unwrap(), yes);
        assert_eq!(answer(yes, Action::Rejected).unwrap().status, "rejected");
        assert_eq!(answer(yes, Action::Viewed).unwrap(), yes);
    }

    #[test]
    fn what_left_the_market_is_only_looked_at() {
        let gone = State { retired: true, ..NEW };
        assert!(answer(gone, Action::Viewed).unwrap().viewed);
        for action in [Action::Contacted, Action::Accepted, Action::Rejected] {
            assert_eq!(answer(gone, action).unwrap_err().sqlstate(), "55000");
        }
    }

    #[test]
    fn four_words_and_no_other() {
        for (name, action) in Action::ALL {
            assert_eq!(Action::parse(name).unwrap(), action);
        }
        for wrong in ["", "Viewed", "accept", "pending"] {
            assert_eq!(Action::parse(wrong).unwrap_err().sqlstate(), "22023");
        }
    }
}
