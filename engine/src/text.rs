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
const GRAM_WEIGHT: f64 = 0.25;

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
        self.words.push(finish(word.iter().fold(WORD_SEED, step)));
        let dense = is_dense(first);
        let sizes = if dense { DENSE_GRAMS } else { GRAMS };
        self.marked.clear();
        self.marked.extend((!dense).then_some('<'));
        self.marked.extend_from_slice(word);
        self.marked.extend((!dense).then_some('>'));
        for from in 0..self.marked.len() {
            let mut hash = GRAM_SEED;
            for (length, c) in (1..=*sizes.end()).zip(&self.marked[from..]) {
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
fn step(hash: u64, c: &char) -> u64 {
    (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The finaliser of murmur3: FNV alone leaves the low bits of short inputs alike.
fn finish(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
