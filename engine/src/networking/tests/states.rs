use super::super::state::{Event, Side, Status, lives_until};
use Status::{AcceptedBy1, AcceptedBy2, Declined, Expired, MutualAccepted, Suggested};

#[test]
fn every_step_from_every_state() {
    let accept = |by, answered| Event::Accept { by, answered };
    let (first, second) = (accept(Side::First, false), accept(Side::Second, false));
    let rows: [(Status, [Option<Status>; 5]); 6] = [
        // by the first, by the second, with an answer beforehand, declined, expired
        (
            Suggested,
            [
                Some(AcceptedBy1),
                Some(AcceptedBy2),
                Some(MutualAccepted),
                Some(Declined),
                Some(Expired),
            ],
        ),
        (
            AcceptedBy1,
            [
                Some(AcceptedBy1),
                Some(MutualAccepted),
                Some(MutualAccepted),
                Some(Declined),
                Some(Expired),
            ],
        ),
        (
            AcceptedBy2,
            [
                Some(MutualAccepted),
                Some(AcceptedBy2),
                Some(MutualAccepted),
                Some(Declined),
                Some(Expired),
            ],
        ),
        (
            MutualAccepted,
            [
                Some(MutualAccepted),
                Some(MutualAccepted),
                Some(MutualAccepted),
                Some(Declined),
                None,
            ],
        ),
        (Declined, [None, None, None, Some(Declined), None]),
        (Expired, [None, None, None, Some(Declined), Some(Expired)]),
    ];
    for (status, after) in rows {
        let steps = [first, second, accept(Side::First, true), Event::Decline, Event::Expire];
        for (at, (event, expected)) in steps.into_iter().zip(after).enumerate() {
            // Time is over for expiry, and not for the others.
            let found = status.after(event, at == 4);
            assert_eq!(found.clone().ok(), expected, "{status:?} {event:?}");
            assert!(found.is_ok() || found.is_err_and(|error| error.sqlstate() == "55000"));
        }
        assert_eq!(Status::parse(status.name()), Some(status));
    }
}

#[test]
fn when_time_is_over_only_a_decline_counts() {
    for status in [Suggested, AcceptedBy1, AcceptedBy2] {
        for by in [Side::First, Side::Second] {
            assert!(status.after(Event::Accept { by, answered: true }, true).is_err());
        }
        assert_eq!(status.after(Event::Decline, true), Ok(Declined));
        assert!(status.after(Event::Expire, false).is_err());
    }
    assert_eq!(
        MutualAccepted.after(Event::Accept { by: Side::First, answered: false }, true),
        Ok(MutualAccepted)
    );
}

#[test]
fn twice_more_at_most() {
    let again = |times| Expired.after(Event::SuggestAgain { times }, false);
    assert_eq!((again(1), again(2)), (Ok(Suggested), Ok(Suggested)));
    assert!(again(3).is_err() && Declined.after(Event::SuggestAgain { times: 1 }, false).is_err());
    assert_eq!(Status::parse("accepted"), None);
}

#[test]
fn suggestions_live_two_days_and_a_day_into_the_event() {
    const HOUR: i64 = 3_600_000_000;
    assert_eq!(lives_until(0, 100 * HOUR), 124 * HOUR);
    assert_eq!(lives_until(0, 5 * HOUR), 48 * HOUR);
    assert_eq!(lives_until(0, 0), 48 * HOUR);
    assert_eq!(lives_until(7, i64::MIN), 48 * HOUR + 7);
    assert_eq!(lives_until(7, i64::MAX), i64::MAX);
}
