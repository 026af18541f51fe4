//! Words as numbers: topics, formats and levels, compared without case and outer blanks.

use std::collections::HashMap;

/// The number of a word that the programme does not use.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// How a word is compared.
pub(crate) fn folded(word: &str) -> String {
    word.trim().to_lowercase()
}

/// Every word of a programme once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<Box<str>, u32>,
}

impl Names {
    /// The number of a word, given out on first use; nothing for a blank one.
    pub fn intern(&mut self, word: &str) -> Option<u32> {
        let word = folded(word);
        if word.is_empty() {
            return None;
        }
        let next = self.ids.len() as u32;
        Some(*self.ids.entry(word.into_boxed_str()).or_insert(next))
    }

    /// The number of a word the programme uses.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.ids.get(folded(word).as_str()).copied()
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn bytes(&self) -> usize {
        let entry = size_of::<(Box<str>, u32)>() + 1;
        self.ids.capacity() * entry + self.ids.keys().map(|word| word.len()).sum::<usize>()
    }
}

/// The distinct topics of every session, ascending, in one block.
#[derive(Debug)]
pub(crate) struct Topics {
    starts: Vec<u32>,
    ids: Vec<u32>,
}

impl Topics {
    pub fn new<'a>(sessions: impl Iterator<Item = &'a [String]>, names: &mut Names) -> Self {
        let mut topics = Self { starts: vec![0], ids: Vec::new() };
        for words in sessions {
            let mut ids: Vec<u32> = words.iter().filter_map(|word| names.intern(word)).collect();
            ids.sort_unstable();
            ids.dedup();
            topics.ids.extend(ids);
            topics.starts.push(topics.ids.len() as u32);
        }
        topics
    }

    pub fn of(&self, session: u32) -> &[u32] {
        let at = session as usize;
        &self.ids[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    pub fn bytes(&self) -> usize {
        (self.starts.capacity() + self.ids.capacity()) * size_of::<u32>()
    }
}
