//! Words as they are compared.

/// What two words are compared by: no case, no spaces.
#[must_use]
pub fn normalised(word: &str) -> String {
    word.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}
