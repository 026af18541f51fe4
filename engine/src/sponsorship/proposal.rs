//! A proposal to a sponsor, in Markdown, from what is known of the event and of the fit. What is not
//! known is not mentioned, and the sponsor's budget never is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;

use super::markdown::line;
use super::overrides::Case;
use super::regions::folded;
use super::sides::MOST_COUNT;
use super::words::{categories, plain};
use crate::sponsorship::fold_region;

/// Characters of a name, and of a description.
const NAME: usize = 200;
const DESCRIPTION: usize = 1_000;
/// Regions, ages and benefits that are listed.
const LISTED: usize = 5;
const BENEFITS: usize = 8;
/// The least share of an audience that is mentioned.
const LEAST_SHARE: f64 = 0.005;

/// What a proposal is written from.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Name of the sponsor.
    pub company: String,
    /// Title of the event.
    pub title: String,
    /// The event in its organizer's words.
    pub description: Option<String>,
    /// The days of the event as a text.
    pub dates: Option<String>,
    /// City and country.
    pub place: Option<String>,
    /// Who organizes it.
    pub organizer: String,
    /// Quality of the event, 0 to 100, and the name of its tier.
    pub quality: Option<(f64, String)>,
    /// Who comes, where that is known.
    pub audience: Option<Audience>,
    /// Both sides of the fit.
    pub case: Case,
    /// What is on sale.
    pub packages: Vec<Package>,
}

/// What is known of an audience beside what a fit is computed from.
#[derive(Debug, Clone, Default)]
pub struct Audience {
    /// People.
    pub attendees: i64,
    /// Shares or counts by age.
    pub ages: Vec<(String, f64)>,
    /// Mentions in social media.
    pub mentions: i64,
}

/// A package that is on sale.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: String,
    /// Its price in minor units, how many of those make one unit, and of what.
    pub price: (i64, i64, String),
    /// How many are left, and how many there are.
    pub left: (i64, i64),
    /// What it includes.
    pub benefits: Vec<String>,
}

impl Proposal {
    /// The proposal as a document.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let (title, company) = (line(&self.title, NAME), line(&self.company, NAME));
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "# Proposal: {title} for {company}\n");
        if let Some(description) = said(self.description.as_deref(), DESCRIPTION) {
            let _ = writeln!(text, "About the event: {description}\n");
        }
        section(&mut text, "The event", &self.facts(), "");
        section(&mut text, "The audience", &self.audience(), "Nothing has been counted yet.");
        section(&mut text, &format!("Why it fits {company}"), &self.reasons(&company), "");
        self.packages(&mut text);
        text
    }

    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        let mut fact = |name: &str, value: Option<String>| {
            facts.extend(value.map(|value| format!("{name}: {value}")));
        };
        fact("When", said(self.dates.as_deref(), NAME));
        fact("Where", said(self.place.as_deref(), NAME));
        let about: Vec<String> =
            self.case.event.categories.iter().filter_map(|word| said(Some(word), NAME)).collect();
        fact("About", (!about.is_empty()).then(|| about.join(", ")));
        fact("Organized by", said(Some(&self.organizer), NAME));
        let quality = self.quality.as_ref();
        fact("Quality", quality.map(|(score, tier)| format!("{score:.0} of 100 ({tier})")));
        facts
    }

    fn audience(&self) -> Vec<String> {
        let Some(insights) = &self.case.event.insights else { return vec![] };
        let other = self.audience.clone().unwrap_or_default();
        let mut facts = Vec::new();
        if other.attendees > 0 {
            facts.push(format!("{} attendees", grouped(other.attendees)));
        }
        let homes = largest(&insights.geo_distribution, fold_region);
        facts.extend((!homes.is_empty()).then(|| format!("Where they live: {homes}")));
        let ages = largest(&other.ages, plain);
        facts.extend((!ages.is_empty()).then(|| format!("Age: {ages}")));
        if let Some(score) = insights.engagement_score {
            facts.push(format!("Engagement: {score:.2} of 1"));
        }
        if let Some(rate) = insights.ticket_conversion_rate {
            facts.push(format!("Of those who looked at tickets, {} bought one", percent(rate)));
        }
        if other.mentions > 0 {
            facts.push(format!("Mentioned {} times in social media", grouped(other.mentions)));
        }
        facts
    }

    /// What the event has of what the sponsor looks for, and how much that makes.
    fn reasons(&self, company: &str) -> Vec<String> {
        let (sponsor, event) = (&self.case.sponsor, &self.case.event);
        let fit = self.case.fit();
        let mut reasons = Vec::new();
        let wanted = categories(&sponsor.preferred_categories);
        let shared = both(&sponsor.preferred_categories, &categories(&event.categories), plain);
        if !shared.is_empty() {
            let (count, of) = (shared.len(), wanted.len());
            let shared = shared.join(", ");
            reasons.push(format!(
                "It has {count} of the {of} {} that {company} looks for: {shared}",
                plural(of, "category", "categories")
            ));
        }
        let counted = event.insights.iter().flat_map(|insights| &insights.geo_distribution);
        let own = event.regions.iter().map(String::as_str);
        let present = folded(own.chain(counted.map(|(region, _)| region.as_str())));
        let shared = both(&sponsor.regions, &present, fold_region);
        if !shared.is_empty() {
            let (count, of) =
                (shared.len(), folded(sponsor.regions.iter().map(String::as_str)).len());
            let shared = shared.join(", ");
            reasons.push(format!(
                "It reaches {count} of the {of} {} that {company} looks for: {shared}",
                plural(of, "region", "regions")
            ));
            if self.homes_known() {
                reasons.push(format!("{} of its audience lives there", percent(fit.geo_fit)));
            }
        }
        reasons.push(format!(
            "The fit is {:.2} of 1, of which {} rests on data",
            fit.stored_score(),
            percent(fit.coverage)
        ));
        reasons
    }

    fn homes_known(&self) -> bool {
        let insights = self.case.event.insights.as_ref();
        insights
            .is_some_and(|insights| insights.geo_distribution.iter().any(|(_, count)| *count > 0.0))
    }

    fn packages(&self, text: &mut String) {
        text.push_str("## Packages\n\n");
        if self.packages.is_empty() {
            text.push_str("None is on sale at the moment.\n");
            return;
        }
        text.push_str(
            "| Package | Tier | Price | Left | Includes |\n| --- | --- | ---: | ---: | --- |\n",
        );
        for package in &self.packages {
            let benefits: Vec<String> = package
                .benefits
                .iter()
                .filter_map(|benefit| said(Some(benefit), NAME))
                .take(BENEFITS)
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} of {} | {} |",
                line(&package.name, NAME),
                line(&package.tier, NAME),
                money(&package.price),
                package.left.0,
                package.left.1,
                benefits.join("; ")
            );
        }
    }
}

fn section(text: &mut String, title: &str, facts: &[String], nothing: &str) {
    let _ = writeln!(text, "## {title}\n");
    for fact in facts {
        let _ = writeln!(text, "- {fact}");
    }
    if facts.is_empty() {
        text.push_str(nothing);
        text.push('\n');
    }
    text.push('\n');
}

/// A text of somebody, unless it is empty.
fn said(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|text| line(text, most)).filter(|text| !text.is_empty())
}

/// The words wanted that are present, each once and as they are written.
fn both(wanted: &[String], present: &[String], form: fn(&str) -> String) -> Vec<String> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for word in wanted {
        let form = form(word);
        if present.binary_search(&form).is_ok() && !seen.contains(&form) {
            seen.push(form);
            found.push(line(word, NAME));
        }
    }
    found
}

/// The largest shares of a distribution, those of one form taken together under the name that has
/// most.
fn largest(distribution: &[(String, f64)], form: fn(&str) -> String) -> String {
    let counted = distribution.iter().filter(|(_, count)| *count > 0.0);
    let mut given: Vec<(&str, f64)> =
        counted.map(|(name, count)| (name.as_str(), count.min(MOST_COUNT))).collect();
    given.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merged: Vec<(&str, f64)> = Vec::new();
    for (name, count) in given {
        match places.entry(form(name)) {
            Entry::Occupied(known) => merged[*known.get()].1 += count,
            Entry::Vacant(free) => {
                free.insert(merged.len());
                merged.push((name, count));
            }
        }
    }
    let total: f64 = merged.iter().map(|(_, count)| count).sum();
    merged.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shares = merged.iter().map(|(name, count)| (name, count / total));
    let shares = shares.filter(|(_, share)| *share >= LEAST_SHARE).take(LISTED);
    let texts: Vec<String> =
        shares.map(|(name, share)| format!("{} {}", line(name, NAME), percent(share))).collect();
    texts.join(", ")
}

fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let whole = percent >= 10.0 || (percent - percent.round()).abs() < 0.05;
    if whole { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// 1240 as 1,240.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn money((cents, minor, currency): &(i64, i64, String)) -> String {
    let minor = (*minor).max(1);
    let (units, rest) = (grouped(cents / minor), cents % minor);
    let decimals = minor.ilog10() as usize;
    let currency = line(currency, NAME);
    if rest == 0 {
        format!("{units} {currency}")
    } else {
        format!("{units}.{rest:0decimals$} {currency}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sponsorship::{EventSide, Insights, SponsorSide, Weights};

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    fn proposal() -> Proposal {
        let counts = [("US", 600.0), ("Canada", 150.0), ("usa", 50.0), ("FR", 199.0), ("DE", 1.0)];
        let insights = Insights {
            geo_distribution: counts.map(|(region, count)| (region.to_owned(), count)).to_vec(),
            engagement_score: Some(0.8),
            ticket_conversion_rate: Some(0.045),
        };
        Proposal {
            company: "Acme *& Sons*".into(),
            title: "Sounds\n# of 2031".into(),
            description: Some("Music | and <b>food</b>".into()),
            dates: Some("1 to 3 May 2031".into()),
            place: Some("Berlin, Germany".into()),
            organizer: "Loud Ltd".into(),
            quality: Some((71.6, "high".into())),
            audience: Some(Audience {
                attendees: 1_240,
                ages: vec![("18-24".into(), 0.25), ("25-34".into(), 0.75)],
                mentions: 0,
            }),
            case: Case {
                sponsor: SponsorSide {
                    annual_budget_cents: Some(7_654_321),
                    preferred_categories: list(&["Music", "music", "Art"]),
                    regions: list(&["United States", "Canada", "Peru"]),
                    objectives: None,
                },
                event: EventSide {
                    categories: list(&["music", "Food"]),
                    regions: vec![],
                    insights: Some(insights),
                    embedding: None,
                },
                weights: Weights::default(),
            },
            packages: vec![Package {
                name: "Gold | stage".into(),
                tier: "gold".into(),
                price: (1_200_050, 100, "USD".into()),
                left: (2, 5),
                benefits: list(&["Booth", " ", "Logo"]),
            }],
        }
    }

    #[test]
    fn a_proposal_says_what_is_known() {
        let text = proposal().to_markdown();
        // Regions: 800 of 1,000. The budget brings .25 x 7654321 / 7754321 = .246776, the overlaps
        // .35 (.6 / 2 + .4 x 2 / 3) = .198333, then .15 x .8, .15 (.56 + .0135) and .05: .701134.
        let expected = "# Proposal: Sounds \\# of 2031 for Acme \\*\\& Sons\\*

About the event: Music \\| and \\<b\\>food\\</b\\>

## The event

- When: 1 to 3 May 2031
- Where: Berlin, Germany
- About: music, Food
- Organized by: Loud Ltd
- Quality: 72 of 100 (high)

## The audience

- 1,240 attendees
- Where they live: US 65 %, FR 20 %, Canada 15 %
- Age: 25-34 75 %, 18-24 25 %
- Engagement: 0.80 of 1
- Of those who looked at tickets, 4.5 % bought one

## Why it fits Acme \\*\\& Sons\\*

- It has 1 of the 2 categories that Acme \\*\\& Sons\\* looks for: Music
- It reaches 2 of the 3 regions that Acme \\*\\& Sons\\* looks for: United States, Canada
- 80 % of its audience lives there
- The fit is 0.70 of 1, of which 90 % rests on data

## Packages

| Package | Tier | Price | Left | Includes |
| --- | --- | ---: | ---: | --- |
| Gold \\| stage | gold | 12,000.50 USD | 2 of 5 | Booth; Logo |
";
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_is_made_up() {
        let mut bare = proposal();
        bare.case.event = EventSide::default();
        bare.case.sponsor = SponsorSide::default();
        bare.description = None;
        bare.dates = None;
        bare.place = Some("  ".into());
        bare.quality = None;
        bare.audience = None;
        bare.packages.clear();
        bare.company = "Acme".into();
        bare.title = "Sounds".into();
        let expected = "# Proposal: Sounds for Acme

## The event

- Organized by: Loud Ltd

## The audience

Nothing has been counted yet.

## Why it fits Acme

- The fit is 0.30 of 1, of which 0 % rests on data

## Packages

None is on sale at the moment.
";
        assert_eq!(bare.to_markdown(), expected);
    }

    #[test]
    fn whatever_was_counted_is_a_share() {
        // So many that to look through all for each would take minutes.
        let mut many: Vec<(String, f64)> = (0..300_000).map(|n| (format!("r{n}"), 1.0)).collect();
        many.push(("usa".into(), 200_000.0));
        many.push(("US".into(), 500_000.0));
        assert_eq!(largest(&many, fold_region), "US 70 %");
        let endless = [("a".to_owned(), f64::MAX), ("b".to_owned(), f64::MAX), ("c".into(), -1.0)];
        assert_eq!(largest(&endless, plain), "a 50 %, b 50 %");
    }

    #[test]
    fn the_budget_is_not_in_it() {
        let text = proposal().to_markdown();
        assert!(!text.contains("7654321") && !text.contains("76,543") && !text.contains("udget"));
    }

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        assert_eq!(money(&(1_234_500, 100, "EUR".into())), "12,345 EUR");
        assert_eq!(money(&(5, 100, "USD".into())), "0.05 USD");
        assert_eq!(money(&(1_234, 1, "JPY".into())), "1,234 JPY");
        assert_eq!(money(&(1_234_005, 1_000, "KWD".into())), "1,234.005 KWD");
    }
}
