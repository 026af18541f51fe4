use super::*;

#[test]
fn what_is_known_over_or_no_session_is_never_shown() {
    let mut list: Vec<Session> = (0..9).map(session).collect();
    list[5].cancelled = true;
    list[6].format = Some(" Lunch".to_owned());
    let programme = Programme::new(list, Vec::new()).unwrap();
    let mut person = who(&[
        did(Kind::Bookmarked, 1),
        did(Kind::Attended, 2),
        rated(3, 5.0),
        did(Kind::Browsed, 7),
    ]);
    person.dismissed = vec![4, 4, 99];
    let options = Options { now: 60, ..by_score() };
    for algorithm in Algorithm::ALL {
        let options = Options { algorithm, ..options.clone() };
        let picks = recommend(&programme, &person, &[], Interest(&[9; 9]), &options);
        // 0 ended at 60; the browsed one may come back.
        assert_eq!(order(&picks), vec![7, 8], "{}", algorithm.name());
    }
}

#[test]
fn popularity_leaves_out_what_the_person_has() {
    let person = who(&[did(Kind::Bookmarked, 0), did(Kind::Attended, 1)]);
    let picks = recommend(
        &programme(4, &[]),
        &person,
        &[],
        Interest(&[90, 80, 5, 7]),
        &only(Algorithm::Popularity),
    );
    assert_eq!(order(&picks), vec![3, 2]);
}

#[test]
fn zero_vectors_and_nonsense_never_become_scores() {
    let rows: [(u32, &[f32]); 3] = [(0, &[0.0, 0.0]), (1, &[0.0, 0.0]), (2, &[1.0, 0.0])];
    let programme = programme(3, &rows);
    let mut person = who(&[did(Kind::Bookmarked, 0), did(Kind::Bookmarked, 99)]);
    person.topic_vectors = vec![("m".to_owned(), vec![f32::NAN, 1.0])];
    let neighbours =
        [Neighbours { source: 0, to: vec![1, 2], weight: vec![f32::NAN, f32::NEG_INFINITY] }];
    for algorithm in Algorithm::ALL {
        let picks = recommend(&programme, &person, &neighbours, Interest(&[]), &only(algorithm));
        assert_eq!(order(&picks), vec![1, 2]);
        for pick in picks {
            assert_eq!(pick.score.to_bits(), 0, "no source knows anything");
            assert_eq!(pick.causes, vec![Cause::Listed]);
        }
    }
}

#[test]
fn likes_and_dislikes_that_cancel_out_are_no_taste() {
    let programme = programme(3, &[(0, &[1.0, 0.0]), (1, &[1.0, 0.0]), (2, &[0.6, 0.8])]);
    let person = who(&[rated(0, 5.0), rated(1, 1.0)]);
    let picks = recommend(&programme, &person, &[], Interest(&[1, 1, 1]), &by_score());
    assert_eq!(picks[0].parts.content, None);
    near(picks[0].score, 1.0);
}

#[test]
fn a_source_that_knows_nothing_gives_way_to_popularity() {
    for algorithm in Algorithm::ALL {
        let picks = recommend(
            &programme(2, &[]),
            &Person::default(),
            &[],
            Interest(&[1, 4]),
            &only(algorithm),
        );
        assert_eq!(order(&picks), vec![1, 0]);
        near(picks[0].parts.popularity.unwrap().weight, 1.0);
    }
}

#[test]
fn a_clash_with_a_bookmark_is_kept_below_and_named() {
    let mut list: Vec<Session> = (0..4).map(session).collect();
    list[0] = Session { start: 30, end: 90, ..session(0) };
    list[3] = Session { start: 90, end: 150, ..session(3) };
    // 1 runs from 60 to 120, so 0 and 3 overlap it; 2 starts when it ends.
    let programme = Programme::new(list, Vec::new()).unwrap();
    let person = who(&[did(Kind::Bookmarked, 1)]);
    let interest = Interest(&[9, 0, 1, 5]);
    let picks = recommend(&programme, &person, &[], interest, &by_score());
    assert_eq!(order(&picks), vec![2, 0, 3]);
    let clashes: Vec<Option<u32>> = picks.iter().map(|pick| pick.clashes_with).collect();
    assert_eq!(clashes, vec![None, Some(1), Some(1)]);
    let told_only = Options { demote_clashes: false, ..by_score() };
    let picks = recommend(&programme, &person, &[], interest, &told_only);
    assert_eq!(order(&picks), vec![0, 3, 2]);
    assert_eq!(picks[0].clashes_with, Some(1));
}

#[test]
fn a_cancelled_bookmark_clashes_with_nothing() {
    let cancelled = Session { cancelled: true, ..session(0) };
    let programme = Programme::new(vec![cancelled, session(0)], Vec::new()).unwrap();
    let person = who(&[did(Kind::Bookmarked, 0)]);
    let picks = recommend(&programme, &person, &[], Interest(&[]), &by_score());
    assert_eq!(picks[0].clashes_with, None);
}

#[test]
fn near_duplicates_are_spread_out() {
    let rows: [(u32, &[f32]); 4] = [
        (0, &[1.0, 0.0, 0.0]),
        (1, &[0.9, 0.4, 0.0]),
        (2, &[0.9, 0.4, 0.0]),
        (3, &[0.8, 0.0, 0.6]),
    ];
    let person = who(&[did(Kind::Bookmarked, 0)]);
    let options = Options { algorithm: Algorithm::Content, ..Options::default() };
    let picks = recommend(&programme(4, &rows), &person, &[], Interest(&[]), &options);
    assert_eq!(order(&picks), vec![1, 3, 2]);
    let picks = recommend(
        &programme(4, &rows),
        &person,
        &[],
        Interest(&[]),
        &Options { mmr_lambda: 1.0, ..options },
    );
    assert_eq!(order(&picks), vec![1, 2, 3]);
}

#[test]
fn the_limit_is_kept_and_an_empty_programme_is_no_error() {
    let empty = Programme::new(Vec::new(), Vec::new()).unwrap();
    let nobody = Person::default();
    assert!(recommend(&empty, &nobody, &[], Interest(&[1]), &Options::default()).is_empty());
    assert!(scores(&empty, &nobody, &[], Interest(&[]), &Options::default()).is_empty());
    for limit in [0, 1, 100, 500] {
        let options = Options { limit, ..Options::default() };
        let picks = recommend(&programme(300, &[]), &nobody, &[], Interest(&[]), &options);
        assert_eq!(picks.len(), limit.min(300));
    }
}
