//! The best day: the most valuable sessions that one person can be at, one after the other.

use std::collections::HashMap;

/// One session that could be in an agenda.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Index of the session.
    pub session: u32,
    /// Start, in microseconds since the epoch.
    pub start: i64,
    /// End, in microseconds since the epoch.
    pub end: i64,
    /// Where; unknown: no way to be walked.
    pub room: Option<String>,
    /// What it is worth; what is not above zero is taken only when fixed.
    pub value: f64,
    /// Bookmarked: any of these outweighs every recommended session.
    pub fixed: bool,
}

/// Whether sessions of this format are time to keep free rather than to fill.
#[must_use]
pub fn is_break(format: Option<&str>) -> bool {
    format.is_some_and(|name| {
        let name = name.trim();
        name.eq_ignore_ascii_case("break") || name.eq_ignore_ascii_case("lunch")
    })
}

/// Whether an agenda may propose a session of this format that the person did not bookmark.
#[must_use]
pub fn is_proposable(format: Option<&str>) -> bool {
    !is_break(format) && !format.is_some_and(|name| name.trim().eq_ignore_ascii_case("networking"))
}

/// The best set of slots, as indices into `slots` in the order of time.
///
/// A set is allowed when each slot ends before the next one starts, with `travel_micros` between
/// them where both rooms are known and differ and not both are fixed: nothing is proposed that one
/// has to run to, but of what somebody chose for themselves only a real overlap costs them one. The
/// way is counted between consecutive sessions, as it is walked. Of all allowed sets the best has the most fixed slots, then the highest
/// value. Slots that are not fixed never touch one of the `breaks` (start, end). Slots without a
/// length are left out. Of equal sets the one that ends first wins, independent of the order of
/// `slots`.
///
/// It is exact in O(n log n): in the order of ends, the best set that a slot can follow is the
/// better of the best anywhere that leaves time to walk, the best in the same room, the best that
/// ends in an unknown room, and for a fixed slot the best that ends in a fixed one; each is a
/// running maximum, found by binary search.
#[must_use]
pub fn best_agenda(slots: &[Slot], travel_micros: i64, breaks: &[(i64, i64)]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..slots.len()).filter(|&i| is_usable(&slots[i], breaks)).collect();
    order.sort_by_key(|&i| (slots[i].end, slots[i].start, slots[i].session, i));

    let mut timelines = Timelines::default();
    let mut previous = vec![None; slots.len()];
    for &i in &order {
        let slot = &slots[i];
        let before = timelines.best_before(slot, travel_micros.max(0));
        previous[i] = before.and_then(|b| b.last);
        let so_far = before.map_or(Worth::default(), |b| b.worth);
        timelines.add(slot, Best { worth: so_far.plus(slot), last: Some(i) });
    }
    let mut at = timelines.anywhere.last().and_then(|best| best.1.last);
    let mut chosen = Vec::new();
    while let Some(i) = at {
        chosen.push(i);
        at = previous[i];
    }
    chosen.reverse();
    chosen
}

fn is_usable(slot: &Slot, breaks: &[(i64, i64)]) -> bool {
    let meets_break = || breaks.iter().any(|&(start, end)| slot.start < end && start < slot.end);
    slot.end > slot.start
        && slot.value.is_finite()
        && (slot.fixed || (slot.value > 0.0 && !meets_break()))
}

/// Fixed slots first, then value.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
struct Worth {
    fixed: u32,
    value: f64,
}

impl Worth {
    fn plus(self, slot: &Slot) -> Self {
        Self { fixed: self.fixed + u32::from(slot.fixed), value: self.value + slot.value }
    }
}

/// A set of slots by its worth and its last slot.
#[derive(Debug, Clone, Copy)]
struct Best {
    worth: Worth,
    last: Option<usize>,
}

/// (end, the best set that ends by then); ascending in both.
type Timeline = Vec<(i64, Best)>;

/// The best sets so far: anywhere, those whose last slot is fixed, and by the room of that slot.
#[derive(Default)]
struct Timelines<'a> {
    anywhere: Timeline,
    fixed: Timeline,
    by_room: HashMap<Option<&'a str>, Timeline>,
}

impl<'a> Timelines<'a> {
    fn best_before(&self, slot: &'a Slot, travel: i64) -> Option<Best> {
        let after_a_walk = slot.start.saturating_sub(travel);
        let at_once =
            |room| self.by_room.get(&room).and_then(|timeline| best_by(timeline, slot.start));
        let candidates = match slot.room.as_deref() {
            None => [best_by(&self.anywhere, slot.start), None, None],
            room => [best_by(&self.anywhere, after_a_walk), at_once(room), at_once(None)],
        };
        let chosen_as_well = slot.fixed.then(|| best_by(&self.fixed, slot.start)).flatten();
        candidates.into_iter().chain([chosen_as_well]).flatten().reduce(better)
    }

    fn add(&mut self, slot: &'a Slot, best: Best) {
        note(&mut self.anywhere, slot.end, best);
        if slot.fixed {
            note(&mut self.fixed, slot.end, best);
        }
        note(self.by_room.entry(slot.room.as_deref()).or_default(), slot.end, best);
    }
}

/// The first of two equals stays.
fn better(a: Best, b: Best) -> Best {
    if b.worth > a.worth { b } else { a }
}

fn best_by(timeline: &Timeline, time: i64) -> Option<Best> {
    let known = timeline.partition_point(|(end, _)| *end <= time);
    timeline[..known].last().map(|(_, best)| *best)
}

fn note(timeline: &mut Timeline, end: i64, best: Best) {
    if timeline.last().is_none_or(|(_, top)| best.worth > top.worth) {
        timeline.push((end, best));
    }
}
