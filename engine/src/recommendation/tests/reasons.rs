use super::*;

const TITLES: [&str; 3] = ["Scaling Postgres", "Rust for DBAs", "Opening"];

fn title(session: u32) -> &'static str {
    TITLES[session as usize]
}

fn said(cause: Cause, people: Option<u32>) -> String {
    sentence(&cause, title, people)
}

#[test]
fn every_cause_has_its_sentence() {
    let liked = |kind| said(Cause::Liked { because: 0, kind }, None);
    assert_eq!(liked(Kind::Bookmarked), "Because you bookmarked \"Scaling Postgres\"");
    assert_eq!(liked(Kind::Attended), "Because you attended \"Scaling Postgres\"");
    assert_eq!(liked(Kind::Browsed), "Because you looked at \"Scaling Postgres\"");
    assert_eq!(liked(Kind::Rated), "Because you rated \"Scaling Postgres\" highly");
    let topics = |list: &[&str]| said(Cause::Topics { matched: words(list) }, None);
    assert_eq!(topics(&["AI"]), "Matches your interest in AI");
    assert_eq!(topics(&["AI", "automation"]), "Matches your interest in AI and automation");
    assert_eq!(topics(&["a", "b", "c", "d"]), "Matches your interest in a, b and c");
    let format = Cause::Format { format: "workshop".to_owned() };
    assert_eq!(said(format, None), "Matches your preferred format: workshop");
    let skill = Cause::Skill { level: "advanced".to_owned() };
    assert_eq!(said(skill, None), "Fits your level: advanced");
    assert_eq!(said(Cause::Popular, None), "Popular session");
    assert_eq!(said(Cause::Listed, None), "Part of the programme");
}

#[test]
fn small_numbers_of_people_are_not_told() {
    let told = |people| said(Cause::Together { because: 0 }, people);
    assert_eq!(told(Some(42)), "42 attendees who liked your sessions also chose this");
    assert_eq!(told(Some(10)), "10 attendees who liked your sessions also chose this");
    for people in [Some(9), Some(0), None] {
        assert_eq!(told(people), "Attendees who liked your sessions also chose this");
    }
}

#[test]
fn notes_follow_the_reason() {
    let noted = |clash, full| with_notes("Popular session".to_owned(), clash, full, title);
    assert_eq!(noted(None, false), "Popular session");
    assert_eq!(noted(None, true), "Popular session; full, waitlist");
    assert_eq!(
        noted(Some(1), true),
        "Popular session; clashes with \"Rust for DBAs\", which you bookmarked; full, waitlist"
    );
}

#[test]
fn the_strongest_true_cause_comes_first() {
    let mut list: Vec<Session> = (0..5).map(session).collect();
    list[2].topics = words(&["AI", "ai", "law"]);
    list[3].topics = words(&["Law"]);
    let rows: [(u32, &[f32]); 5] = [
        (0, &[1.0, 0.0, 0.0]),
        (1, &[0.0, 1.0, 0.0]),
        (2, &[0.9, 0.1, 0.0]),
        (3, &[0.1, 0.2, 1.0]),
        (4, &[0.0, 0.0, 1.0]),
    ];
    let programme = Programme::new(list, vec![embeddings("m", &rows)]).unwrap();
    let mut person = who(&[did(Kind::Bookmarked, 0), did(Kind::Browsed, 1), rated(4, 1.0)]);
    person.topics = words(&["ai"]);
    let options = Options { demote_clashes: false, ..by_score() };
    let picks = recommend(&programme, &person, &[], Interest(&[0, 0, 9, 3]), &options);
    assert_eq!(order(&picks), vec![2, 3, 1]);
    let liked = Cause::Liked { because: 0, kind: Kind::Bookmarked };
    let topics = Cause::Topics { matched: words(&["AI"]) };
    assert_eq!(picks[0].causes, vec![liked, topics, Cause::Popular, Cause::Listed]);
    // Of 3 neither an interest, nor a like, nor popularity is true: it has the lower half.
    assert_eq!(picks[1].causes, vec![Cause::Listed]);
}

#[test]
fn the_because_is_the_largest_signal_times_likeness() {
    let rows: [(u32, &[f32]); 3] = [(0, &[1.0, 0.0]), (1, &[0.8, 0.6]), (2, &[0.9, 0.43])];
    let programme = programme(3, &rows);
    let because = |kind_of_0, kind_of_1| {
        let person = who(&[did(kind_of_0, 0), did(kind_of_1, 1)]);
        let picks = recommend(&programme, &person, &[], Interest(&[]), &only(Algorithm::Content));
        picks[0].causes[0].clone()
    };
    // 2 is a little more like 1, but one attended counts more than one browsed.
    let of = |because, kind| Cause::Liked { because, kind };
    assert_eq!(because(Kind::Bookmarked, Kind::Bookmarked), of(1, Kind::Bookmarked));
    assert_eq!(because(Kind::Attended, Kind::Browsed), of(0, Kind::Attended));
}
