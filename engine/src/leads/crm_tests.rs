use proptest::prelude::*;

use super::*;

fn ada() -> Lead {
    Lead {
        id: "0a1b2c3d-0000-4000-8000-000000000001".into(),
        full_name: Some("  Ada  King\nLovelace ".into()),
        email: Some(" ada@example.org ".into()),
        job_title: Some("Analyst".into()),
        company: Some("Engines Ltd".into()),
        event: "Data Days".into(),
        score: 87,
        grade: "A".into(),
        booth_visits: 3,
        content_downloads: 2,
        sessions_attended: 1,
        messages: 4,
        meeting_requested: true,
        interactions: 11,
        last_interaction: Some("2026-11-15T16:30:00Z".into()),
    }
}

fn only(contact: bool, engagement: bool, score: bool) -> Fields {
    Fields { contact, engagement, score }
}

#[test]
fn names_split_into_first_and_last() {
    for (name, first, last) in [
        ("Ada Lovelace", Some("Ada"), "Lovelace"),
        ("Ada King Lovelace", Some("Ada King"), "Lovelace"),
        ("Ludwig van Beethoven", Some("Ludwig"), "van Beethoven"),
        ("María de la Cruz", Some("María"), "de la Cruz"),
        ("maria garcia", Some("maria"), "garcia"),
        ("van Beethoven", Some("van"), "Beethoven"),
        ("Plato", None, "Plato"),
        ("李 小龍", Some("李"), "小龍"),
    ] {
        assert_eq!(split_name(name), (first.map(str::to_owned), last.to_owned()), "{name}");
    }
}

#[test]
fn addresses_that_a_crm_would_refuse_are_left_out() {
    assert_eq!(address(" ada@example.org "), Some("ada@example.org".into()));
    for wrong in
        ["", "ada", "ada@", "@example.org", "ada@example", "a@b@c.org", "a b@c.org", "a@c..org"]
    {
        assert_eq!(address(wrong), None, "{wrong}");
    }
    assert_eq!(address(&format!("{}@example.org", "a".repeat(300))), None);
}

#[test]
fn salesforce_gets_its_own_field_names() {
    let body = render(Crm::Salesforce, Fields::ALL, &ada(), true);
    assert_eq!(
        body,
        json!({
            "FirstName": "Ada King", "LastName": "Lovelace", "Email": "ada@example.org",
            "Title": "Analyst", "Company": "Engines Ltd", "LeadSource": "Event", "Rating": "Hot",
            "Convene_Event__c": "Data Days", "Convene_Lead_Score__c": 87,
            "Convene_Lead_Grade__c": "A", "Convene_Booth_Visits__c": 3,
            "Convene_Content_Downloads__c": 2, "Convene_Sessions_Attended__c": 1,
            "Convene_Messages__c": 4, "Convene_Meeting_Requested__c": true,
            "Convene_Interactions__c": 11, "Convene_Last_Interaction__c": "2026-11-15T16:30:00Z",
        })
    );
}

#[test]
fn salesforce_shows_a_grade_as_a_rating() {
    for (grade, shown) in [("A", "Hot"), ("B", "Warm"), ("C", "Cold"), ("D", "Cold")] {
        let lead = Lead { grade: grade.into(), ..ada() };
        let body = render(Crm::Salesforce, only(false, false, true), &lead, false);
        assert_eq!(body["Rating"], shown);
    }
}

#[test]
fn what_salesforce_must_have_is_there_when_a_lead_is_created_and_only_then() {
    let nobody = Lead { full_name: None, company: Some(" \t".into()), email: None, ..ada() };
    let body = render(Crm::Salesforce, Fields::ALL, &nobody, true);
    assert_eq!(
        (&body["LastName"], &body["Company"]),
        (&json!("Lead 0a1b2c3d"), &json!("[not provided]"))
    );
    let body = render(Crm::Salesforce, Fields::ALL, &nobody, false);
    assert!(
        ["LastName", "FirstName", "Company", "Email", "LeadSource"]
            .iter()
            .all(|k| body.get(k).is_none())
    );
}

#[test]
fn salesforce_is_given_no_more_than_its_fields_hold() {
    let long = "é".repeat(400);
    let lead = Lead {
        full_name: Some(format!("{long} {long}")),
        job_title: Some(long.clone()),
        company: Some(long.clone()),
        email: Some(format!("{}@example.org", "a".repeat(100))),
        ..ada()
    };
    let body = render(Crm::Salesforce, Fields::ALL, &lead, true);
    let chars = |key: &str| body[key].as_str().map(|text| text.chars().count());
    assert_eq!(chars("FirstName"), Some(40));
    assert_eq!(chars("LastName"), Some(80));
    assert_eq!(chars("Title"), Some(128));
    assert_eq!(chars("Company"), Some(255));
    assert_eq!(chars("Email"), None);
}

#[test]
fn hubspot_gets_properties_that_are_texts() {
    let body = render(Crm::Hubspot, Fields::ALL, &ada(), true);
    assert_eq!(
        body,
        json!({ "properties": {
            "firstname": "Ada King", "lastname": "Lovelace", "email": "ada@example.org",
            "jobtitle": "Analyst", "company": "Engines Ltd", "lifecyclestage": "lead",
            "convene_lead_id": "0a1b2c3d-0000-4000-8000-000000000001", "convene_event": "Data Days",
            "convene_lead_score": "87", "convene_lead_grade": "A", "convene_booth_visits": "3",
            "convene_content_downloads": "2", "convene_sessions_attended": "1",
            "convene_messages": "4", "convene_meeting_requested": "true",
            "convene_interactions": "11", "convene_last_interaction": "2026-11-15T16:30:00Z",
        }})
    );
    let update = render(Crm::Hubspot, Fields::ALL, &ada(), false);
    assert!(update["properties"].get("lifecyclestage").is_none());
}

#[test]
fn pipedrive_gets_a_person_and_a_lead() {
    let body = render(Crm::Pipedrive, only(true, false, true), &ada(), true);
    assert_eq!(
        body,
        json!({
            "person": {
                "name": "Ada King Lovelace",
                "emails": [{ "value": "ada@example.org", "primary": true, "label": "work" }],
                "custom_fields": {
                    "convene_lead_id": "0a1b2c3d-0000-4000-8000-000000000001",
                    "convene_job_title": "Analyst", "convene_company": "Engines Ltd",
                },
            },
            "lead": {
                "title": "Ada King Lovelace, Data Days",
                "custom_fields": {
                    "convene_lead_id": "0a1b2c3d-0000-4000-8000-000000000001",
                    "convene_event": "Data Days", "convene_lead_score": 87, "convene_lead_grade": "A",
                },
            },
        })
    );
}

#[test]
fn groups_that_were_not_asked_for_are_not_sent() {
    for crm in Crm::ALL {
        let text = |fields| render(crm, fields, &ada(), true).to_string().to_lowercase();
        let score = text(only(false, false, true));
        assert!(!score.contains("lovelace") && !score.contains("ada@") && !score.contains("booth"));
        let contact = text(only(true, false, false));
        assert!(
            !contact.contains("score") && !contact.contains("rating") && !contact.contains("booth")
        );
        let engagement = text(only(false, true, false));
        assert!(
            engagement.contains("booth")
                && !engagement.contains("engines")
                && !engagement.contains("score")
        );
    }
}

#[test]
fn groups_are_read_and_written() {
    let parsed = Fields::parse(["lead_score", "contact_info", "lead_score"]);
    assert_eq!(parsed, Ok(only(true, false, true)));
    assert_eq!(parsed.map(Fields::names), Ok(vec!["contact_info", "lead_score"]));
    for wrong in [vec![], vec!["notes"], vec!["contact_info", ""], vec!["Contact_info"]] {
        assert_eq!(Fields::parse(wrong).map_err(|e| e.sqlstate()), Err("22023"));
    }
    for crm in Crm::ALL {
        assert_eq!(Crm::parse(crm.name()), Ok(crm));
    }
    assert_eq!(Crm::parse("zoho").map_err(|e| e.sqlstate()), Err("22023"));
}

/// Neither null nor empty, and no text with a control character, all the way down.
fn clean(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty() && !text.chars().any(char::is_control),
        Value::Array(items) => items.iter().all(clean),
        Value::Object(entries) => entries.values().all(clean),
        _ => true,
    }
}

proptest! {
    /// Whatever people typed: nothing is null, nothing is empty, no control character is sent, and
    /// an update never says more than the creation.
    #[test]
    fn bodies_are_clean(
        name in proptest::option::of(any::<String>()), email in proptest::option::of(any::<String>()),
        company in proptest::option::of(any::<String>()), event in any::<String>(),
        contact in any::<bool>(), engagement in any::<bool>(), score in any::<bool>(),
    ) {
        let lead = Lead { full_name: name, email, company, event, ..ada() };
        let fields = only(contact, engagement, score);
        for crm in Crm::ALL {
            let create = render(crm, fields, &lead, true);
            let update = render(crm, fields, &lead, false);
            prop_assert!(clean(&create) && clean(&update));
            prop_assert!(within(&update, &create));
        }
    }

    /// No part of a name is lost.
    #[test]
    fn a_name_is_its_parts(name in "[\\PC ]{1,60}") {
        if let Some(name) = cleaned(&name) {
            let (first, last) = split_name(&name);
            let whole = first.map_or(last.clone(), |first| format!("{first} {last}"));
            prop_assert_eq!(whole, name);
            prop_assert!(!last.is_empty());
        }
    }
}

fn within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| within(value, other)))
        }
        _ => part == whole,
    }
}
