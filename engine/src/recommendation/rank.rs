//! From scores to picks: filter, choose, put in order, explain.

use std::cmp::Ordering;

use crate::similarity::diversified;

use super::clashes::Bookmarks;
use super::context::Context;
use super::person::{Kind, Person};
use super::pick::{Parts, Pick};
use super::sources::Sources;

/// Candidates scored exactly for each pick asked for, so that there is a choice to spread.
const CHOICE: usize = 4;
/// And at least so many: up to twenty picks come from the same candidates, so that a shorter list is
/// the beginning of a longer one.
const CHOICE_AT_LEAST: usize = 80;
/// Sessions less alike than this are no repetition of each other, whatever they share: in some
/// models two talks on one subject reach 0.85. From here to identical the redundancy that MMR sees
/// rises from 0 to 1.
const REPEATS_FROM: f64 = 0.9;

struct Candidate {
    session: u32,
    score: f64,
    parts: Parts,
}

/// The picks of one person.
pub(crate) fn rank(context: &Context, person: &Person) -> Vec<Pick> {
    let limit = context.options.limit;
    if limit == 0 || context.programme.is_empty() {
        return Vec::new();
    }
    let sources = Sources::new(context, person);
    let near = sources.near();
    let bookmarks = Bookmarks::new(context.programme, person);
    let (free, clashing) = eligible(context, person, &bookmarks);

    let mut chosen = choose(context, &sources, &near, free, limit);
    chosen.extend(choose(context, &sources, &near, clashing, limit - chosen.len()));
    (chosen.into_iter())
        .map(|Candidate { session, score, parts }| Pick {
            session,
            score,
            causes: sources.causes(session, &parts),
            parts,
            clashes_with: bookmarks.clashing(session),
            waitlist: is_full(context, session),
        })
        .collect()
}

/// Sessions the person may be shown: open, and neither attended, bookmarked, rated nor dismissed.
/// In two parts, those that rank first and those demoted for clashing with a bookmark.
fn eligible(context: &Context, person: &Person, bookmarks: &Bookmarks) -> (Vec<u32>, Vec<u32>) {
    let mut open = context.open.clone();
    let known = person.signals.iter().filter(|signal| signal.kind != Kind::Browsed);
    for session in known.map(|signal| signal.session).chain(person.dismissed.iter().copied()) {
        if let Some(open) = open.get_mut(session as usize) {
            *open = false;
        }
    }
    let (mut free, mut clashing) = (Vec::with_capacity(open.len()), Vec::new());
    for (session, _) in (0_u32..).zip(open).filter(|(_, open)| *open) {
        if context.options.demote_clashes && bookmarks.clash(session) {
            clashing.push(session);
        } else {
            free.push(session);
        }
    }
    (free, clashing)
}

fn choose(
    context: &Context,
    sources: &Sources,
    near: &[f32],
    mut sessions: Vec<u32>,
    limit: usize,
) -> Vec<Candidate> {
    if limit == 0 {
        return Vec::new();
    }
    let by_near = |a: &u32, b: &u32| falling(near[*a as usize], near[*b as usize], *a, *b);
    let window = limit.saturating_mul(CHOICE).max(CHOICE_AT_LEAST);
    if sessions.len() > window {
        sessions.select_nth_unstable_by(window, by_near);
        sessions.truncate(window);
    }
    let mut candidates: Vec<Candidate> = (sessions.into_iter())
        .map(|session| {
            let parts = sources.parts(session);
            Candidate { session, score: parts.total(), parts }
        })
        .collect();
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.session.cmp(&b.session)));
    if !context.options.diversify || context.options.mmr_lambda >= 1.0 {
        candidates.truncate(limit);
        return candidates;
    }
    spread(context, candidates, limit)
}

fn falling(score_a: f32, score_b: f32, a: u32, b: u32) -> Ordering {
    score_b.total_cmp(&score_a).then(a.cmp(&b))
}

fn spread(context: &Context, candidates: Vec<Candidate>, limit: usize) -> Vec<Candidate> {
    let scores: Vec<f64> = candidates.iter().map(|candidate| candidate.score).collect();
    let order = diversified(&scores, limit, context.options.mmr_lambda, |a, b| {
        let (a, b) = (candidates[a].session, candidates[b].session);
        redundancy(context.kin.likeness(context.programme, a, b))
    });
    let mut candidates: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| candidates[at].take()).collect()
}

/// How much of one session the other repeats. Plain likeness would move every list away from its
/// subject: two talks on databases are alike, but not the same.
fn redundancy(likeness: f64) -> f64 {
    ((likeness - REPEATS_FROM) / (1.0 - REPEATS_FROM)).max(0.0)
}

fn is_full(context: &Context, session: u32) -> bool {
    let session = context.programme.session(session);
    session.capacity.is_some_and(|places| session.registrations >= places)
}
