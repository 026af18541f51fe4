use super::*;

const DAY: i64 = 86_400_000_000;

#[test]
fn the_largest_signal_of_a_session_counts() {
    let signals = [
        did(Kind::Browsed, 2),
        did(Kind::Attended, 1),
        did(Kind::Bookmarked, 1),
        did(Kind::Bookmarked, 0),
    ];
    assert_eq!(taste_signals(&signals, None, 0), vec![(0, 0.8), (1, 1.0), (2, 0.2)]);
}

#[test]
fn a_rating_replaces_what_else_was_done() {
    let hated = [did(Kind::Attended, 0), rated(0, 1.0)];
    assert_eq!(taste_signals(&hated, None, 0), vec![(0, -1.0)]);
    let liked = [rated(0, 4.0), did(Kind::Attended, 0)];
    assert_eq!(taste_signals(&liked, None, 0), vec![(0, 0.5)]);
    let indifferent = [rated(0, 3.0), did(Kind::Attended, 0)];
    assert_eq!(taste_signals(&indifferent, None, 0), Vec::new());
}

#[test]
fn the_latest_of_several_ratings_counts() {
    let signals = [Signal { at: 5, ..rated(0, 1.0) }, Signal { at: 3, ..rated(0, 5.0) }];
    assert_eq!(taste_signals(&signals, None, 9), vec![(0, -1.0)]);
}

#[test]
fn a_rating_without_stars_is_none() {
    let unreadable = Signal { value: Some(f32::NAN), ..rated(0, 1.0) };
    let missing = Signal { value: None, ..rated(1, 1.0) };
    assert_eq!(taste_signals(&[unreadable, missing], None, 0), Vec::new());
    assert_eq!(taste_signals(&[rated(0, 99.0)], None, 0), vec![(0, 1.0)]);
}

#[test]
fn signals_fade_by_half_lives() {
    let signal = Signal { at: 0, ..did(Kind::Attended, 0) };
    assert_eq!(taste_signals(&[signal], Some(7.0), 14 * DAY), vec![(0, 0.25)]);
    // What is dated later than now has not faded, and without a half-life nothing does.
    assert_eq!(taste_signals(&[signal], Some(7.0), -DAY), vec![(0, 1.0)]);
    assert_eq!(taste_signals(&[signal], None, 900 * DAY), vec![(0, 1.0)]);
    assert_eq!(taste_signals(&[signal], Some(0.0), 900 * DAY), vec![(0, 1.0)]);
}

#[test]
fn kinds_and_algorithms_by_name() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Ok(kind));
    }
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.name()), Ok(algorithm));
    }
    let error = Algorithm::parse("magic").unwrap_err();
    assert_eq!(error.sqlstate(), "22023");
    assert!(error.to_string().contains("magic"));
    assert!(error.detail().unwrap_or_default().contains("collaborative_filtering"));
    assert_eq!(Kind::parse("Bookmarked").unwrap_err().sqlstate(), "22023");
}
