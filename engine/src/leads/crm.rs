//! A lead in the words of a CRM: the field names of the public APIs of Salesforce, `HubSpot` and
//! Pipedrive. What is not known is left out, so that nothing in the CRM is overwritten with nothing.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Where a lead comes from, as the CRM shows it.
const LEAD_SOURCE: &str = "Event";
/// What Salesforce writes itself where a company must be given and none is known.
const NOT_PROVIDED: &str = "[not provided]";
/// Characters that a text field of `HubSpot` or Pipedrive takes for a name.
const TEXT_CHARS: usize = 255;
/// Characters of a mail address that is still one.
const EMAIL_CHARS: usize = 254;

/// A CRM that leads are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crm {
    /// Object `Lead` of the REST API.
    Salesforce,
    /// Object `contacts` of the CRM API, version 3.
    Hubspot,
    /// A person and a lead that belongs to it.
    Pipedrive,
}

impl Crm {
    /// Every CRM.
    pub const ALL: [Self; 3] = [Self::Salesforce, Self::Hubspot, Self::Pipedrive];

    /// The name SQL callers use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::Hubspot => "hubspot",
            Self::Pipedrive => "pipedrive",
        }
    }

    /// The CRM with this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] that lists the names.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|crm| crm.name() == name).ok_or_else(|| {
            Error::invalid(
                format!("p_crm_type {name:?} is not known"),
                "There are adapters for three CRMs.",
                "Pass salesforce, hubspot or pipedrive.",
            )
        })
    }
}

/// Which groups of fields a sponsor wants in its CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields {
    /// Name, address, title and company.
    pub contact: bool,
    /// Visits, downloads, sessions, messages, meeting, last contact.
    pub engagement: bool,
    /// Score and grade.
    pub score: bool,
}

impl Fields {
    /// Every group.
    pub const ALL: Self = Self { contact: true, engagement: true, score: true };

    /// The groups with these names; a name may be there twice.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown name, and for none at all.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut fields = Self::default();
        for name in names {
            match name {
                "contact_info" => fields.contact = true,
                "engagement_history" => fields.engagement = true,
                "lead_score" => fields.score = true,
                _ => {
                    return Err(Error::invalid(
                        format!("p_sync_fields has {name:?}, which is not known"),
                        "Fields are synced in groups.",
                        "Pass some of contact_info, engagement_history and lead_score.",
                    ));
                }
            }
        }
        if fields == Self::default() {
            return Err(Error::invalid(
                "p_sync_fields is empty",
                "A lead without any field cannot be synced.",
                "Pass some of contact_info, engagement_history and lead_score, or leave it out.",
            ));
        }
        Ok(fields)
    }

    /// The names of the groups, always in the same order.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        [
            (self.contact, "contact_info"),
            (self.engagement, "engagement_history"),
            (self.score, "lead_score"),
        ]
        .into_iter()
        .filter_map(|(wanted, name)| wanted.then_some(name))
        .collect()
    }
}

/// What is known of a lead. Texts are as people typed them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lead {
    /// The id that the CRM keeps as the lead's external id.
    pub id: String,
    /// The attendee's name.
    pub full_name: Option<String>,
    /// The attendee's address.
    pub email: Option<String>,
    /// The attendee's position.
    pub job_title: Option<String>,
    /// The attendee's employer.
    pub company: Option<String>,
    /// The event where they met.
    pub event: String,
    /// 0 to 100.
    pub score: i32,
    /// A to D.
    pub grade: String,
    /// Visits to the booth.
    pub booth_visits: i32,
    /// Documents taken.
    pub content_downloads: i32,
    /// The sponsor's sessions attended.
    pub sessions_attended: i32,
    /// Messages exchanged.
    pub messages: i32,
    /// Whether the attendee asked for a meeting.
    pub meeting_requested: bool,
    /// Contacts of any kind.
    pub interactions: i32,
    /// The last contact, in UTC, as ISO 8601 writes it.
    pub last_interaction: Option<String>,
}

/// The lead as the body of the request that creates it, or of the one that updates it.
///
/// To create, a CRM asks for some fields that may not be known or not be wanted; there they are
/// given words that say so. An update leaves them out.
#[must_use]
pub fn render(crm: Crm, fields: Fields, lead: &Lead, create: bool) -> Value {
    let known = Known::of(lead);
    match crm {
        Crm::Salesforce => salesforce(fields, lead, &known, create),
        Crm::Hubspot => hubspot(fields, lead, &known, create),
        Crm::Pipedrive => pipedrive(fields, lead, &known, create),
    }
}

/// The texts of a lead without what no CRM wants: line breaks, control characters, empty words.
struct Known {
    first: Option<String>,
    last: Option<String>,
    name: Option<String>,
    email: Option<String>,
    title: Option<String>,
    company: Option<String>,
    event: Option<String>,
}

impl Known {
    fn of(lead: &Lead) -> Self {
        let name = lead.full_name.as_deref().and_then(cleaned);
        let (first, last) = name.as_deref().map(split_name).unzip();
        Self {
            first: first.flatten(),
            last,
            name,
            email: lead.email.as_deref().and_then(address),
            title: lead.job_title.as_deref().and_then(cleaned),
            company: lead.company.as_deref().and_then(cleaned),
            event: cleaned(&lead.event),
        }
    }
}

fn cleaned(text: &str) -> Option<String> {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A text that can be a mail address: what cannot would only be refused, and the lead with it.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let fine = !local.is_empty()
        && text.chars().count() <= EMAIL_CHARS
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && !domain.contains('@')
        && domain.split('.').count() >= 2
        && domain.split('.').all(|label| !label.is_empty());
    fine.then(|| text.to_owned())
}

/// First and last name: the last one is the last word, with the small words before it (van, de la).
/// One word is a last name.
#[must_use]
pub fn split_name(name: &str) -> (Option<String>, String) {
    let words: Vec<&str> = name.split_whitespace().collect();
    let small = |word: &&str| word.chars().next().is_some_and(char::is_lowercase);
    let mut start = words.len().saturating_sub(1);
    while start > 1 && small(&words[start - 1]) {
        start -= 1;
    }
    let first = words[..start].join(" ");
    ((!first.is_empty()).then_some(first), words[start..].join(" "))
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect::<String>().trim_end().to_owned()
}

/// Puts what is known into an object.
fn put(object: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.into());
    }
}

/// Who a lead without a name is: enough to tell it from the next.
fn unnamed(lead: &Lead) -> String {
    format!("Lead {}", lead.id.chars().take(8).collect::<String>())
}

/// How warm Salesforce shows a grade.
fn rating(grade: &str) -> &'static str {
    match grade {
        "A" => "Hot",
        "B" => "Warm",
        _ => "Cold",
    }
}

/// `Lead` of Salesforce. The external id is part of the request's address there, and must not be in
/// its body.
fn salesforce(fields: Fields, lead: &Lead, known: &Known, create: bool) -> Value {
    let mut body = Map::new();
    if fields.contact {
        let short = |text: &Option<String>, chars| text.as_deref().map(|text| cut(text, chars));
        put(&mut body, "FirstName", short(&known.first, 40));
        put(&mut body, "LastName", short(&known.last, 80));
        put(&mut body, "Title", short(&known.title, 128));
        put(&mut body, "Company", short(&known.company, 255));
        // A cut address would be another one.
        put(&mut body, "Email", known.email.clone().filter(|email| email.chars().count() <= 80));
    }
    if create {
        body.entry("LastName").or_insert_with(|| unnamed(lead).into());
        body.entry("Company").or_insert(NOT_PROVIDED.into());
        put(&mut body, "LeadSource", Some(LEAD_SOURCE));
    }
    put(&mut body, "Convene_Event__c", known.event.as_deref().map(|text| cut(text, TEXT_CHARS)));
    if fields.score {
        put(&mut body, "Rating", Some(rating(&lead.grade)));
        put(&mut body, "Convene_Lead_Score__c", Some(lead.score));
        put(&mut body, "Convene_Lead_Grade__c", Some(lead.grade.as_str()));
    }
    if fields.engagement {
        put(&mut body, "Convene_Booth_Visits__c", Some(lead.booth_visits));
        put(&mut body, "Convene_Content_Downloads__c", Some(lead.content_downloads));
        put(&mut body, "Convene_Sessions_Attended__c", Some(lead.sessions_attended));
        put(&mut body, "Convene_Messages__c", Some(lead.messages));
        put(&mut body, "Convene_Meeting_Requested__c", Some(lead.meeting_requested));
        put(&mut body, "Convene_Interactions__c", Some(lead.interactions));
        put(&mut body, "Convene_Last_Interaction__c", lead.last_interaction.clone());
    }
    Value::Object(body)
}

/// The custom fields of `HubSpot` and Pipedrive: score and engagement under our own names.
fn custom(fields: Fields, lead: &Lead, known: &Known) -> Map<String, Value> {
    let mut custom = Map::new();
    put(&mut custom, "convene_lead_id", Some(lead.id.as_str()));
    put(&mut custom, "convene_event", known.event.as_deref().map(|text| cut(text, TEXT_CHARS)));
    if fields.score {
        put(&mut custom, "convene_lead_score", Some(lead.score));
        put(&mut custom, "convene_lead_grade", Some(lead.grade.as_str()));
    }
    if fields.engagement {
        put(&mut custom, "convene_booth_visits", Some(lead.booth_visits));
        put(&mut custom, "convene_content_downloads", Some(lead.content_downloads));
        put(&mut custom, "convene_sessions_attended", Some(lead.sessions_attended));
        put(&mut custom, "convene_messages", Some(lead.messages));
        put(&mut custom, "convene_meeting_requested", Some(lead.meeting_requested));
        put(&mut custom, "convene_interactions", Some(lead.interactions));
        put(&mut custom, "convene_last_interaction", lead.last_interaction.clone());
    }
    custom
}

/// A contact of `HubSpot`, whose properties are texts all of them.
fn hubspot(fields: Fields, lead: &Lead, known: &Known, create: bool) -> Value {
    let mut properties = custom(fields, lead, known);
    for value in properties.values_mut() {
        if !value.is_string() {
            *value = Value::String(value.to_string());
        }
    }
    if fields.contact {
        put(&mut properties, "firstname", known.first.clone());
        put(&mut properties, "lastname", known.last.clone());
        put(&mut properties, "email", known.email.clone());
        put(&mut properties, "jobtitle", known.title.clone());
        put(&mut properties, "company", known.company.clone());
    }
    if create {
        properties.entry("lastname").or_insert_with(|| unnamed(lead).into());
        put(&mut properties, "lifecyclestage", Some("lead"));
    }
    json!({ "properties": properties })
}

/// A person of Pipedrive, and the lead that belongs to it. Custom fields go by their names here; an
/// account has keys of its own for them, which the worker looks up.
fn pipedrive(fields: Fields, lead: &Lead, known: &Known, create: bool) -> Value {
    let name = known.name.as_deref().filter(|_| fields.contact).map(|name| cut(name, TEXT_CHARS));
    let mut person = Map::new();
    let mut about = Map::new();
    put(&mut about, "convene_lead_id", Some(lead.id.as_str()));
    if fields.contact {
        if let Some(email) = &known.email {
            let emails = json!([{ "value": email, "primary": true, "label": "work" }]);
            person.insert("emails".to_owned(), emails);
        }
        put(&mut about, "convene_job_title", known.title.as_deref().map(|t| cut(t, TEXT_CHARS)));
        put(&mut about, "convene_company", known.company.as_deref().map(|t| cut(t, TEXT_CHARS)));
    }
    let mut opened = Map::new();
    if name.is_some() || create {
        let name = name.unwrap_or_else(|| unnamed(lead));
        let event = known.event.as_deref().unwrap_or(LEAD_SOURCE);
        opened.insert("title".to_owned(), cut(&format!("{name}, {event}"), TEXT_CHARS).into());
        person.insert("name".to_owned(), name.into());
    }
    person.insert("custom_fields".to_owned(), about.into());
    opened.insert("custom_fields".to_owned(), custom(fields, lead, known).into());
    json!({ "person": person, "lead": opened })
}

#[cfg(test)]
#[path = "crm_tests.rs"]
mod tests;
