use super::*;

fn scored(pick: &Pick) -> [Option<(f64, f64)>; 4] {
    let of = |part: Option<Part>| part.map(|part| (part.score, part.weight));
    let Parts { content, topics, collaborative, popularity } = pick.parts;
    [content, topics, collaborative, popularity].map(of)
}

#[test]
fn one_bookmark_by_hand() {
    // Taste is (1, 0). Ranks of 5, 0, 10 and 1 people: 2/3, 0, 1, 1/3. With one interaction
    // content weighs .225 and popularity .275, so .45 and .55 where the others are absent.
    let programme = programme(4, &[(0, &[1.0, 0.0]), (1, &[0.6, 0.8]), (2, &[0.0, 1.0])]);
    let person = who(&[did(Kind::Bookmarked, 0)]);
    let picks = recommend(&programme, &person, &[], Interest(&[5, 0, 10, 1]), &by_score());
    assert_eq!(order(&picks), vec![2, 3, 1]);
    near(picks[0].score, 0.55);
    // Session 3 has no embedding: the mean of 1, .6 and 0, and it says so.
    near(picks[1].score, 0.45 * 1.6 / 3.0 + 0.55 / 3.0);
    assert!(picks[1].parts.content.unwrap().imputed);
    near(picks[2].score, 0.45 * 0.6);
    assert_eq!(scored(&picks[2])[1], None);
    assert_eq!(scored(&picks[2])[2], None);
    let all = scores(&programme, &person, &[], Interest(&[5, 0, 10, 1]), &by_score());
    for pick in &picks {
        near(all[pick.session as usize], pick.score);
    }
    near(all[0], 0.45 + 0.55 * 2.0 / 3.0);
}

#[test]
fn all_bookmarks_count_not_one_of_them() {
    let rows: [(u32, &[f32]); 5] = [
        (0, &[1.0, 0.0, 0.0]),
        (1, &[0.0, 1.0, 0.0]),
        (2, &[1.0, 1.0, 0.0]),
        (3, &[1.0, 0.0, 0.1]),
        (4, &[0.0, 1.0, 0.1]),
    ];
    let programme = programme(5, &rows);
    let person = who(&[did(Kind::Bookmarked, 0), did(Kind::Bookmarked, 1)]);
    let picks = recommend(&programme, &person, &[], Interest(&[]), &only(Algorithm::Content));
    assert_eq!(order(&picks), vec![2, 3, 4]);
    near(picks[0].score, 1.0);
    near(picks[1].score, 1.0 / (2.0_f64 * 1.01).sqrt());
    near(picks[1].score, picks[2].score);
}

#[test]
fn a_hated_session_pushes_away() {
    let rows: [(u32, &[f32]); 4] =
        [(0, &[1.0, 0.0]), (1, &[0.0, 1.0]), (2, &[0.9, 0.1]), (3, &[0.1, 0.9])];
    let person = who(&[did(Kind::Attended, 0), rated(0, 1.0), did(Kind::Bookmarked, 1)]);
    let picks =
        recommend(&programme(4, &rows), &person, &[], Interest(&[]), &only(Algorithm::Content));
    assert_eq!(order(&picks), vec![3, 2]);
    near(picks[1].score, 0.0);
}

#[test]
fn the_stated_facets_by_hand() {
    let talk = Session {
        topics: words(&["AI", " Data "]),
        format: Some("Workshop".to_owned()),
        difficulty: Some("advanced".to_owned()),
        ..session(0)
    };
    let other = Session {
        topics: words(&["ai", "retail", "law"]),
        difficulty: Some("expert".to_owned()),
        ..session(1)
    };
    let programme = Programme::new(vec![talk, other, session(2)], Vec::new()).unwrap();
    let person = Person {
        topics: words(&["ai", "AI ", "data", "security", ""]),
        industries: words(&["Retail"]),
        formats: words(&["workshop"]),
        skill: Some("advanced".to_owned()),
        ..Person::default()
    };
    let picks = recommend(&programme, &person, &[], Interest(&[]), &by_score());
    // Nobody showed interest, so topics are all there is: .55 x 2/2 + .15 + .1, and
    // .55 x 1/3 + .2 x 1/1 + .1 x .5.
    assert_eq!(order(&picks), vec![0, 1, 2]);
    near(picks[0].score, 0.8);
    near(picks[1].score, 0.55 / 3.0 + 0.2 + 0.05);
    near(picks[2].score, 0.0);
    assert_eq!(scored(&picks[0])[0], None);
    near(scored(&picks[0])[1].unwrap().1, 1.0);
}

#[test]
fn facets_that_were_not_stated_drop_out() {
    let talk = Session { topics: words(&["ai"]), ..session(0) };
    let programme = Programme::new(vec![talk], Vec::new()).unwrap();
    let person = Person { topics: words(&["AI"]), ..Person::default() };
    near(recommend(&programme, &person, &[], Interest(&[]), &by_score())[0].score, 1.0);
}

#[test]
fn the_neighbours_of_a_taste_by_hand() {
    let person = who(&[did(Kind::Bookmarked, 0), did(Kind::Attended, 1), rated(5, 1.0)]);
    let neighbours = [
        Neighbours { source: 0, to: vec![2, 3, 4], weight: vec![0.5, 0.25, 0.25] },
        Neighbours { source: 1, to: vec![3, 77], weight: vec![0.5, 9.0] },
        Neighbours { source: 5, to: vec![4], weight: vec![0.3] },
        // Not in the taste, so it says nothing.
        Neighbours { source: 4, to: vec![2], weight: vec![9.0] },
    ];
    // .8 x .5 = .4 for 2; .8 x .25 + .5 = .7 for 3; .8 x .25 - .3 = -.1 for 4.
    let picks = recommend(
        &programme(6, &[]),
        &person,
        &neighbours,
        Interest(&[]),
        &only(Algorithm::Collaborative),
    );
    assert_eq!(order(&picks), vec![3, 2, 4]);
    near(picks[0].score, 1.0);
    near(picks[1].score, 0.5);
    near(picks[2].score, 0.0);
    assert_eq!(picks[0].causes[0], Cause::Together { because: 1 });
    assert_eq!(picks[1].causes[0], Cause::Together { because: 0 });
    assert_eq!(picks[2].causes, vec![Cause::Listed]);
}

#[test]
fn a_session_that_fills_up_gives_way() {
    let full = Session { capacity: Some(10), registrations: 10, ..session(0) };
    let half = Session { capacity: Some(20), registrations: 10, ..session(1) };
    let open = Session { registrations: 10, ..session(2) };
    let none = Session { capacity: Some(0), ..session(3) };
    let programme = Programme::new(vec![full, half, open, none], Vec::new()).unwrap();
    let picks = recommend(&programme, &Person::default(), &[], Interest(&[]), &by_score());
    assert_eq!(order(&picks), vec![2, 1, 0, 3]);
    near(picks[0].score, 1.0);
    near(picks[1].score, 2.0 / 3.0);
    near(picks[2].score, 1.0 / 3.0);
    assert_eq!(picks.iter().map(|p| p.waitlist).collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn equals_rank_equally_and_come_by_index() {
    let picks = recommend(
        &programme(4, &[]),
        &Person::default(),
        &[],
        Interest(&[3, 7, 7, 3]),
        &by_score(),
    );
    assert_eq!(order(&picks), vec![1, 2, 0, 3]);
    near(picks[0].score, 1.0);
    near(picks[1].score, 1.0);
    near(picks[2].score, 1.0 / 3.0);
}

#[test]
fn stated_topics_as_a_vector_join_the_taste() {
    let programme = programme(3, &[(0, &[1.0, 0.0]), (1, &[0.0, 1.0]), (2, &[1.0, 1.0])]);
    let mut person = who(&[did(Kind::Bookmarked, 0)]);
    person.topic_vectors =
        vec![("another".to_owned(), vec![1.0, 0.0]), ("m".to_owned(), vec![0.0, 5.0])];
    // .8 (1, 0) + .8 (0, 1): the diagonal.
    let picks = recommend(&programme, &person, &[], Interest(&[]), &only(Algorithm::Content));
    assert_eq!(order(&picks), vec![2, 1]);
    near(picks[0].score, 1.0);
    near(picks[1].score, 0.5_f64.sqrt());
}

#[test]
fn models_are_never_compared_with_each_other() {
    let one = embeddings("one", &[(0, &[1.0, 0.0]), (1, &[0.0, 1.0])]);
    let two = embeddings("two", &[(2, &[1.0, 0.0, 0.0]), (1, &[1.0, 0.0, 0.0])]);
    let list = (0..3).map(session).collect();
    let programme = Programme::new(list, vec![one, two]).unwrap();
    let person = who(&[did(Kind::Bookmarked, 0)]);
    let picks = recommend(&programme, &person, &[], Interest(&[]), &only(Algorithm::Content));
    // The taste is of model one, which says 0 of session 1 and nothing of session 2.
    assert_eq!(order(&picks), vec![2, 1]);
    assert!(picks[0].parts.content.unwrap().imputed);
    near(picks[0].score, 0.5);
    near(picks[1].score, 0.0);
}

#[test]
fn parts_as_json_have_four_decimals() {
    let part = |score, imputed| Some(Part { score, weight: 2.0 / 3.0, imputed });
    let parts =
        Parts { content: part(1.0 / 3.0, true), topics: part(1.0, false), ..Parts::default() };
    assert_eq!(
        parts.to_json(),
        serde_json::json!({
            "content": {"score": 0.3333, "weight": 0.6667, "imputed": true},
            "topics": {"score": 1.0, "weight": 0.6667},
        })
    );
}
