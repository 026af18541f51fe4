//! Text of users inside Markdown: shown as it is, never read as markup.

/// Characters that mark something up wherever they stand in a line.
const MARKS: &str = "\\`*_{}[]<>#|~&:@$^!";

/// A text as one line of Markdown in which nothing is markup, at most `most` characters long. It
/// must not begin a line by itself.
pub(super) fn line(text: &str, most: usize) -> String {
    let visible = text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c });
    let visible: String = visible.filter(|c| !steers(*c)).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let plain = words.join(" ");
    let mut result = String::with_capacity(plain.len() + 8);
    for (at, c) in plain.chars().enumerate() {
        if at == most {
            result.push('…');
            break;
        }
        // An address that begins with www is made into a link.
        let linking = c == '.' && result.to_lowercase().ends_with("www");
        if MARKS.contains(c) || linking {
            result.push('\\');
        }
        result.push(c);
    }
    result
}

/// Characters that are not seen but turn or hide what is.
fn steers(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_is_shown_and_not_read() {
        assert_eq!(line("Data Days 2031", 100), "Data Days 2031");
        assert_eq!(line("**R&D** <b>|x|</b>", 100), r"\*\*R\&D\*\* \<b\>\|x\|\</b\>");
        assert_eq!(line("[free](https://evil.example)", 100), r"\[free\](https\://evil.example)");
        assert_eq!(line("www.evil.example a@b.example", 100), r"www\.evil.example a\@b.example");
        assert_eq!(line("a\n\n# b\r\n- c\u{2028}d", 100), r"a \# b - c d");
        assert_eq!(line("a\u{202e}b\u{200b}c\u{61c}d", 100), "abcd");
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line(" \n ", 9), "");
    }

    proptest! {
        #[test]
        fn every_mark_is_escaped(text in "\\PC{0,60}") {
            let line = line(&text, 1_000);
            prop_assert!(!line.contains('\n'));
            let mut escaped = false;
            for c in line.chars() {
                if escaped {
                    escaped = false;
                } else if c == '\\' {
                    escaped = true;
                } else {
                    prop_assert!(!MARKS.contains(c), "{line}");
                }
            }
        }
    }
}
