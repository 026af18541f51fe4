use serde_json::json;

use super::*;

fn assert_weights(actual: Weights, expected: [f64; 4]) {
    for (a, b) in actual.to_array().into_iter().zip(expected) {
        near(a, b);
    }
}

#[test]
fn anchors_hold_and_between_them_the_logarithm_is_linear() {
    let set = WeightSet::default();
    assert_weights(set.blend(0), [0.0, 0.6, 0.0, 0.4]);
    // ln 2 is half of ln 4.
    assert_weights(set.blend(1), [0.225, 0.4, 0.1, 0.275]);
    assert_weights(set.blend(3), [0.45, 0.2, 0.2, 0.15]);
    let share = (11.0_f64 / 4.0).ln() / (41.0_f64 / 4.0).ln();
    assert_weights(
        set.blend(10),
        [0.45 - 0.1 * share, 0.2 - 0.1 * share, 0.2 + 0.3 * share, 0.15 - 0.1 * share],
    );
    assert_weights(set.blend(40), [0.35, 0.1, 0.5, 0.05]);
    assert_weights(set.blend(4_000), [0.35, 0.1, 0.5, 0.05]);
}

#[test]
fn absent_sources_leave_their_share_to_the_others() {
    let weights = Weights::new(0.45, 0.2, 0.2, 0.15);
    assert_weights(weights.over([true, false, false, true]), [0.75, 0.0, 0.0, 0.25]);
    assert_weights(weights.over([false; 4]), [0.0, 0.0, 0.0, 1.0]);
    let newcomer = WeightSet::default().blend(0);
    assert_weights(newcomer.over([false, false, false, true]), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn weights_are_read_from_json() {
    let set = WeightSet::from_json(&json!({"few": {"content": 2, "popularity": 0.5}})).unwrap();
    assert_weights(set.few, [2.0, 0.0, 0.0, 0.5]);
    assert_eq!(set.many, WeightSet::default().many);
    assert_eq!(WeightSet::from_json(&json!({})), Ok(WeightSet::default()));
}

#[test]
fn weights_that_make_no_sense_are_refused_by_key() {
    let refused = [
        (json!({"sometimes": {}}), "sometimes"),
        (json!({"few": {"luck": 1}}), "few.luck"),
        (json!({"few": {"topics": -0.1}}), "few.topics"),
        (json!({"few": {"topics": "much"}}), "few.topics"),
        (json!({"few": {"topics": null}}), "few.topics"),
        (json!({"many": {"content": 0}}), "many"),
        (json!({"none": {}}), "none"),
        (json!({"none": 1}), "none"),
        (json!([]), "weights"),
    ];
    for (value, key) in refused {
        let error = WeightSet::from_json(&value).unwrap_err();
        assert_eq!(error.sqlstate(), "22023");
        assert!(error.to_string().contains(&format!("\"{key}\"")), "{error} for {value}");
    }
}
