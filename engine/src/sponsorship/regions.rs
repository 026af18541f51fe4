//! Regions in one form: countries by whichever name or code they are written, everything else as it
//! is.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::words::{distinct, plain};

/// A country a line: the two codes of ISO 3166-1, then its English names, the one of ISO first,
/// separated by bars. Codes and official names are those of the standard (April 2023), further names
/// those of the public-domain `iso3166.tab` of the time zone database and usual short forms.
const COUNTRIES: &str = include_str!("countries.txt");

/// Bytes of a text that may be the name of a country, with any dots and spaces; a longer one is none.
const MOST_BYTES: usize = 500;

/// Letters with marks that occur in names of countries, and the letters that stand for them.
const UNMARKED: [(&str, char); 6] =
    [("áàâãäå", 'a'), ("ç", 'c'), ("éèêë", 'e'), ("íìîï", 'i'), ("óòôõö", 'o'), ("úùûü", 'u')];

/// A name as the table has it: letters without marks, words with single blanks between them. "St."
/// and "&" are written out, dots and apostrophes go, and so does a leading article.
fn name(text: &str) -> String {
    let mut letters = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            // The last is what a capital dotted I leaves in lower case.
            '.' | '\'' | '\u{2019}' | '\u{307}' => {}
            '&' => letters.push_str(" and "),
            c if c.is_alphanumeric() => {
                let found = UNMARKED.iter().find(|(marked, _)| marked.contains(c));
                letters.push(found.map_or(c, |(_, unmarked)| *unmarked));
            }
            _ => letters.push(' '),
        }
    }
    let words = letters.split_whitespace().map(|word| if word == "st" { "saint" } else { word });
    let words: Vec<&str> = words.collect();
    match words.as_slice() {
        ["the", rest @ ..] if !rest.is_empty() => rest.join(" "),
        all => all.join(" "),
    }
}

fn countries() -> &'static HashMap<String, &'static str> {
    static TABLE: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = HashMap::new();
        for line in COUNTRIES.lines() {
            let (code, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (long_code, names) = rest.split_once(' ').unwrap_or((rest, ""));
            for known in [code, long_code].into_iter().chain(names.split('|')) {
                table.insert(name(known), code);
            }
        }
        table
    })
}

/// The form in which a region is compared: the two letters of ISO 3166-1 for a country that is given
/// by a code, an English name or a usual short form; anything else in lower case without surrounding
/// space.
#[must_use]
pub fn fold(region: &str) -> String {
    let region = region.trim();
    if region.len() > MOST_BYTES {
        return plain(region);
    }
    let known = countries().get(&name(region)).map(|code| code.to_lowercase());
    known.unwrap_or_else(|| plain(region))
}

/// Regions as they are compared, each once.
pub(super) fn folded<'a>(regions: impl Iterator<Item = &'a str>) -> Vec<String> {
    distinct(regions.map(fold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_of_a_country_are_one() {
        for (code, written) in [
            ("us", ["US", "usa", "U.S.A.", " United  States ", "the United States of America"]),
            ("gb", ["GB", "gbr", "UK", "u.k.", "Great Britain"]),
            ("tr", ["TR", "TUR", "Türkiye", "Turkiye", "TURKEY"]),
            ("ci", ["CI", "CIV", "Côte d'Ivoire", "Cote d\u{2019}Ivoire", "Ivory Coast"]),
            ("lc", ["LC", "LCA", "Saint Lucia", "St. Lucia", "st lucia"]),
            ("ba", ["BA", "BIH", "Bosnia & Herzegovina", "bosnia and herzegovina", "Bosnia"]),
            ("kr", ["KR", "KOR", "South Korea", "Korea (Republic of)", "Republic of Korea"]),
            ("ae", ["AE", "ARE", "UAE", "U.A.E.", "United Arab Emirates"]),
            ("cz", ["CZ", "CZE", "Czechia", "czech republic", "The Czech Republic"]),
        ] {
            for word in written {
                assert_eq!(fold(word), code, "{word}");
            }
        }
    }

    #[test]
    fn unknown_words_stay_as_they_are() {
        assert_eq!(fold("  Bay Area "), "bay area");
        assert_eq!(fold("EMEA"), "emea");
        assert_eq!(fold("São Paulo"), "são paulo");
        assert_eq!(fold("St. Gallen"), "st. gallen");
        assert_eq!(fold("the"), "the");
        assert_eq!(fold("  "), "");
        assert_eq!(fold(&format!("{}USA", " ".repeat(1_000))), "us");
        assert_eq!(fold(&"U.S. ".repeat(1_000)), "u.s. ".repeat(1_000).trim());
    }

    #[test]
    fn the_table_is_whole_and_without_contradictions() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for line in COUNTRIES.lines() {
            let (code, rest) = line.split_at(2);
            let (long_code, names) = rest[1..].split_at(3);
            assert!(
                code.bytes().chain(long_code.bytes()).all(|b| b.is_ascii_uppercase()),
                "{line}"
            );
            for word in [code, long_code].into_iter().chain(names[1..].split('|')) {
                assert!(!name(word).is_empty(), "{line}");
                let before = seen.insert(name(word), code);
                assert!(before.is_none(), "{word} is written twice");
            }
        }
        assert_eq!(COUNTRIES.lines().count(), 249);
    }
}
