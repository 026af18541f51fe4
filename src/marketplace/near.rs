//! Sponsors and events by what they say: the nearest vectors of one model.

use convene_engine::Error;
use convene_engine::marketplace::{Plan, plan};
use convene_engine::similarity;
use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_literal};

use super::recommend::MOST;
use crate::auth::{self, caller};
use crate::db::{self, Row};
use crate::embeddings::numbers;
use crate::error::{Failure, OrRaise, Outcome, invalid, required, share, within};
use crate::install::vector_schema;
use crate::owner::{with_owner, with_settings};

/// A vector that others are compared with, and the model that it is of.
struct Query {
    vector: Vec<f32>,
    model: String,
}

/// What is looked through.
struct Place {
    /// Table, key and column of the vectors.
    table: &'static str,
    key: &'static str,
    vectors: &'static str,
    /// Which rows count: of the vectors `v` and of what is joined to them.
    joined: &'static str,
    /// What is shown of a find.
    shown: &'static str,
}

const SPONSORS: Place = Place {
    table: "convene.sponsor_profiles",
    key: "sponsor_id",
    vectors: "objectives_embedding",
    joined: "JOIN convene.sponsor_cards c ON c.sponsor_id = v.sponsor_id AND c.audience IS NOT NULL
             LEFT JOIN convene.sponsorship_matches m ON m.sponsor_id = v.sponsor_id AND m.event_id = $6",
    shown: "c.company_name, c.industry, c.company_size, m.score",
};
const EVENTS: Place = Place {
    table: "convene.event_embeddings",
    key: "event_id",
    vectors: "embedding",
    joined: "JOIN convene.events e ON e.id = v.event_id AND e.is_public AND $6::uuid IS NULL",
    shown: "e.title, e.status, e.start_at, e.end_at",
};

/// What bounds an answer.
struct Bounds {
    /// Only these may be found; `None`: all.
    among: Option<Vec<pgrx::Uuid>>,
    limit: usize,
    threshold: f64,
    /// The event whose matches are shown beside.
    event: Option<pgrx::Uuid>,
}

/// How many vectors there are of a model, counted no further than matters.
fn count(place: &Place, query: &Query, most: i64) -> Outcome<i64> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT FROM {} v WHERE v.embedding_model = $1 LIMIT $2) v",
        place.table
    );
    let found =
        db::read_once(&sql, &[query.model.as_str().into(), most.into()], |row| row.want(1))?;
    Ok(found.first().copied().unwrap_or(0))
}

/// The text of a search among all vectors of a model, or among those of some keys.
fn compared(place: &Place) -> Outcome<String> {
    let home = quote_identifier(vector_schema()?);
    let Place { table, key, vectors, joined, shown } = *place;
    Ok(format!(
        "SELECT v.{key}, r.similarity, {shown}
           FROM {table} v
           {joined}
          CROSS JOIN LATERAL (
                SELECT 1 - (v.{vectors} OPERATOR({home}.<=>) $1::real[]::{home}.vector)) r (similarity)
          WHERE v.embedding_model = $2 AND ($3::uuid[] IS NULL OR v.{key} = ANY ($3))
            AND r.similarity >= $4 AND r.similarity <> 'NaN'
          ORDER BY r.similarity DESC, v.{key} LIMIT $5"
    ))
}

/// The text by which the index is asked. It is on this very expression, of this model only: both have
/// to be spelled out. What it finds is compared by the full vectors.
fn indexed(place: &Place, query: &Query, candidates: usize, half: bool) -> Outcome<String> {
    let home = quote_identifier(vector_schema()?);
    let Place { table, key, vectors, .. } = *place;
    let (dims, kind) = (query.vector.len(), if half { "halfvec" } else { "vector" });
    let model = quote_literal(&query.model);
    Ok(format!(
        "SELECT v.{key}, 1 - (v.{vectors} OPERATOR({home}.<=>) $1::real[]::{home}.vector)
           FROM {table} v WHERE v.embedding_model = {model}
          ORDER BY v.{vectors}::{home}.{kind}({dims})
                   OPERATOR({home}.<=>) $1::real[]::{home}.{kind}({dims}) LIMIT {candidates}"
    ))
}

/// The nearest, by descending similarity.
fn search<T>(
    place: &Place,
    query: &Query,
    bounds: &Bounds,
    mut map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let sql = compared(place)?;
    let mut compare = |among: Option<Vec<pgrx::Uuid>>| {
        db::read_once(
            &sql,
            &[
                query.vector.clone().into(),
                query.model.as_str().into(),
                among.into(),
                bounds.threshold.into(),
                (bounds.limit as i64).into(),
                bounds.event.into(),
            ],
            &mut map,
        )
    };
    if bounds.among.is_some() {
        return compare(bounds.among.clone());
    }
    let vectors = count(place, query, i64::from(i16::MAX))?;
    let Plan::Index { candidates, ef_search, half } =
        plan(vectors, query.vector.len(), bounds.limit)
    else {
        return compare(None);
    };
    let ef_search = std::ffi::CString::new(ef_search.to_string()).unwrap_or_default();
    let settings = [
        (c"hnsw.ef_search", &*ef_search),
        (c"hnsw.iterative_scan", c"relaxed_order"),
        // The planner takes an index for dear where it has not seen how large the vectors are.
        (c"enable_seqscan", c"off"),
        (c"enable_sort", c"off"),
    ];
    let sql = indexed(place, query, candidates, half)?;
    let near = with_settings(&settings, || {
        db::read_once(&sql, &[query.vector.clone().into()], |row| {
            Ok((row.want::<pgrx::Uuid>(1)?, row.want::<f64>(2)?))
        })
    })?;
    let farthest = near.iter().map(|(_, similarity)| *similarity).fold(f64::INFINITY, f64::min);
    let found = compare(Some(near.into_iter().map(|(id, _)| id).collect()))?;
    // Enough, or all that are near enough. Otherwise too many of them do not count (a sponsor that
    // left the market, an event that is a draft), and all are compared.
    if found.len() >= bounds.limit || farthest < bounds.threshold {
        return Ok(found);
    }
    compare(None)
}

// Finding the model -----------------------------------------------------------------------------

/// A vector of a caller, and which model it is of: the one named, the default one, or the only other
/// one of its dimension.
fn asked(embedding: Option<Vec<Option<f32>>>, model: Option<&str>) -> Outcome<Query> {
    let mut vector = numbers(required(embedding, "p_embedding")?)?;
    if !similarity::scale(&mut vector) {
        return invalid(
            "p_embedding has no direction: all its numbers are zero",
            "Similarity is the cosine of the angle between two vectors.",
            "Pass the vector that an embedding model gives.",
        );
    }
    let model = with_owner(|| model_of(vector.len(), model))?;
    Ok(Query { vector, model })
}

const MODELS: &str = "
    SELECT m.model, m.dimensions, m.is_default FROM convene.embedding_models m
     ORDER BY m.is_default DESC, m.model";

fn model_of(dims: usize, named: Option<&str>) -> Outcome<String> {
    let models = db::read(MODELS, &[], |row| {
        Ok((row.want::<String>(1)?, row.want::<i32>(2)? as usize, row.want::<bool>(3)?))
    })?;
    if let Some(named) = named {
        return match models.into_iter().find(|(model, ..)| model == named) {
            Some((model, expected, _)) if expected == dims => Ok(model),
            Some((model, expected, _)) => mismatch(dims, &model, expected),
            None => invalid(
                format!("embedding model {named:?} is not registered"),
                "Vectors of different models cannot be compared.",
                "Pass a model of convene.embedding_models, or register it by convene.add_embedding_model().",
            ),
        };
    }
    let mut fitting = models.iter().filter(|(_, expected, _)| *expected == dims);
    match (fitting.next(), fitting.next()) {
        (Some((model, _, true)), _) | (Some((model, ..)), None) => Ok(model.clone()),
        (Some((one, ..)), Some((other, ..))) => invalid(
            format!("p_embedding has {dims} dimensions, as have {one:?} and {other:?}"),
            "Vectors of different models cannot be compared.",
            "Say which model it is of by p_model.",
        ),
        (None, _) => match models.first() {
            Some((model, expected, _)) => mismatch(dims, model, *expected),
            None => invalid(
                format!("p_embedding has {dims} dimensions, and no embedding model is registered"),
                "",
                "Register it: SELECT convene.add_embedding_model(model, dimensions);",
            ),
        },
    }
}

fn mismatch(dims: usize, model: &str, expected: usize) -> Outcome<String> {
    invalid(
        format!("p_embedding has {dims} dimensions, model {model:?} has {expected}"),
        "Vectors of different models cannot be compared, so each names its own.",
        "Pass a vector of that model, or register yours by convene.add_embedding_model() and name it as p_model.",
    )
}

// What is called --------------------------------------------------------------------------------

/// Whom a caller finds among sponsors: organizers and the service all of the market, others their own.
fn sponsors_in_sight() -> Outcome<Option<Vec<pgrx::Uuid>>> {
    const SIGHT: &str = "
        SELECT 'organizers' = ANY (ARRAY(SELECT convene_private.my_market_sides())),
               ARRAY(SELECT convene_private.my_sponsor_ids())";
    if caller()?.is_service() {
        return Ok(None);
    }
    let found = with_owner(|| {
        db::read_one(SIGHT, &[], |row| {
            let own: Vec<Option<pgrx::Uuid>> = row.want(2)?;
            Ok((row.want::<bool>(1)?, own.into_iter().flatten().collect::<Vec<_>>()))
        })
    })?;
    Ok(match found {
        Some((true, _)) => None,
        Some((false, own)) => Some(own),
        None => Some(vec![]),
    })
}

type Sponsor = (pgrx::Uuid, String, Option<String>, Option<String>, f64, Option<AnyNumeric>);

fn sponsor(row: &Row<'_>) -> Outcome<Sponsor> {
    Ok((row.want(1)?, row.want(3)?, row.get(4)?, row.get(5)?, cosine(row.want(2)?), row.get(6)?))
}

/// What rounding leaves beyond the ends of the scale is cut off.
fn cosine(value: f64) -> f64 {
    value.clamp(-1.0, 1.0)
}

/// Sponsors whose objectives are nearest to a vector.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_similar_sponsors(
    p_embedding: Option<Vec<Option<f32>>>,
    p_limit: default!(Option<i32>, "10"),
    p_threshold: default!(Option<f64>, "0"),
    p_model: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(sponsor_id, pgrx::Uuid),
        name!(company_name, String),
        name!(industry, Option<String>),
        name!(company_size, Option<String>),
        name!(similarity, f64),
    ),
> {
    let found = similar_sponsors(p_embedding, p_limit, p_threshold, p_model).or_raise();
    TableIterator::new(
        found.into_iter().map(|(id, name, industry, size, similarity, _)| {
            (id, name, industry, size, similarity)
        }),
    )
}

fn similar_sponsors(
    embedding: Option<Vec<Option<f32>>>,
    limit: Option<i32>,
    threshold: Option<f64>,
    model: Option<&str>,
) -> Outcome<Vec<Sponsor>> {
    let among = sponsors_in_sight()?;
    let query = asked(embedding, model)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    let threshold = share(threshold, -1.0, "p_threshold")?;
    let bounds = Bounds { among, limit, threshold, event: None };
    with_owner(|| search(&SPONSORS, &query, &bounds, sponsor))
}

/// Events whose text is nearest to a vector.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_similar_events(
    p_embedding: Option<Vec<Option<f32>>>,
    p_limit: default!(Option<i32>, "10"),
    p_threshold: default!(Option<f64>, "0"),
    p_model: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(event_id, pgrx::Uuid),
        name!(event_title, String),
        name!(status, String),
        name!(start_at, Option<TimestampWithTimeZone>),
        name!(end_at, Option<TimestampWithTimeZone>),
        name!(similarity, f64),
    ),
> {
    TableIterator::new(similar_events(p_embedding, p_limit, p_threshold, p_model).or_raise())
}

type Event =
    (pgrx::Uuid, String, String, Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>, f64);

fn similar_events(
    embedding: Option<Vec<Option<f32>>>,
    limit: Option<i32>,
    threshold: Option<f64>,
    model: Option<&str>,
) -> Outcome<Vec<Event>> {
    // Events on the market are everybody's to see; without data there is nothing to look at.
    crate::auth::caller()?;
    let query = asked(embedding, model)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    let threshold = share(threshold, -1.0, "p_threshold")?;
    let bounds = Bounds { among: None, limit, threshold, event: None };
    with_owner(|| {
        search(&EVENTS, &query, &bounds, |row| {
            Ok((
                row.want(1)?,
                row.want(3)?,
                row.want(4)?,
                row.get(5)?,
                row.get(6)?,
                cosine(row.want(2)?),
            ))
        })
    })
}

const VECTOR_OF_EVENT: &str = "
    SELECT x.embedding_model, x.embedding::real[] FROM convene.event_embeddings x WHERE x.event_id = $1";

/// Sponsors whose objectives are nearest to what an event is.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn semantic_sponsor_event_match(
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(sponsor_id, pgrx::Uuid),
        name!(company_name, String),
        name!(industry, Option<String>),
        name!(company_size, Option<String>),
        name!(semantic_similarity, f64),
        name!(match_score, Option<AnyNumeric>),
    ),
> {
    TableIterator::new(semantic_match(p_event_id, p_limit).or_raise())
}

fn semantic_match(event_id: Option<pgrx::Uuid>, limit: Option<i32>) -> Outcome<Vec<Sponsor>> {
    let event_id = auth::staffed_event(event_id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    with_owner(|| {
        let found = db::read_one(VECTOR_OF_EVENT, &[event_id.into()], |row| {
            Ok(Query { model: row.want(1)?, vector: row.want(2)? })
        })?;
        let Some(mut query) = found else {
            return Err(Failure(Error::WrongState {
                message: format!("event {event_id} has no vector"),
                detail: "Sponsors are compared with it by its embedding.".into(),
                hint: "Write one into convene.event_embeddings first.".into(),
            }));
        };
        similarity::scale(&mut query.vector);
        let bounds = Bounds { among: None, limit, threshold: -1.0, event: Some(event_id) };
        search(&SPONSORS, &query, &bounds, sponsor)
    })
}
