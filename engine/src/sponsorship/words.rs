//! Words as they are compared: without regard to case and surrounding space, each once.

/// A word in the form in which it is compared; empty for one of blanks.
pub(super) fn plain(word: &str) -> String {
    word.trim().to_lowercase()
}

/// Words in ascending order, each once, without empty ones.
pub(super) fn distinct(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Categories as they are compared.
pub(super) fn categories(words: &[String]) -> Vec<String> {
    distinct(words.iter().map(|word| plain(word)))
}

/// The share of the words wanted that are present: `|wanted and present| / |wanted|`, 0 to 1. Words
/// are compared ignoring case and surrounding space and count once; nothing where nothing is wanted.
#[must_use]
pub fn overlap_share(wanted: &[String], present: &[String]) -> Option<f64> {
    let (wanted, present) = (categories(wanted), categories(present));
    let common = crate::pairs::common(&wanted, &present);
    (!wanted.is_empty()).then(|| f64::from(common) / wanted.len() as f64)
}

/// Words in common over words in either, 0 to 1, compared as by [`overlap_share`]; 0 where there are
/// none at all.
#[must_use]
pub fn jaccard(a: &[String], b: &[String]) -> f64 {
    crate::similarity::jaccard(&categories(a), &categories(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn case_space_and_repetition_make_no_difference() {
        let wanted = words(&["Music", " music ", "FOOD", ""]);
        assert_eq!(overlap_share(&wanted, &words(&["food", "art"])), Some(0.5));
        assert_eq!(overlap_share(&words(&["", "  "]), &words(&["food"])), None);
        assert_eq!(overlap_share(&words(&["a"]), &[]), Some(0.0));
    }

    #[test]
    fn the_jaccard_index_counts_each_word_once() {
        // One of three.
        assert!(
            (jaccard(&words(&["a", "A", "b"]), &words(&["b", "c", "c"])) - 1.0 / 3.0).abs() < 1e-15
        );
        assert!(jaccard(&[], &[]).abs() < 1e-15);
    }
}
