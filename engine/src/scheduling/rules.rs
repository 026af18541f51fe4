//! What an organizer says about a schedule beside tables and times, as JSON.

use serde_json::Value;

use crate::error::{Error, Result};

/// Two attendees, by their ids as they were written, in lower case.
pub type Couple = (String, String);

/// The wishes of an organizer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Pairs that do not meet.
    pub veto: Vec<Couple>,
    /// Meetings that take place: who, and when they begin.
    pub fixed: Vec<(Couple, String)>,
    /// Sets of pairs of which at most one meets.
    pub exclusive: Vec<Vec<Couple>>,
    /// Sets of attendees whom one and the same human being represents.
    pub representatives: Vec<Vec<String>>,
}

fn wrong(key: &str, value: &Value) -> Error {
    let text: String = value.to_string().chars().take(200).collect();
    Error::invalid(
        format!("p_rules cannot be used: {key} has {text}"),
        "veto is a list of pairs [a, b], fixed of objects with attendee_1, attendee_2 and start, exclusive of lists of \
         pairs, representatives of lists of attendees.",
        r#"Write it like {"veto": [["...", "..."]], "exclusive": [[["...", "..."], ["...", "..."]]]}."#,
    )
}

fn list<'v>(key: &str, value: &'v Value) -> Result<&'v Vec<Value>> {
    value.as_array().ok_or_else(|| wrong(key, value))
}

fn id(key: &str, value: &Value) -> Result<String> {
    value.as_str().map(str::to_lowercase).ok_or_else(|| wrong(key, value))
}

fn couple(key: &str, value: &Value) -> Result<Couple> {
    match list(key, value)?.as_slice() {
        [a, b] if a != b => Ok((id(key, a)?, id(key, b)?)),
        _ => Err(wrong(key, value)),
    }
}

impl Rules {
    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming an unknown key or what of a known one cannot be used.
    pub fn parse(value: &Value) -> Result<Self> {
        let Some(object) = value.as_object() else { return Err(wrong("it", value)) };
        let mut rules = Self::default();
        for (key, value) in object {
            let items = || list(key, value).map(|items| items.iter());
            match key.as_str() {
                "veto" => rules.veto = items()?.map(|v| couple(key, v)).collect::<Result<_>>()?,
                "fixed" => rules.fixed = items()?.map(|v| fixed(key, v)).collect::<Result<_>>()?,
                "exclusive" => {
                    let group = |v| list(key, v)?.iter().map(|c| couple(key, c)).collect();
                    rules.exclusive = items()?.map(group).collect::<Result<_>>()?;
                }
                "representatives" => {
                    let group = |v| list(key, v)?.iter().map(|i| id(key, i)).collect();
                    rules.representatives = items()?.map(group).collect::<Result<_>>()?;
                }
                other => {
                    let shown: String = other.chars().take(100).collect();
                    return Err(Error::invalid(
                        format!("p_rules has the unknown key {shown:?}"),
                        "",
                        "Known are veto, fixed, exclusive and representatives.",
                    ));
                }
            }
        }
        Ok(rules)
    }
}

fn fixed(key: &str, value: &Value) -> Result<(Couple, String)> {
    let part = |name: &str| match value.get(name) {
        Some(Value::String(text)) => Ok(text.to_lowercase()),
        _ => Err(wrong(key, value)),
    };
    let (a, b) = (part("attendee_1")?, part("attendee_2")?);
    if a == b {
        return Err(wrong(key, value));
    }
    Ok(((a, b), value["start"].as_str().ok_or_else(|| wrong(key, value))?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_read_and_what_is_none_is_named() {
        let read = Rules::parse(&json!({
            "veto": [["A", "b"]], "fixed": [{"attendee_1": "a", "attendee_2": "c", "start": "2031-05-05T08:00Z"}],
            "exclusive": [[["a", "b"], ["a", "c"]]], "representatives": [["b", "c"]],
        }));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            read,
            Ok(Rules {
                veto: vec![pair("a", "b")],
                fixed: vec![(pair("a", "c"), "2031-05-05T08:00Z".to_owned())],
                exclusive: vec![vec![pair("a", "b"), pair("a", "c")]],
                representatives: vec![vec!["b".into(), "c".into()]],
            })
        );
        assert_eq!(Rules::parse(&json!({})), Ok(Rules::default()));
        for (bad, named) in [
            (json!([]), "[]"),
            (json!({"vetoes": []}), "vetoes"),
            (json!({"veto": "x"}), "veto"),
            (json!({"veto": [["a"]]}), "[\"a\"]"),
            (json!({"veto": [["a", "a"]]}), "veto"),
            (json!({"fixed": [{"attendee_1": "a", "attendee_2": "b"}]}), "fixed"),
            (json!({"exclusive": [["a", "b"]]}), "exclusive"),
            (json!({"representatives": [[1]]}), "representatives"),
        ] {
            let error = Rules::parse(&bad).map_err(|e| e.to_string());
            assert!(matches!(&error, Err(text) if text.contains(named)), "{bad} {error:?}");
        }
    }
}
