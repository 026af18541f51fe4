//! The agenda against every subset, and by hand.

use convene_engine::agenda::{Slot, best_agenda, is_break, is_proposable};
use proptest::prelude::*;

fn slot(session: u32, start: i64, end: i64, value: f64) -> Slot {
    Slot { session, start, end, room: None, value, fixed: false }
}

fn fixed(session: u32, start: i64, end: i64, value: f64) -> Slot {
    Slot { fixed: true, ..slot(session, start, end, value) }
}

fn in_room(room: &str, slot: Slot) -> Slot {
    Slot { room: Some(room.to_owned()), ..slot }
}

#[test]
fn two_short_ones_beat_a_long_one() {
    let slots = [slot(0, 0, 10, 0.9), slot(1, 0, 5, 0.5), slot(2, 5, 10, 0.5)];
    assert_eq!(best_agenda(&slots, 0, &[]), vec![1, 2]);
}

#[test]
fn a_bookmark_outweighs_everything_recommended() {
    let slots = [fixed(0, 0, 10, 0.0), slot(1, 0, 5, 1.0), slot(2, 5, 10, 1.0)];
    assert_eq!(best_agenda(&slots, 0, &[]), vec![0]);
}

#[test]
fn of_clashing_bookmarks_the_best_set_stays() {
    let slots = [fixed(0, 0, 10, 0.9), fixed(1, 0, 5, 0.1), fixed(2, 5, 10, 0.1)];
    assert_eq!(best_agenda(&slots, 0, &[]), vec![1, 2]);
    let slots = [fixed(0, 0, 10, 0.3), fixed(1, 5, 15, 0.7)];
    assert_eq!(best_agenda(&slots, 0, &[]), vec![1]);
}

#[test]
fn the_way_counts_between_different_rooms_only() {
    let here = in_room("A", slot(0, 0, 10, 1.0));
    let same = in_room("A", slot(1, 10, 20, 0.5));
    let other = in_room("B", slot(2, 12, 20, 0.9));
    let nowhere = slot(3, 10, 20, 0.6);
    assert_eq!(best_agenda(&[here.clone(), same.clone()], 5, &[]), vec![0, 1]);
    assert_eq!(best_agenda(&[here.clone(), other.clone()], 5, &[]), vec![0]);
    assert_eq!(best_agenda(&[here.clone(), other.clone()], 2, &[]), vec![0, 1]);
    assert_eq!(best_agenda(&[here, same, other, nowhere], 5, &[]), vec![0, 3]);
}

#[test]
fn two_bookmarks_back_to_back_both_stay_wherever_they_are() {
    let here = in_room("A", fixed(0, 0, 10, 1.0));
    let there = in_room("B", fixed(1, 10, 20, 1.0));
    let proposed = in_room("A", slot(2, 20, 30, 0.9));
    assert_eq!(best_agenda(&[here, there, proposed], 5, &[]), vec![0, 1]);
}

#[test]
fn breaks_stay_free_of_what_is_recommended() {
    let slots = [slot(0, 0, 10, 1.0), slot(1, 10, 20, 0.2), fixed(2, 25, 35, 0.1)];
    assert_eq!(best_agenda(&slots, 0, &[(5, 10), (30, 40)]), vec![1, 2]);
}

#[test]
fn what_cannot_be_placed_is_left_out() {
    let slots = [
        slot(0, 5, 5, 1.0),
        slot(1, 9, 5, 1.0),
        slot(2, 0, 5, f64::NAN),
        slot(3, 0, 5, 0.0),
        slot(4, 0, 5, -1.0),
    ];
    assert!(best_agenda(&slots, 0, &[]).is_empty());
    assert!(best_agenda(&[], 0, &[]).is_empty());
    let edge = [slot(0, i64::MIN, i64::MAX, 0.5)];
    assert_eq!(best_agenda(&edge, i64::MAX, &[]), vec![0]);
}

#[test]
fn formats_that_are_no_sessions() {
    assert!(is_break(Some(" Lunch ")) && is_break(Some("break")));
    assert!(!is_break(Some("networking")) && !is_break(None));
    assert!(!is_proposable(Some("networking")) && !is_proposable(Some("lunch")));
    assert!(is_proposable(Some("workshop")) && is_proposable(None));
}

/// The time that must pass between two consecutive slots.
fn gap(a: &Slot, b: &Slot, travel: i64) -> i64 {
    let apart = a.room.is_some() && b.room.is_some() && a.room != b.room;
    if apart && !(a.fixed && b.fixed) { travel } else { 0 }
}

/// Fixed slots and value of the best of all subsets.
fn best_plainly(slots: &[Slot], travel: i64, breaks: &[(i64, i64)]) -> (usize, f64) {
    let mut best = (0, 0.0);
    for subset in 0_u32..1 << slots.len() {
        let mut set: Vec<&Slot> =
            (0..slots.len()).filter(|at| subset >> at & 1 == 1).map(|at| &slots[at]).collect();
        set.sort_by_key(|slot| slot.start);
        if !is_allowed(&set, travel, breaks) {
            continue;
        }
        let count = set.iter().filter(|slot| slot.fixed).count();
        let value: f64 = set.iter().map(|slot| slot.value).sum();
        if count > best.0 || (count == best.0 && value > best.1) {
            best = (count, value);
        }
    }
    best
}

fn is_allowed(set: &[&Slot], travel: i64, breaks: &[(i64, i64)]) -> bool {
    let apart = |pair: &[&Slot]| pair[0].end + gap(pair[0], pair[1], travel) <= pair[1].start;
    let free = |slot: &&Slot| {
        slot.fixed || !breaks.iter().any(|(start, end)| slot.start < *end && *start < slot.end)
    };
    set.windows(2).all(apart) && set.iter().all(free)
}

fn any_slot() -> impl Strategy<Value = Slot> {
    (0_i64..40, 1_i64..12, 0_u8..4, 1_u32..1_000, proptest::bool::weighted(0.25)).prop_map(
        |(start, length, room, value, fixed)| Slot {
            session: 0,
            start,
            end: start + length,
            room: (room > 0).then(|| room.to_string()),
            value: f64::from(value) / 1_000.0,
            fixed,
        },
    )
}

/// A programme: each slot is of a session of its own.
fn any_slots() -> impl Strategy<Value = Vec<Slot>> {
    proptest::collection::vec(any_slot(), 0..12).prop_map(|mut slots| {
        for (session, slot) in (0..).zip(&mut slots) {
            slot.session = session;
        }
        slots
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_is_the_best_of_all_subsets(
        slots in any_slots(),
        travel in 0_i64..6,
        lunch in 0_i64..40,
    ) {
        let breaks = [(lunch, lunch + 3)];
        let chosen = best_agenda(&slots, travel, &breaks);
        let set: Vec<&Slot> = chosen.iter().map(|at| &slots[*at]).collect();
        prop_assert!(is_allowed(&set, travel, &breaks));
        let (fixed, value) = best_plainly(&slots, travel, &breaks);
        prop_assert_eq!(set.iter().filter(|slot| slot.fixed).count(), fixed);
        prop_assert!((set.iter().map(|slot| slot.value).sum::<f64>() - value).abs() < 1e-9);
    }

    #[test]
    fn the_order_of_the_slots_does_not_matter(
        slots in any_slots(),
        travel in 0_i64..6,
    ) {
        let distinct = |slots: &[Slot]| -> Vec<Slot> {
            best_agenda(slots, travel, &[]).iter().map(|at| slots[*at].clone()).collect()
        };
        let reversed: Vec<Slot> = slots.iter().rev().cloned().collect();
        prop_assert_eq!(distinct(&slots), distinct(&reversed));
    }
}
