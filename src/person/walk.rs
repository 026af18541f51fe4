//! From a person to their rows: along the links until no new id turns up.

use std::collections::BTreeMap;

use pgrx::datum::DatumWithOid;
use pgrx::spi::quote_identifier;

use super::map::{Link, Map, Meaning};
use crate::db;
use crate::error::Outcome;

/// Tables whose rows are persons.
const PEOPLE: [&str; 5] = ["profiles", "users", "attendees", "contacts", "contractors"];
/// Shorter values than this occur in texts by chance.
const LEAST_CHARS: usize = 5;

/// Values that a statement is given.
#[derive(Clone, Debug)]
pub enum Argument {
    /// Ids.
    Ids(Vec<pgrx::Uuid>),
    /// Texts.
    Texts(Vec<String>),
}

/// A condition on the rows of a table, which it calls `x`.
#[derive(Debug)]
pub struct Condition {
    /// The text, with its arguments numbered from 1.
    pub sql: String,
    /// The arguments.
    pub arguments: Vec<Argument>,
}

impl Condition {
    /// The arguments as the server takes them.
    pub fn values(&self) -> Vec<DatumWithOid<'_>> {
        self.arguments
            .iter()
            .map(|argument| match argument {
                Argument::Ids(ids) => ids.clone().into(),
                Argument::Texts(texts) => texts.clone().into(),
            })
            .collect()
    }
}

/// What is known of a person.
#[derive(Debug)]
pub struct Known {
    /// The profile.
    pub profile: pgrx::Uuid,
    /// Ids of their rows by table, and values of columns by `table.column`.
    pub ids: BTreeMap<String, Vec<pgrx::Uuid>>,
    /// Addresses that are verified to be theirs, in lower case.
    pub emails: Vec<String>,
    /// The digits of their telephone numbers, as their own rows have them.
    pub phones: Vec<String>,
    /// Ids of rows that go.
    pub gone: Vec<pgrx::Uuid>,
    /// Words for them in texts that are known to speak of them: names, addresses, numbers. They
    /// wrote most of these themselves, so none of them proves anything.
    pub words: Vec<String>,
}

impl Known {
    /// Finds everything that is the person's.
    pub fn of(map: &Map, profile: pgrx::Uuid) -> Outcome<Self> {
        // The identity provider's address; clients cannot write it.
        const EMAIL: &str =
            "SELECT lower(email) FROM convene.profiles WHERE id = $1 AND email <> ''";
        let emails = db::read(EMAIL, &[profile.into()], |row| row.want(1))?;
        let mut known = Self {
            profile,
            ids: BTreeMap::from([("profiles".to_owned(), vec![profile])]),
            emails,
            phones: Vec::new(),
            gone: Vec::new(),
            words: Vec::new(),
        };
        known.follow(map)?;
        known.recognise(map)?;
        // A number is a way to rows that nobody else has, and only that.
        known.follow(map)?;
        for table in map.order.iter().filter(|table| map.has_id(table)) {
            let goes = |meaning| matches!(meaning, Meaning::Delete | Meaning::Cascade);
            if let Some(condition) = known.condition(map, table, goes) {
                known.gone.extend(Self::ids_of(table, "id", &condition)?);
            }
        }
        Ok(known)
    }

    /// Collects ids until a round brings none.
    fn follow(&mut self, map: &Map) -> Outcome<()> {
        loop {
            let before: usize = self.ids.values().map(Vec::len).sum();
            for table in
                map.order.iter().filter(|table| table.as_str() != "profiles" && map.has_id(table))
            {
                let Some(condition) = self.condition(map, table, Meaning::is_theirs) else {
                    continue;
                };
                let ids = Self::ids_of(table, "id", &condition)?;
                self.ids.insert(table.clone(), ids);
            }
            for link in &map.links {
                let Some((table, column)) = link.refers_to.split_once('.') else { continue };
                let Some(condition) = self.condition(map, table, Meaning::is_theirs) else {
                    continue;
                };
                let ids = Self::ids_of(table, column, &condition)?;
                self.ids.insert(link.refers_to.clone(), ids);
            }
            if self.ids.values().map(Vec::len).sum::<usize>() == before {
                return Ok(());
            }
        }
    }

    fn ids_of(table: &str, column: &str, condition: &Condition) -> Outcome<Vec<pgrx::Uuid>> {
        let sql = format!(
            "SELECT DISTINCT x.{column} FROM convene.{table} x WHERE x.{column} IS NOT NULL AND ({})",
            condition.sql,
            table = quote_identifier(table),
            column = quote_identifier(column),
        );
        db::read_once(&sql, &condition.values(), |row| row.want(1))
    }

    /// Collects names, addresses and numbers from the rows that are the person, so to speak.
    fn recognise(&mut self, map: &Map) -> Outcome<()> {
        for table in PEOPLE {
            let Some(condition) = self.condition(map, table, Meaning::is_theirs) else { continue };
            for column in map.columns_of(table).iter().filter(|column| column.kind == "text") {
                let phone = column.name.ends_with("phone");
                if phone || column.name.ends_with("email") || column.name.ends_with("full_name") {
                    let found = texts(table, &column.name, &condition)?;
                    if phone {
                        self.phones.extend(found.iter().map(|phone| digits(phone)));
                    }
                    self.words.extend(found);
                }
            }
        }
        self.phones.retain(|phone| phone.len() >= LEAST_CHARS);
        self.words.retain(|word| word.chars().count() >= LEAST_CHARS);
        for list in [&mut self.phones, &mut self.words] {
            list.sort();
            list.dedup();
        }
        Ok(())
    }

    /// Which rows of a table are the person's by links of such meanings; none can be: `None`.
    pub fn condition(
        &self,
        map: &Map,
        table: &str,
        meant: impl Fn(Meaning) -> bool,
    ) -> Option<Condition> {
        self.condition_by(map, table, |link| meant(link.meaning))
    }

    /// As [`Known::condition`], by whichever of the links that make a row the person's.
    pub fn condition_by(
        &self,
        map: &Map,
        table: &str,
        wanted: impl Fn(&Link) -> bool,
    ) -> Option<Condition> {
        let mut arguments = Vec::new();
        let mut arms = Vec::new();
        for link in map.theirs(table).filter(|link| wanted(link)) {
            let Some(arm) = self.names_them(link, &mut arguments) else { continue };
            // What goes before it must not name somebody else.
            let others: Vec<String> = map
                .theirs(table)
                .filter(|other| 0 < other.place && other.place < link.place)
                .map(|other| {
                    let column = quote_identifier(&other.column);
                    match (other.refers_to.contains('.'), self.names_them(other, &mut arguments)) {
                        // An id that rows of theirs hold: that others hold it too says nothing.
                        (true, _) => String::new(),
                        (false, Some(same)) => format!(" AND (x.{column} IS NULL OR {same})"),
                        (false, None) => format!(" AND x.{column} IS NULL"),
                    }
                })
                .collect();
            arms.push(format!("({arm}{})", others.concat()));
        }
        (!arms.is_empty()).then(|| Condition { sql: arms.join(" OR "), arguments })
    }

    /// That a column names the person.
    pub fn names_them(&self, link: &Link, arguments: &mut Vec<Argument>) -> Option<String> {
        let column = quote_identifier(&link.column);
        let number = arguments.len() + 1;
        let (sql, argument) = match link.refers_to.as_str() {
            "email" => (
                format!("lower(x.{column}) = ANY (${number})"),
                Argument::Texts(self.emails.clone()),
            ),
            "phone" => (
                format!("pg_catalog.regexp_replace(x.{column}, '\\D', '', 'g') = ANY (${number})"),
                Argument::Texts(self.phones.clone()),
            ),
            table => (
                format!("x.{column} = ANY (${number})"),
                Argument::Ids(self.ids.get(table).cloned().unwrap_or_default()),
            ),
        };
        let empty = match &argument {
            Argument::Ids(ids) => ids.is_empty(),
            Argument::Texts(texts) => texts.is_empty(),
        };
        if empty {
            return None;
        }
        arguments.push(argument);
        Some(sql)
    }

    /// Rows that name a row of the person's and are somebody else's.
    pub fn named_by_others(&self, map: &Map, link: &Link) -> Option<Condition> {
        let none = || Condition { sql: "false".to_owned(), arguments: Vec::new() };
        let mut theirs = self.condition(map, &link.table, Meaning::is_theirs).unwrap_or_else(none);
        let names = self.names_them(link, &mut theirs.arguments)?;
        theirs.sql = format!("{names} AND ({}) IS NOT TRUE", theirs.sql);
        Some(theirs)
    }

    /// What shows for certain that a text speaks of them.
    pub fn proofs(&self) -> Vec<String> {
        std::iter::once(self.profile.to_string()).chain(self.emails.iter().cloned()).collect()
    }

    /// The ids of all rows of the person.
    pub fn all_ids(&self) -> Vec<pgrx::Uuid> {
        self.ids
            .iter()
            .filter(|(table, _)| !table.contains('.'))
            .flat_map(|(_, ids)| ids)
            .copied()
            .collect()
    }
}

fn texts(table: &str, column: &str, condition: &Condition) -> Outcome<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT x.{column} FROM convene.{table} x WHERE x.{column} <> '' AND ({})",
        condition.sql,
        table = quote_identifier(table),
        column = quote_identifier(column),
    );
    db::read_once(&sql, &condition.values(), |row| row.want(1))
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
