//! Telephone numbers, as far as one must be recognised.

/// The ways in which the digits of a number may have been written down: with or without the
/// international prefix, and North American ones with or without the 1. Nothing for a text that
/// has no digits.
#[must_use]
pub fn same_number(phone: &str) -> Vec<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let plain = digits.strip_prefix("00").unwrap_or(&digits);
    if plain.is_empty() {
        return Vec::new();
    }
    let national = match plain.strip_prefix('1') {
        Some(rest) if rest.len() == 10 => Some(rest),
        _ if plain.len() == 10
            && !phone.trim_start().starts_with('+')
            && !digits.starts_with("00") =>
        {
            Some(plain)
        }
        _ => None,
    };
    let mut written = match national {
        Some(number) => vec![number.to_owned(), format!("1{number}"), format!("001{number}")],
        None => vec![plain.to_owned(), format!("00{plain}")],
    };
    if !written.contains(&digits) {
        written.push(digits);
    }
    written
}

/// Whether a text has somebody's number or address in it, however it is spaced.
#[must_use]
pub fn gives_away(text: &str, phone: Option<&str>, email: Option<&str>) -> bool {
    let only = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let number = phone.map(only).filter(|digits| digits.len() >= 7);
    // What is written between two digits of one number: spaces, brackets, dots and the like.
    let joined: Vec<String> = text.split(|c: char| c.is_alphabetic()).map(only).collect();
    let by_phone = number.is_some_and(|digits| {
        let short = digits.len().saturating_sub(10);
        joined.iter().any(|run| run.contains(&digits[short..]))
    });
    let by_email = email
        .map(|address| address.trim().to_lowercase())
        .is_some_and(|address| !address.is_empty() && text.to_lowercase().contains(&address));
    by_phone || by_email
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_by_any_of_its_spellings() {
        let spellings = ["+1 (555) 010-0199", "555-010-0199", "15550100199", "001 555 010 0199"];
        for one in spellings {
            for other in spellings {
                let digits: String = other.chars().filter(char::is_ascii_digit).collect();
                assert!(same_number(one).contains(&digits), "{one} and {other}");
            }
        }
        assert_eq!(same_number("+32 2 555 01 99"), ["3225550199", "003225550199"]);
        assert_eq!(same_number("+3225550199"), ["3225550199", "003225550199"]);
        assert_eq!(same_number("12345"), ["12345", "0012345"]);
        assert!(same_number("anonymous").is_empty() && same_number("").is_empty());
    }

    #[test]
    fn other_numbers_are_others() {
        assert!(!same_number("+15550100199").contains(&"15550100198".to_owned()));
        assert!(!same_number("+3225550199").contains(&"13225550199".to_owned()));
    }

    #[test]
    fn a_number_or_an_address_in_a_text_is_seen() {
        let phone = Some("+1 (555) 010-0199");
        for text in ["call 555 010 0199", "+1-555-010-0199 now", "5550100199", "(555) 010.0199!"] {
            assert!(gives_away(text, phone, None), "{text}");
        }
        assert!(gives_away("write to Ann@X.example", None, Some("ann@x.example ")));
        for text in ["room 555", "in 10 minutes at 0199", "", "call 555 010 and then 0199"] {
            assert!(!gives_away(text, phone, Some("ann@x.example")), "{text}");
        }
        assert!(!gives_away("anything", None, Some("")) && !gives_away("12", Some("12"), None));
    }
}
