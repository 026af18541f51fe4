//! An embedding of text that needs no model, no training and no language: hashed words and
//! character n-grams. Texts that share words, or parts of words, point in similar directions.
//!
//! A stored vector is compared with vectors made by later releases, so nothing here may change the
//! result for a text without a new [`MODEL`] name.

/// The name under which these vectors are stored; never compared with another model's.
pub const MODEL: &str = "convene-hash-v1";
/// Components per vector.
pub const DIMENSIONS: usize = 256;

/// How many characters of a text are read: beyond a book's chapter nothing changes any more, and
/// the memory of a call stays bounded.
const MAX_CHARS: usize = 100_000;
/// The character n-grams of a word with its boundary marks.
const GRAMS: std::ops::RangeInclusive<usize> = 3..=5;
/// The same for scripts that write a word with one to three characters and no spaces.
const DENSE_GRAMS: std::ops::RangeInclusive<usize> = 1..=3;

/// What whole words weigh against their pieces.
const WORD_WEIGHT: f64 = 1.0;
/// What one piece of a word weighs.
const GRAM_WEIGHT: f64 = 0.5;

/// The embedding of a text: unit length, or all zero if it holds no letter and no digit.
#[must_use]
pub fn embed(text: &str) -> Vec<f32> {
    let mut features = Features::default();
    let mut word = Vec::new();
    for c in text.chars().flat_map(char::to_lowercase).take(MAX_CHARS) {
        if is_silent(c) {
            continue;
        }
        if !belongs(c, word.last().copied()) {
            features.add(&word);
            word.clear();
        }
        if c.is_alphanumeric() || !word.is_empty() && is_suffix(c) {
            word.push(c);
        }
    }
    features.add(&word);
    features.into_vector()
}

/// Marks that do not separate letters: soft hyphen, joiners, and accents written apart.
fn is_silent(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{300}'..='\u{36f}')
}

/// Signs that end a name rather than a word: C++, C#.
fn is_suffix(c: char) -> bool {
    matches!(c, '+' | '#')
}

/// Whether the word that ends with `last` goes on with `c`.
fn belongs(c: char, last: Option<char>) -> bool {
    match last {
        None => true,
        Some(last) if is_suffix(c) => !is_dense(last),
        Some(last) => c.is_alphanumeric() && !is_suffix(last) && is_dense(c) == is_dense(last),
    }
}

/// Scripts that need no spaces: kana, Han, Hangul.
fn is_dense(c: char) -> bool {
    matches!(
        c,
        '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7af}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

/// The hashes of everything a text contains, repetitions included.
#[derive(Default)]
struct Features {
    words: Vec<u64>,
    grams: Vec<u64>,
    marked: Vec<char>,
}

impl Features {
    fn add(&mut self, word: &[char]) {
        let Some(&first) = word.first() else { return };
        self.words.push(finish(word.iter().copied().fold(WORD_SEED, step)));
        let dense = is_dense(first);
        let sizes = if dense { DENSE_GRAMS } else { GRAMS };
        self.marked.clear();
        self.marked.extend((!dense).then_some('<'));
        self.marked.extend_from_slice(word);
        self.marked.extend((!dense).then_some('>'));
        for from in 0..self.marked.len() {
            let mut hash = GRAM_SEED;
            for (length, &c) in (1..=*sizes.end()).zip(&self.marked[from..]) {
                hash = step(hash, c);
                if length >= *sizes.start() {
                    self.grams.push(finish(hash));
                }
            }
        }
    }

    fn into_vector(mut self) -> Vec<f32> {
        let mut sums = [0.0; DIMENSIONS];
        spread(&mut self.words, WORD_WEIGHT, &mut sums);
        spread(&mut self.grams, GRAM_WEIGHT, &mut sums);
        let norm = sums.iter().map(|x| x * x).sum::<f64>().sqrt();
        // Features that cancel each other out exactly leave rounding noise, not a direction.
        let scale = if norm > 1e-9 { norm.recip() } else { 0.0 };
        sums.iter().map(|x| (x * scale) as f32).collect()
    }
}

/// Adds each distinct feature once, with weight `1 + ln(times)`, a component and a sign from its
/// hash. In the order of the hashes, so that the sums are the same in every process.
fn spread(features: &mut [u64], weight: f64, sums: &mut [f64; DIMENSIONS]) {
    features.sort_unstable();
    for same in features.chunk_by(|a, b| a == b) {
        let value = weight * (1.0 + (same.len() as f64).ln());
        let hash = same[0];
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        sums[(hash % DIMENSIONS as u64) as usize] += sign * value;
    }
}

/// The offset basis of FNV-1a, and another for whole words, so that a word and the n-gram that is
/// spelled the same are two features.
const GRAM_SEED: u64 = 0xcbf2_9ce4_8422_2325;
const WORD_SEED: u64 = 0x8422_2325_cbf2_9ce4;

/// FNV-1a over code points.
fn step(hash: u64, c: char) -> u64 {
    (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The finaliser of murmur3: FNV alone leaves the low bits of short inputs alike.
fn finish(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn cosine(a: &str, b: &str) -> f32 {
        embed(a).iter().zip(embed(b)).map(|(x, y)| x * y).sum()
    }

    /// The same features spelled out as strings, for texts of lower-case words between spaces.
    fn naive(text: &str) -> Vec<f64> {
        let mut counts = BTreeMap::new();
        for word in text.split(' ') {
            *counts.entry((true, word.to_owned())).or_insert(0) += 1;
            let marked: Vec<char> = format!("<{word}>").chars().collect();
            for size in [3, 4, 5] {
                for gram in marked.windows(size) {
                    *counts.entry((false, gram.iter().collect())).or_insert(0) += 1;
                }
            }
        }
        let mut sums = vec![0.0; 256];
        for ((whole, spelled), count) in counts {
            let mut hash: u64 =
                if whole { 0x8422_2325_cbf2_9ce4 } else { 14_695_981_039_346_656_037 };
            for c in spelled.chars() {
                hash = (hash ^ c as u64).wrapping_mul(1_099_511_628_211);
            }
            hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
            hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
            hash ^= hash >> 33;
            let weight = if whole { 1.0 } else { 0.5 } * (1.0 + f64::from(count).ln());
            sums[(hash & 255) as usize] += if hash >= 1 << 63 { -weight } else { weight };
        }
        let norm = sums.iter().map(|x| x * x).sum::<f64>().sqrt();
        sums.iter().map(|x| x / norm).collect()
    }

    #[test]
    fn the_features_are_those_of_a_naive_reference() {
        for text in
            ["postgres", "the cat and the other cat", "r", "über straße naïve", "машинное обучение"]
        {
            for (found, expected) in embed(text).iter().zip(naive(text)) {
                assert!((f64::from(*found) - expected).abs() < 1e-6, "{text}");
            }
        }
    }

    /// Vectors that are stored in databases: these numbers may change only with the model's name.
    #[test]
    fn the_numbers_stay_the_same_across_releases() {
        let vector = embed("Scaling Postgres to a billion rows");
        let strongest: Vec<(usize, i32)> = (0..DIMENSIONS)
            .filter(|&at| vector[at].abs() > 0.25)
            .map(|at| (at, (vector[at] * 1e4).round() as i32))
            .collect();
        assert_eq!(strongest, [(2, 3_030), (225, 3_030)]);
        for (at, expected) in [(7, -2_020), (50, -2_020), (136, 2_020), (176, -2_020)] {
            assert_eq!((vector[at] * 1e4).round() as i32, expected, "component {at}");
        }
    }

    #[test]
    fn shared_words_and_parts_of_words_attract() {
        let query = "database performance";
        assert!(cosine(query, "Performance of databases") > 0.5);
        assert!(
            cosine(query, "Performance of databases") > cosine(query, "Gardening for poets") + 0.3
        );
        assert!(cosine("vectorisation", "vectorised") > 0.3);
        assert!(cosine("C++ in anger", "C# in anger") < 0.95);
        assert!(cosine("数据库性能", "数据库的设计") > 0.2);
    }

    #[test]
    fn case_space_and_separated_accents_do_not_matter() {
        assert_eq!(embed("Größe  UND\nZahl!"), embed("größe und zahl"));
        assert_eq!(embed("cafe\u{301}"), embed("cafe"));
        assert_eq!(embed("post\u{ad}gres"), embed("postgres"));
    }

    #[test]
    fn what_has_no_letter_has_no_direction() {
        for text in ["", "   ", "!?… — ++ ##", "\u{301}\u{200d}", "🎉🎉"] {
            assert!(embed(text).iter().all(|&x| x == 0.0), "{text:?}");
        }
    }

    #[test]
    fn a_huge_text_is_read_in_part() {
        let long = "x".repeat(3 * MAX_CHARS);
        assert_eq!(embed(&long), embed(&long[..MAX_CHARS]));
    }

    proptest! {
        #[test]
        fn any_text_has_a_unit_vector_or_none(text in "\\PC{0,80}") {
            let vector = embed(&text);
            prop_assert_eq!(vector.len(), DIMENSIONS);
            let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            prop_assert!(norm == 0.0 || (norm - 1.0).abs() < 1e-5, "{}", norm);
            prop_assert_eq!(&vector, &embed(&text));
        }
    }
}
