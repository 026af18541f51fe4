//! A contractor as they are compared.

use std::collections::HashMap;

use super::disc::Disc;
use super::parts::{self, Parts};
use super::places::{Separation, state_code};
use super::words::normalised;
use crate::pairs::common;

/// What is known of a contractor, as they wrote it.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// What they want to talk about.
    pub focus_areas: Vec<String>,
    /// What they offer.
    pub services: Vec<String>,
    /// Where.
    pub city: Option<String>,
    /// Where.
    pub state: Option<String>,
    /// Yearly revenue.
    pub revenue_tier: Option<String>,
    /// People; 0 is unknown.
    pub team_size: Option<u32>,
    /// Years in business.
    pub years_in_business: Option<u32>,
    /// Tools they run the business with.
    pub technology_stack: Vec<String>,
    /// Style.
    pub disc_style: Option<String>,
}

/// Revenue tiers from the smallest.
const TIERS: [&str; 6] = ["under_500k", "500k_1m", "1m_2m", "2m_5m", "5m_10m", "10m_plus"];

/// The families that services belong to.
#[derive(Clone, Debug, Default)]
pub struct Families {
    of: HashMap<String, Vec<u32>>,
    names: Vec<String>,
}

impl Families {
    /// From pairs of a service and its family.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut families = Self::default();
        for (service, family) in pairs {
            let known = families.names.iter().position(|name| *name == family);
            let number = known.unwrap_or_else(|| {
                families.names.push(family);
                families.names.len() - 1
            });
            families.of.entry(normalised(&service)).or_default().push(number as u32);
        }
        families
    }

    fn of(&self, service: &str) -> &[u32] {
        self.of.get(service).map_or(&[], Vec::as_slice)
    }
}

/// A list as it is compared and as it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// For comparison: in order, each once.
    pub keys: Vec<String>,
    /// As written, each once, in the order of the list.
    written: Vec<String>,
}

impl Words {
    fn new(list: &[String]) -> Self {
        let mut words = Self::default();
        for word in list {
            let key = normalised(word);
            if key.is_empty() {
                continue;
            }
            if let Err(at) = words.keys.binary_search(&key) {
                words.keys.insert(at, key);
                words.written.push(word.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
        words
    }

    fn size(&self) -> u32 {
        self.keys.len() as u32
    }

    fn has(&self, key: &String) -> bool {
        self.keys.binary_search(key).is_ok()
    }

    /// The words that another list has as well, as written in this one.
    pub fn shared<'a>(&'a self, other: &Self) -> Vec<&'a str> {
        let there = |word: &&String| other.has(&normalised(word));
        self.written.iter().filter(there).map(String::as_str).collect()
    }
}

/// A contractor in the form in which two are compared.
#[derive(Clone, Debug, Default)]
pub struct Contractor {
    pub(super) focus: Words,
    pub(super) services: Words,
    pub(super) families: Vec<u32>,
    pub(super) tools: Words,
    pub(super) state: String,
    pub(super) city: String,
    /// As it is shown.
    pub(super) area: Option<String>,
    pub(super) tier: u8,
    pub(super) team: u32,
    pub(super) years: Option<u32>,
    pub(super) disc: Option<Disc>,
}

impl Contractor {
    /// Brings a profile into comparable form.
    #[must_use]
    pub fn new(profile: &Profile, families: &Families) -> Self {
        let services = Words::new(&profile.services);
        let mut of_services: Vec<u32> =
            services.keys.iter().flat_map(|service| families.of(service)).copied().collect();
        of_services.sort_unstable();
        of_services.dedup();
        let tier = profile.revenue_tier.as_deref();
        let tier = tier.and_then(|tier| TIERS.iter().position(|known| *known == tier));
        Self {
            focus: Words::new(&profile.focus_areas),
            services,
            families: of_services,
            tools: Words::new(&profile.technology_stack),
            state: profile.state.as_deref().map(state_code).unwrap_or_default(),
            city: profile
                .city
                .as_deref()
                .map(|c| normalised(&c.replace('.', "")))
                .unwrap_or_default(),
            area: area(profile.city.as_deref(), profile.state.as_deref()),
            tier: tier.map_or(0, |at| at as u8 + 1),
            team: profile.team_size.unwrap_or(0),
            years: profile.years_in_business,
            disc: profile.disc_style.as_deref().and_then(Disc::parse),
        }
    }

    /// How well two fit, by criterion.
    #[must_use]
    pub fn parts(&self, other: &Self) -> Parts {
        let families = || common(&self.families, &other.families) > 0;
        let (focus, services) = (&self.focus, &self.services);
        Parts {
            focus: parts::jaccard(
                common(&focus.keys, &other.focus.keys),
                focus.size(),
                other.focus.size(),
            ),
            geographic: parts::geographic(self.separation(other)),
            scale: parts::scale((self.tier, other.tier), (self.team, other.team)),
            industry: parts::industry(
                common(&services.keys, &other.services.keys),
                services.size(),
                other.services.size(),
                families,
            ),
            years: parts::years(self.years, other.years),
            tools: parts::jaccard(
                common(&self.tools.keys, &other.tools.keys),
                self.tools.size(),
                other.tools.size(),
            ),
            disc: parts::disc(self.disc, other.disc),
        }
    }

    /// Whether this is among what they want to talk about.
    #[must_use]
    pub fn wants(&self, topic: &str) -> bool {
        self.focus.has(&normalised(topic))
    }

    /// What everybody of `people` wants to talk about, as the first of them wrote it.
    #[must_use]
    pub fn shared_focus(people: &[&Self]) -> Vec<String> {
        let Some((first, rest)) = people.split_first() else { return vec![] };
        let by_all = |word: &&String| {
            let key = normalised(word);
            rest.iter().all(|person| person.focus.has(&key))
        };
        first.focus.written.iter().filter(by_all).cloned().collect()
    }

    pub(super) fn separation(&self, other: &Self) -> Separation {
        // Codes that say no more than equal, different or unknown.
        let codes = |a: &String, b: &String| {
            let code = |x: &String| u32::from(!x.is_empty());
            if a == b || a.is_empty() || b.is_empty() { (code(a), code(b)) } else { (1, 2) }
        };
        Separation::of(codes(&self.state, &other.state), codes(&self.city, &other.city))
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words = |words: &Words| {
            words.keys.iter().chain(&words.written).map(|word| word.len() + 32).sum::<usize>()
        };
        let lists = words(&self.focus) + words(&self.services) + words(&self.tools);
        size_of::<Self>() + lists + self.state.len() + self.city.len() + 4 * self.families.len()
    }
}

/// 'City, ST', or the one of the two that is known.
fn area(city: Option<&str>, state: Option<&str>) -> Option<String> {
    let known =
        |part: Option<&str>| part.map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned);
    match (known(city), known(state)) {
        (Some(city), Some(state)) => Some(format!("{city}, {state}")),
        (city, state) => city.or(state),
    }
}
