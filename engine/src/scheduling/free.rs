//! When a person, or two of them, have time.

use super::{MINUTE, Span};

/// What is known of one person's time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calendar {
    /// What takes their time, in any order.
    pub busy: Vec<Span>,
    /// When they have time at all; `None`: always.
    pub windows: Option<Vec<Span>>,
    /// Days that are full: no meeting may begin there.
    pub full: Vec<Span>,
}

/// Why a time does not suit a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// This one of `busy` takes a part of it.
    Busy(usize),
    /// It is not inside one of the windows.
    Outside,
    /// The day on which it begins is full.
    FullDay,
}

/// A time that suits everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// From.
    pub start: i64,
    /// Until.
    pub end: i64,
    /// Inside a break of the programme.
    pub in_break: bool,
}

/// The same time as spans that are in order and do not touch.
#[must_use]
pub fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.0 < span.1);
    spans.sort_unstable();
    let mut result: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match result.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => result.push(span),
        }
    }
    result
}

fn touches(a: Span, b: Span) -> bool {
    a.0 < b.1 && b.0 < a.1
}

impl Calendar {
    /// Everything that speaks against a time, one entry each.
    #[must_use]
    pub fn obstacles(&self, start: i64, end: i64) -> Vec<Obstacle> {
        let wanted = (start, end);
        let busy = (0..self.busy.len()).filter(|&i| touches(self.busy[i], wanted));
        let mut found: Vec<Obstacle> = busy.map(Obstacle::Busy).collect();
        if self.is_outside(wanted) {
            found.push(Obstacle::Outside);
        }
        if self.full.iter().any(|day| day.0 <= start && start < day.1) {
            found.push(Obstacle::FullDay);
        }
        found
    }

    /// Whether nothing speaks against a time.
    #[must_use]
    pub fn is_free(&self, start: i64, end: i64) -> bool {
        self.obstacles(start, end).is_empty()
    }

    fn is_outside(&self, wanted: Span) -> bool {
        let Some(windows) = &self.windows else { return false };
        // Two windows that touch are one: a meeting may lie across.
        !merged(windows.clone()).iter().any(|window| window.0 <= wanted.0 && wanted.1 <= window.1)
    }
}

/// `from` without `away`; both in order.
fn without(from: &[Span], away: &[Span]) -> Vec<Span> {
    let mut left = Vec::new();
    for &(mut start, end) in from {
        for &(gone, back) in away {
            if gone >= end || back <= start {
                continue;
            }
            if start < gone {
                left.push((start, gone));
            }
            start = start.max(back);
        }
        if start < end {
            left.push((start, end));
        }
    }
    left
}

fn both(a: &[Span], b: &[Span]) -> Vec<Span> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (x.0.max(y.0), x.1.min(y.1))));
    merged(pairs.collect())
}

/// When something of that length may begin for everybody: spans whose last microsecond counts.
fn beginnings(calendars: &[Calendar], within: Span, length: i64) -> Vec<Span> {
    let mut free = merged(vec![within]);
    for calendar in calendars {
        if let Some(windows) = &calendar.windows {
            free = both(&free, &merged(windows.clone()));
        }
        free = without(&free, &merged(calendar.busy.clone()));
    }
    let fits: Vec<Span> =
        free.iter().filter(|f| f.1 - f.0 >= length).map(|f| (f.0, f.1 - length + 1)).collect();
    let full = merged(calendars.iter().flat_map(|c| c.full.iter().copied()).collect());
    without(&fits, &full)
}

/// The roundest moment in a span: a quarter of an hour, else five minutes, else a minute, else its first.
fn roundest(span: Span) -> i64 {
    let up = |step: i64| span.0 + (step - span.0.rem_euclid(step)) % step;
    [15 * MINUTE, 5 * MINUTE, MINUTE].map(up).into_iter().find(|at| *at < span.1).unwrap_or(span.0)
}

/// One after the other, as many as fit and are asked for.
fn cut(beginnings: &[Span], length: i64, in_break: bool, most: usize) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for &(from, until) in beginnings {
        let mut from = slots.last().map_or(from, |last| last.end.max(from));
        while from < until && slots.len() < most {
            let start = roundest((from, until));
            slots.push(Slot { start, end: start + length, in_break });
            from = start + length;
        }
    }
    slots
}

/// Up to `most` times of that length between the bounds of `within` that suit everybody and do not overlap: first
/// those inside a break, then the others, each in the order of time. Starts are as round as they can be, and a gap
/// that is long enough is always found.
#[must_use]
pub fn common_slots(
    calendars: &[Calendar],
    within: Span,
    length: i64,
    breaks: &[Span],
    most: usize,
) -> Vec<Slot> {
    if length <= 0 || within.0 >= within.1 {
        return vec![];
    }
    let beginnings = beginnings(calendars, within, length);
    let inside: Vec<Span> = merged(breaks.to_vec())
        .iter()
        .filter(|b| b.1 - b.0 >= length)
        .map(|b| (b.0, b.1 - length + 1))
        .collect();
    let mut slots = cut(&both(&beginnings, &inside), length, true, most);
    let taken = merged(slots.iter().map(|s| (s.start - length + 1, s.end)).collect());
    let rest = most - slots.len();
    slots.extend(cut(&without(&beginnings, &taken), length, false, rest));
    slots
}

/// The first moment of `within` at which something of that length suits everybody, to the microsecond.
#[must_use]
pub fn next_free(calendars: &[Calendar], within: Span, length: i64) -> Option<i64> {
    beginnings(calendars, within, length).first().map(|span| span.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes(spans: &[(i64, i64)]) -> Vec<Span> {
        spans.iter().map(|s| (s.0 * MINUTE, s.1 * MINUTE)).collect()
    }

    fn starts(slots: &[Slot]) -> Vec<(i64, bool)> {
        slots.iter().map(|s| (s.start / MINUTE, s.in_break)).collect()
    }

    #[test]
    fn what_touches_does_not_overlap() {
        let calendar = Calendar { busy: minutes(&[(60, 90)]), ..Calendar::default() };
        assert!(calendar.is_free(30 * MINUTE, 60 * MINUTE));
        assert!(calendar.is_free(90 * MINUTE, 120 * MINUTE));
        assert_eq!(calendar.obstacles(89 * MINUTE, 91 * MINUTE), [Obstacle::Busy(0)]);
        assert_eq!(calendar.obstacles(0, 500 * MINUTE), [Obstacle::Busy(0)]);
    }

    #[test]
    fn windows_that_touch_are_one_and_a_full_day_takes_no_beginning() {
        let calendar = Calendar {
            windows: Some(minutes(&[(120, 180), (60, 120)])),
            full: minutes(&[(150, 1000)]),
            ..Calendar::default()
        };
        assert!(calendar.is_free(100 * MINUTE, 140 * MINUTE));
        assert!(calendar.is_free(149 * MINUTE, 180 * MINUTE));
        assert_eq!(calendar.obstacles(150 * MINUTE, 160 * MINUTE), [Obstacle::FullDay]);
        assert_eq!(
            calendar.obstacles(170 * MINUTE, 190 * MINUTE),
            [Obstacle::Outside, Obstacle::FullDay]
        );
        let none = Calendar { windows: Some(vec![]), ..Calendar::default() };
        assert_eq!(none.obstacles(0, MINUTE), [Obstacle::Outside]);
    }

    #[test]
    fn slots_are_round_come_in_breaks_first_and_miss_no_gap() {
        let one = Calendar { busy: minutes(&[(0, 37), (52, 100)]), ..Calendar::default() };
        let two = Calendar { busy: minutes(&[(160, 200)]), ..Calendar::default() };
        let within = (0, 240 * MINUTE);
        let found =
            common_slots(&[one.clone(), two], within, 15 * MINUTE, &minutes(&[(130, 160)]), 9);
        assert_eq!(
            starts(&found),
            [(135, true), (37, false), (105, false), (120, false), (210, false), (225, false)]
        );
        assert_eq!(next_free(&[one], (40 * MINUTE, 500 * MINUTE), 15 * MINUTE), Some(100 * MINUTE));
    }

    proptest! {
        #[test]
        fn found_slots_are_free_apart_and_none_is_missed(
            busy in prop::collection::vec((0i64..300, 1i64..60), 0..8),
            windows in prop::option::of(prop::collection::vec((0i64..300, 1i64..90), 0..4)),
            full in prop::collection::vec((0i64..300, 1i64..60), 0..2),
            breaks in prop::collection::vec((0i64..300, 1i64..60), 0..3),
            length in 1i64..40,
        ) {
            let spans = |v: &[(i64, i64)]| v.iter().map(|s| (s.0 * MINUTE, (s.0 + s.1) * MINUTE)).collect::<Vec<_>>();
            let calendar = Calendar { busy: spans(&busy), windows: windows.map(|w| spans(&w)), full: spans(&full) };
            let within = (0, 400 * MINUTE);
            let found = common_slots(std::slice::from_ref(&calendar), within, length * MINUTE, &spans(&breaks), 1000);
            for (i, slot) in found.iter().enumerate() {
                prop_assert!(calendar.is_free(slot.start, slot.end) && slot.end <= within.1);
                prop_assert!(found[..i].iter().all(|o| !touches((o.start, o.end), (slot.start, slot.end))));
            }
            // Wherever something could begin, something was found: rounding never costs a gap.
            let free = |m: i64| calendar.is_free(m * MINUTE, (m + length) * MINUTE);
            let mut first = None;
            for start in 0..=(401 - length) {
                if start <= 400 - length && free(start) {
                    first.get_or_insert(start);
                } else if let Some(first) = first.take() {
                    let run = (first * MINUTE, (start - 1 + length) * MINUTE);
                    prop_assert!(found.iter().any(|slot| touches((slot.start, slot.end), run)));
                }
            }
        }
    }
}
