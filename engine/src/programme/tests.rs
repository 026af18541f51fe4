use super::*;

fn session(start: i64) -> Session {
    Session { start, end: start + 10, ..Session::default() }
}

fn of_model(model: &str, dims: usize, rows: &[(u32, &[f32])]) -> Embeddings {
    Embeddings {
        model: model.to_owned(),
        dims,
        sessions: rows.iter().map(|(session, _)| *session).collect(),
        values: rows.iter().flat_map(|(_, values)| values.iter().copied()).collect(),
    }
}

fn refusal(sessions: usize, embeddings: Vec<Embeddings>) -> Error {
    let sessions = (0..sessions).map(|_| session(0)).collect();
    Programme::new(sessions, embeddings).expect_err("this is refused")
}

#[test]
fn embeddings_that_cannot_be_used_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = refusal(2, vec![of_model("m", 2, &[(0, &[1.0, 0.0]), (1, &[bad, 0.0])])]);
        assert_eq!(error.sqlstate(), "22023");
        assert!(error.to_string().contains("session 1"), "{error}");
    }
    refusal(1, vec![of_model("m", 2, &[(1, &[1.0, 0.0])])]);
    refusal(1, vec![of_model("m", 2, &[(0, &[1.0, 0.0]), (0, &[0.0, 1.0])])]);
    refusal(1, vec![of_model("m", 3, &[(0, &[1.0, 0.0])])]);
    refusal(1, vec![of_model("m", 0, &[(0, &[])])]);
    refusal(1, vec![of_model("m", 1, &[(0, &[1.0])]), of_model("m", 1, &[(0, &[1.0])])]);
}

#[test]
fn a_session_may_not_end_before_it_starts() {
    let backwards = Session { start: 10, end: 5, ..Session::default() };
    assert_eq!(Programme::new(vec![backwards], Vec::new()).unwrap_err().sqlstate(), "22023");
}

#[test]
fn a_zero_vector_counts_as_not_there() {
    let rows = of_model("m", 2, &[(0, &[1.0, 0.0]), (1, &[0.0, 0.0]), (2, &[1.0, 1.0])]);
    let programme = Programme::new(vec![session(0); 3], vec![rows]).unwrap();
    assert!(programme.similar(1, 10, 0, 1.0).is_empty());
    let found = programme.similar(0, 10, 0, 1.0);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, 2);
    assert!((found[0].1 - 0.5_f64.sqrt()).abs() < 1e-6);
}

#[test]
fn similar_knows_time_cancellation_and_models() {
    let mut sessions = vec![session(100); 6];
    sessions[1].cancelled = true;
    sessions[2] = session(0);
    let one = of_model(
        "one",
        2,
        &[
            (0, &[1.0, 0.0]),
            (1, &[1.0, 0.0]),
            (2, &[1.0, 0.0]),
            (3, &[-1.0, 0.1]),
            (4, &[2.0, 0.2]),
        ],
    );
    let other = of_model("two", 2, &[(5, &[1.0, 0.0])]);
    let programme = Programme::new(sessions, vec![one, other]).unwrap();
    // 1 is cancelled, 2 has ended at 10, 3 is the opposite, 5 speaks another language.
    let found: Vec<u32> = programme.similar(0, 10, 10, 1.0).iter().map(|(at, _)| *at).collect();
    assert_eq!(found, vec![4]);
    assert!(programme.similar(5, 10, 10, 1.0).is_empty());
    assert!(programme.similar(99, 10, 10, 1.0).is_empty());
    assert!(programme.similar(0, 0, 10, 1.0).is_empty());
}

#[test]
fn equals_come_by_index_and_duplicates_can_be_spread() {
    let rows: [(u32, &[f32]); 4] = [
        (0, &[1.0, 0.0, 0.0]),
        (1, &[0.8, 0.6, 0.0]),
        (2, &[0.8, 0.6, 0.0]),
        (3, &[0.7, 0.0, 0.7]),
    ];
    let programme = Programme::new(vec![session(0); 4], vec![of_model("m", 3, &rows)]).unwrap();
    let order = |lambda| -> Vec<u32> {
        programme.similar(0, 3, 0, lambda).iter().map(|(at, _)| *at).collect()
    };
    assert_eq!(order(1.0), vec![1, 2, 3]);
    assert_eq!(order(0.5), vec![1, 3, 2]);
}

#[test]
fn many_vectors_are_kept_small_and_still_exact() {
    let (sessions, dims) = (200, 8_000);
    let value = |at: usize| ((at * 7_919 + at / dims * 31) % 1_009) as f32 / 1_009.0 - 0.4;
    let values: Vec<f32> = (0..sessions * dims).map(value).collect();
    let single = values.len() * size_of::<f32>();
    let rows = |at: usize| &values[at * dims..(at + 1) * dims];
    let best = (1..sessions)
        .map(|at| crate::similarity::cosine(rows(0), rows(at)).unwrap())
        .fold(0.0, f64::max);
    let embeddings = Embeddings {
        model: "m".to_owned(),
        dims,
        sessions: (0..sessions as u32).collect(),
        values: values.clone(),
    };
    let programme = Programme::new(vec![session(0); sessions], vec![embeddings]).unwrap();
    assert!(programme.bytes() < single * 6 / 10, "{} of {single}", programme.bytes());
    assert!((programme.similar(0, 1, 0, 1.0)[0].1 - best).abs() < 1e-4);
}

#[test]
fn bytes_grow_with_what_is_held() {
    let empty = Programme::new(Vec::new(), Vec::new()).unwrap();
    assert!(empty.is_empty());
    let talk = Session { topics: vec!["a topic".to_owned()], ..session(0) };
    let rows = of_model("m", 1_000, &[(0, &[0.5; 1_000])]);
    let full = Programme::new(vec![talk], vec![rows]).unwrap();
    assert!(full.bytes() >= empty.bytes() + 4_000);
}
