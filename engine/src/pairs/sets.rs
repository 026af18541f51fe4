//! Sets of words of many people, packed so that what two of them have in common is a few
//! instructions.

use std::collections::HashMap;
use std::hash::Hash;

/// Up to this many words of bits a set is a row of bits, above it a sorted list.
const MOST_WORDS: usize = 16;

/// A set per person. Words that only one person has cannot be shared: they are counted, not stored.
#[derive(Clone, Debug)]
pub struct Sets {
    sizes: Vec<u32>,
    packed: Packed,
}

#[derive(Clone, Debug)]
enum Packed {
    Bits { words: usize, bits: Vec<u64> },
    Lists(Vec<Vec<u32>>),
}

impl Sets {
    /// The sets of all people, each a list without repetitions.
    #[must_use]
    pub fn new<W: Eq + Hash, L: AsRef<[W]>>(people: &[L]) -> Self {
        let mut holders: HashMap<&W, u32> = HashMap::new();
        for word in people.iter().flat_map(AsRef::as_ref) {
            *holders.entry(word).or_default() += 1;
        }
        // Numbered in order of appearance, so that the same people always give the same bits.
        let mut numbers: HashMap<&W, u32> = HashMap::new();
        let mut lists = Vec::with_capacity(people.len());
        for list in people {
            let mut numbered = Vec::new();
            for word in list.as_ref().iter().filter(|word| holders[word] > 1) {
                let next = numbers.len() as u32;
                numbered.push(*numbers.entry(word).or_insert(next));
            }
            numbered.sort_unstable();
            lists.push(numbered);
        }
        let sizes = people.iter().map(|list| list.as_ref().len() as u32).collect();
        Self { sizes, packed: Packed::new(numbers.len(), lists) }
    }

    /// How large the set of a person is.
    #[must_use]
    #[inline]
    pub fn size(&self, person: usize) -> u32 {
        self.sizes[person]
    }

    /// How many words two people have in common.
    #[must_use]
    #[inline]
    pub fn common(&self, a: usize, b: usize) -> u32 {
        match &self.packed {
            Packed::Bits { words: 1, bits } => (bits[a] & bits[b]).count_ones(),
            Packed::Bits { words, bits } => {
                let (x, y) = (&bits[a * words..][..*words], &bits[b * words..][..*words]);
                x.iter().zip(y).map(|(x, y)| (x & y).count_ones()).sum()
            }
            Packed::Lists(lists) => common(&lists[a], &lists[b]),
        }
    }

    /// Bytes that the sets take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let packed = match &self.packed {
            Packed::Bits { bits, .. } => bits.len() * size_of::<u64>(),
            Packed::Lists(lists) => lists.iter().map(|list| 24 + list.len() * 4).sum(),
        };
        packed + self.sizes.len() * size_of::<u32>()
    }
}

impl Packed {
    fn new(vocabulary: usize, lists: Vec<Vec<u32>>) -> Self {
        let words = vocabulary.div_ceil(64).max(1);
        if words > MOST_WORDS {
            return Self::Lists(lists);
        }
        let mut bits = vec![0; lists.len() * words];
        for (person, list) in lists.iter().enumerate() {
            for number in list {
                bits[person * words + *number as usize / 64] |= 1 << (number % 64);
            }
        }
        Self::Bits { words, bits }
    }
}

/// How many elements two sorted lists have in common.
#[must_use]
pub fn common<T: Ord>(a: &[T], b: &[T]) -> u32 {
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                count += 1;
                i += 1;
                j += 1;
            }
        }
    }
    count
}
