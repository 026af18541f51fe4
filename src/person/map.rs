//! The lists that say how rows come to be a person's and what becomes of them, as far as the
//! tables they name are there.

use std::collections::HashMap;

use crate::db;
use crate::error::Outcome;

/// What a row is to the person that a column of it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Theirs; it stays without what tells of them.
    Own,
    /// Theirs; it goes.
    Delete,
    /// Theirs; it goes with the row it belongs to.
    Cascade,
    /// Somebody else's that names them; it forgets whom.
    Null,
    /// Somebody else's that gives their address; that becomes a pseudonym.
    Address,
    /// Somebody else's that names a row of theirs which is left.
    Keep,
    /// Somebody else's; ids, names and addresses in it become pseudonyms.
    Scrub,
    /// Somebody else's list; elements that have to do with them go.
    Prune,
}

impl Meaning {
    fn named(name: &str) -> Self {
        match name {
            "own" => Self::Own,
            "delete" => Self::Delete,
            "cascade" => Self::Cascade,
            "null" => Self::Null,
            "address" => Self::Address,
            "scrub" => Self::Scrub,
            "prune" => Self::Prune,
            _ => Self::Keep,
        }
    }

    /// Whether the row is the person's.
    pub fn is_theirs(self) -> bool {
        matches!(self, Self::Own | Self::Delete | Self::Cascade)
    }
}

/// A column that leads from a person to rows.
#[derive(Debug)]
pub struct Link {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The table whose ids it holds, `table.column` whose values it holds, `email` or `phone`.
    pub refers_to: String,
    /// What the rows are.
    pub meaning: Meaning,
    /// Among columns that each could name the person, which goes first; 0: none is in question.
    pub place: i32,
    /// Whether rows found by it are in the person's copy.
    pub exported: bool,
}

/// A column of a table that has rows of persons.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the server writes it.
    pub kind: String,
    /// Whether it may be null.
    pub nullable: bool,
    /// What becomes of it; `None` for a text that no list names, in a column that users added.
    pub treatment: Option<String>,
    /// Whether it stays out of the person's copy.
    pub withheld: bool,
    /// Whether it alone is the key of its table.
    pub is_key: bool,
}

/// All of it.
#[derive(Debug)]
pub struct Map {
    /// The links, in the order of the list.
    pub links: Vec<Link>,
    /// By table its columns, generated ones apart, in order.
    pub columns: HashMap<String, Vec<Column>>,
    /// Tables with rows of persons, each after those that its rows are found by, as far as that
    /// can be had.
    pub order: Vec<String>,
}

/// Types that can hold something about a person.
const TELLING: [&str; 6] = ["text", "character varying", "text[]", "jsonb", "json", "inet"];

const LINKS: &str = "
    SELECT l.table_name, l.column_name, l.refers_to, l.meaning, l.place, l.exported
      FROM convene_private.personal_links() WITH ORDINALITY
           l (table_name, column_name, refers_to, meaning, place, exported, number)
      JOIN pg_catalog.pg_attribute a
        ON a.attrelid = pg_catalog.to_regclass('convene.' || pg_catalog.quote_ident(l.table_name))
       AND a.attname = l.column_name AND NOT a.attisdropped
     ORDER BY l.number";

const COLUMNS: &str = "
    SELECT c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, NULL),
           NOT a.attnotnull, t.treatment, w.column_name IS NOT NULL, a.attgenerated <> '',
           EXISTS (SELECT FROM pg_catalog.pg_index i
                    WHERE i.indrelid = c.oid AND i.indisprimary
                      AND i.indkey::pg_catalog.text = a.attnum::pg_catalog.text)
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'convene'
      JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN convene_private.personal_columns() t
        ON t.table_name = c.relname AND t.column_name = a.attname
      LEFT JOIN convene_private.withheld_columns() w
        ON w.table_name = c.relname AND w.column_name = a.attname
     WHERE c.relkind IN ('r', 'p') AND c.relname = ANY ($1) ORDER BY c.relname, a.attnum";

impl Map {
    /// Reads the lists and what the catalogue says of their tables.
    pub fn read() -> Outcome<Self> {
        let links = db::read(LINKS, &[], |row| {
            Ok(Link {
                table: row.want(1)?,
                column: row.want(2)?,
                refers_to: row.want(3)?,
                meaning: Meaning::named(&row.want::<String>(4)?),
                place: row.want(5)?,
                exported: row.want(6)?,
            })
        })?;
        let order = in_order(&links);
        let mut columns: HashMap<String, Vec<Column>> = HashMap::new();
        db::read(COLUMNS, &[order.clone().into()], |row| {
            // Numbers, times and states of rows that stay are what they stay for.
            let telling = TELLING.contains(&row.want::<String>(3)?.as_str());
            let treatment: Option<String> = row.get(5)?;
            let treatment = match treatment {
                None if row.want(7)? || !telling => Some("keep".to_owned()),
                treatment => treatment,
            };
            columns.entry(row.want(1)?).or_default().push(Column {
                name: row.want(2)?,
                kind: row.want(3)?,
                nullable: row.want(4)?,
                treatment,
                withheld: row.want(6)?,
                is_key: row.want(8)?,
            });
            Ok(())
        })?;
        Ok(Self { links, columns, order })
    }

    /// The links of a table by which rows are the person's.
    pub fn theirs<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Link> {
        self.links.iter().filter(move |link| link.table == table && link.meaning.is_theirs())
    }

    /// The columns of a table.
    pub fn columns_of(&self, table: &str) -> &[Column] {
        self.columns.get(table).map_or(&[], Vec::as_slice)
    }

    /// Whether the rows of a table have an id of their own, by which others may refer to them.
    pub fn has_id(&self, table: &str) -> bool {
        self.columns_of(table).iter().any(|column| column.name == "id" && column.is_key)
    }
}

/// Tables with rows of persons, parents before children. Two that are found by each other keep the
/// order of the list.
fn in_order(links: &[Link]) -> Vec<String> {
    let mut waiting: Vec<&str> = Vec::new();
    for link in links.iter().filter(|link| link.meaning.is_theirs()) {
        if !waiting.contains(&link.table.as_str()) {
            waiting.push(&link.table);
        }
    }
    let mut order: Vec<String> = Vec::new();
    while !waiting.is_empty() {
        let free = waiting.iter().position(|table| {
            !links.iter().any(|link| {
                link.table == **table
                    && link.meaning.is_theirs()
                    && link.refers_to != **table
                    && waiting.contains(&link.refers_to.as_str())
            })
        });
        order.push(waiting.remove(free.unwrap_or(0)).to_owned());
    }
    order
}
