//! What an attendee says of themselves.

use crate::error::{Error, Result};
use crate::threads;

/// How far a company is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing but an idea.
    Idea,
    /// Young.
    Startup,
    /// Growing.
    Growth,
    /// Large.
    Enterprise,
}

impl Stage {
    /// The stage with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "idea" => Some(Self::Idea),
            "startup" => Some(Self::Startup),
            "growth" => Some(Self::Growth),
            "enterprise" => Some(Self::Enterprise),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idea => "idea",
            Self::Startup => "startup",
            Self::Growth => "growth",
            Self::Enterprise => "enterprise",
        }
    }
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Founded the company.
    Founder,
    /// Leads it.
    Executive,
    /// Leads a team.
    Manager,
    /// Does the work.
    IndividualContributor,
    /// Gives money.
    Investor,
    /// Something else.
    Other,
}

impl Role {
    /// The role with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "founder" => Some(Self::Founder),
            "executive" => Some(Self::Executive),
            "manager" => Some(Self::Manager),
            "individual_contributor" => Some(Self::IndividualContributor),
            "investor" => Some(Self::Investor),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    /// What a person is called who does it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Founder => "founder",
            Self::Executive => "executive",
            Self::Manager => "manager",
            Self::IndividualContributor => "individual contributor",
            Self::Investor => "investor",
            Self::Other => "other",
        }
    }

    /// How high on the ladder, where there is one: 0 to 2.
    #[must_use]
    pub fn seniority(self) -> Option<u8> {
        match self {
            Self::IndividualContributor => Some(0),
            Self::Manager => Some(1),
            Self::Executive | Self::Founder => Some(2),
            Self::Investor | Self::Other => None,
        }
    }
}

/// One attendee's networking preferences and stated interests. Words are kept as they were written;
/// [`word`] says when two of them are the same.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// What is sought.
    pub looking_for: Vec<String>,
    /// What is offered.
    pub can_offer: Vec<String>,
    /// Topics and industries of interest.
    pub topics: Vec<String>,
    /// The industry that the person works in.
    pub industry: Option<String>,
    /// The stage of their company.
    pub stage: Option<Stage>,
    /// What they do.
    pub role: Option<Role>,
    /// For how many years.
    pub years: Option<u32>,
    /// Wants people of the same industry; otherwise of others.
    pub same_industry: bool,
    /// Wants people of another role with goals that meet; otherwise of the same role.
    pub complementary: bool,
}

impl Profile {
    /// Every profile as [`Profile::tidy`] leaves it.
    #[must_use]
    pub fn tidy_all(people: Vec<Self>) -> Vec<Self> {
        threads::map_into(people, Self::tidy)
    }

    /// A profile whose words are free of repetitions and blanks, in the order in which they were
    /// written.
    #[must_use]
    pub fn tidy(mut self) -> Self {
        for words in [&mut self.looking_for, &mut self.can_offer, &mut self.topics] {
            let mut seen = std::collections::HashSet::new();
            words.retain(|written| {
                let word = word(written);
                !word.is_empty() && seen.insert(word)
            });
        }
        self.industry = self.industry.filter(|industry| !word(industry).is_empty());
        self
    }
}

/// What a written word is compared by: lower case, without blanks around it.
#[must_use]
pub fn word(written: &str) -> String {
    written.trim().to_lowercase()
}

/// A share between 0 and 1, as a caller may pass it.
///
/// # Errors
/// [`Error::Invalid`] naming the parameter.
pub fn share(value: f64, parameter: &str) -> Result<f64> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(Error::invalid(
        format!("{parameter} must be between 0 and 1, not {value}"),
        "",
        "Scores lie between 0 and 1.",
    ))
}
