//! Why two should meet, in sentences that are true of them.

use super::contractor::Contractor;
use super::places::Separation;

/// So many things of a kind are named.
const NAMED: usize = 4;
/// A scale from here up is called similar.
const SIMILAR: f64 = 0.8;

/// What the first of the two is told of the second.
#[must_use]
pub fn reason(first: &Contractor, second: &Contractor) -> String {
    let parts = first.parts(second);
    let focus = first.focus.shared(&second.focus);
    let mut said = Vec::new();
    if !focus.is_empty() {
        said.push(format!("Both focused on {}.", listed(&focus)));
    }
    said.extend(places(first, second));
    if parts.scale >= SIMILAR {
        said.push("Similar business size.".to_owned());
    }
    // The trade speaks where there is nothing to talk about yet.
    if focus.is_empty() {
        let services = first.services.shared(&second.services);
        if !services.is_empty() {
            said.push(format!("Both offer {}.", listed(&services)));
        } else if parts.industry >= 0.5 {
            said.push("Related trades.".to_owned());
        }
    }
    if said.is_empty() {
        said.push("Open to meeting peers.".to_owned());
    }
    said.join(" ")
}

fn places(first: &Contractor, second: &Contractor) -> Option<String> {
    let (a, b) = (first.area.as_deref()?, second.area.as_deref()?);
    match first.separation(second) {
        Separation::States => Some(format!("Different markets ({a} vs {b}).")),
        Separation::Cities if !first.city.is_empty() && !second.city.is_empty() => {
            Some(format!("Same state, different cities ({a} vs {b})."))
        }
        Separation::Cities => Some(format!("Same state ({a}).")),
        Separation::None => Some(format!("Same city ({a}).")),
        Separation::Unknown => None,
    }
}

/// 'a', 'a and b', 'a, b and c'; of many the first few and how many more.
fn listed(words: &[&str]) -> String {
    if words.len() > NAMED {
        return format!("{} and {} more", words[..NAMED].join(", "), words.len() - NAMED);
    }
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
