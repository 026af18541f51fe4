//! How many people stand behind 'attendees who liked your sessions also chose this'.

/// Stars above which a rating is a liking, and below which it takes back whatever else was done.
const NEUTRAL: f32 = 3.0;

/// Somebody bookmarked or attended a session, or rated it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice<P> {
    /// Who; only equality and order count.
    pub person: P,
    /// Which of the sessions in question, by place.
    pub session: u32,
    /// Stars, if it is a rating.
    pub stars: Option<f32>,
}

/// For each of `sessions` sessions the number of distinct people who like it and like any of the
/// first `mine` of them. A session is liked by who bookmarked or attended it or gave it more than
/// three stars, and did not give it fewer. Puts the choices in order, which is how it counts.
pub fn company<P: Ord + Copy>(choices: &mut [Choice<P>], mine: usize, sessions: usize) -> Vec<u32> {
    choices.sort_unstable_by_key(|choice| (choice.person, choice.session));
    let mut counts = vec![0; sessions];
    for person in choices.chunk_by(|a, b| a.person == b.person) {
        let liked = || {
            let by_session = person.chunk_by(|a, b| a.session == b.session);
            by_session.filter(|of| is_liked(of)).map(|of| of[0].session as usize)
        };
        if liked().any(|session| session < mine) {
            liked().filter(|session| *session < sessions).for_each(|session| counts[session] += 1);
        }
    }
    counts
}

/// Whether what one person did with one session adds up to liking it.
fn is_liked<P>(choices: &[Choice<P>]) -> bool {
    let stars = || choices.iter().filter_map(|choice| choice.stars);
    let chosen = choices.iter().any(|choice| choice.stars.is_none());
    (chosen || stars().any(|given| given > NEUTRAL)) && stars().all(|given| given >= NEUTRAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(person: u8, session: u32, stars: impl Into<Option<f32>>) -> Choice<u8> {
        Choice { person, session, stars: stars.into() }
    }

    #[test]
    fn counts_distinct_people_who_like_both() {
        // Sessions 0 and 1 are mine, 2 is the candidate.
        let mut choices = [
            choice(1, 0, None), // likes mine and the candidate, twice over
            choice(1, 1, None),
            choice(1, 2, None),
            choice(1, 2, 5.0),
            choice(2, 2, None), // likes the candidate only
            choice(3, 1, 4.0),  // by ratings
            choice(3, 2, 4.0),
            choice(4, 0, None), // attended mine and hated it
            choice(4, 0, 1.0),
            choice(4, 2, None),
            choice(5, 1, None), // hated the candidate
            choice(5, 2, None),
            choice(5, 2, 2.0),
            choice(6, 0, None), // three stars are no liking by themselves
            choice(6, 2, 3.0),
        ];
        assert_eq!(company(&mut choices, 2, 3), [2, 3, 2]);
    }

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(company::<u8>(&mut [], 1, 2), [0, 0]);
        assert_eq!(company(&mut [choice(1, 1, None)], 1, 2), [0, 0]);
    }
}
