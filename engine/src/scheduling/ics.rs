//! A meeting as an iCalendar file (RFC 5545).

use std::fmt::Write;

/// Octets of a line, without its end.
const LINE: usize = 75;
/// Seconds from the epoch of Unix to that of the microseconds here, the first of January 2000.
const EPOCH_SHIFT: i64 = 946_684_800;
const SECONDS_OF_DAY: i64 = 86_400;

/// What an invitation says. Times are microseconds since the first of January 2000, UTC.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invitation {
    /// Names the meeting for ever.
    pub uid: String,
    /// When this was last changed.
    pub stamp: i64,
    /// From.
    pub start: i64,
    /// Until.
    pub end: i64,
    /// The title.
    pub summary: String,
    /// More about it.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// A link.
    pub url: Option<String>,
    /// TENTATIVE, CONFIRMED or CANCELLED.
    pub status: &'static str,
    /// Grows with every change.
    pub sequence: i64,
}

/// The file: lines end in CR LF and are folded at 75 octets, texts are escaped.
#[must_use]
pub fn file(invitation: &Invitation) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| fold(&mut text, &format!("{name}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//convene//meetings//EN");
    line("CALSCALE", "GREGORIAN");
    line("METHOD", if invitation.status == "CANCELLED" { "CANCEL" } else { "PUBLISH" });
    line("BEGIN", "VEVENT");
    line("UID", &escape(&invitation.uid));
    line("DTSTAMP", &moment(invitation.stamp));
    line("DTSTART", &moment(invitation.start));
    line("DTEND", &moment(invitation.end));
    line("SEQUENCE", &invitation.sequence.to_string());
    line("STATUS", invitation.status);
    line("SUMMARY", &escape(&invitation.summary));
    for (name, value) in
        [("DESCRIPTION", &invitation.description), ("LOCATION", &invitation.location)]
    {
        if let Some(value) = value {
            line(name, &escape(value));
        }
    }
    if let Some(url) = invitation.url.as_deref().filter(|url| is_link(url)) {
        line("URL", url);
    }
    line("END", "VEVENT");
    line("END", "VCALENDAR");
    text
}

/// A value of type URI is not escaped, so it may hold nothing that would need it.
fn is_link(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && url.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | ';' | ',' => safe.extend(['\\', character]),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' => safe.push_str("\\n"),
            '\t' => safe.push(character),
            other if other.is_control() => {}
            other => safe.push(other),
        }
    }
    safe
}

/// Long lines go on after a blank; no character is torn apart.
fn fold(text: &mut String, line: &str) {
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > LINE {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(character);
        octets += character.len_utf8();
    }
    text.push_str("\r\n");
}

/// A moment in UTC, to the second.
fn moment(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000) + EPOCH_SHIFT;
    let (year, month, day) = date(seconds.div_euclid(SECONDS_OF_DAY));
    let rest = seconds.rem_euclid(SECONDS_OF_DAY);
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = write!(
        text,
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    );
    text
}

/// Year, month and day of a day counted from the first of January 1970. Years begin in March here, so that the leap
/// day is their last, and an era of 400 years has 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(0), "20000101T000000Z");
        assert_eq!(moment(-1), "19991231T235959Z");
        // 59 days after New Year 2000, a leap year, is the 29th of February.
        assert_eq!(moment(59 * 86_400_000_000), "20000229T000000Z");
        // 2025-11-15T14:00:00Z is 1,763,215,200 seconds after the epoch of Unix.
        assert_eq!(moment((1_763_215_200 - EPOCH_SHIFT) * 1_000_000), "20251115T140000Z");
    }

    #[test]
    fn a_file_is_what_the_standard_says() {
        let invitation = Invitation {
            uid: "1@convene".into(),
            end: 900_000_000,
            summary: "Ada, Ben; \\ and\r\nothers".into(),
            location: Some("Hall".into()),
            url: Some("javascript:alert(1)".into()),
            status: "CONFIRMED",
            ..Invitation::default()
        };
        let text = file(&invitation);
        assert_eq!(
            text,
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//convene//meetings//EN\r\nCALSCALE:GREGORIAN\r\n\
             METHOD:PUBLISH\r\nBEGIN:VEVENT\r\nUID:1@convene\r\nDTSTAMP:20000101T000000Z\r\n\
             DTSTART:20000101T000000Z\r\nDTEND:20000101T001500Z\r\nSEQUENCE:0\r\nSTATUS:CONFIRMED\r\n\
             SUMMARY:Ada\\, Ben\\; \\\\ and\\nothers\r\nLOCATION:Hall\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_a_text_holds_lines_stay_lines(summary in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
            let text = file(&Invitation { summary: summary.clone(), status: "TENTATIVE", ..Invitation::default() });
            prop_assert!(text.ends_with("\r\n"));
            prop_assert!(text.split("\r\n").all(|line| line.len() <= LINE && !line.contains(['\r', '\n'])));
            let unfolded = text.replace("\r\n ", "");
            prop_assert_eq!(unfolded.matches("\r\n").count(), 15);
        }
    }
}
