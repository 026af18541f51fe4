//! Embeddings of sessions: the queue for outside workers, and the native embedder that needs none.

use convene_engine::{Error, text};
use pgrx::datum::Interval;
use pgrx::prelude::*;
use serde_json::json;

use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required, within};
use crate::owner::{require_owner, require_service, with_owner};
use crate::queue;

/// Sessions that are embedded and written at a time.
const BATCH: usize = 500;
/// More text than this says nothing more about a session.
const MOST_TEXT_BYTES: usize = 1024 * 1024;

/// The native embedding of a text: 256 numbers of unit length, the same for the same text always.
#[pg_extern(immutable, parallel_safe)]
fn embed_text(p_text: Option<&str>) -> Vec<f32> {
    required(p_text, "p_text").and_then(embed).or_raise()
}

fn embed(source: &str) -> Outcome<Vec<f32>> {
    if source.len() > MOST_TEXT_BYTES {
        return Err(Failure(Error::TooLarge {
            message: format!("a text of {} bytes is more than embed_text takes", source.len()),
            hint: format!(
                "Pass at most {MOST_TEXT_BYTES} bytes; the beginning of a long text says enough."
            ),
        }));
    }
    Ok(text::embed(source))
}

/// A worker may report on a text that has changed since, after another has reported on the new one:
/// the vector of the present text is not replaced by that of an older one. What is present is asked
/// by a volatile function, after the row is locked, so that it is not what an older snapshot shows.
const WRITE: &str = "
    INSERT INTO convene.session_embeddings AS e
           (session_id, event_id, embedding, source_text, embedding_model)
    SELECT s.id, s.event_id, w.vector::float4[], w.source_text, $4
      FROM unnest($1::uuid[], $2::text[], $3::text[]) w (session_id, vector, source_text)
      JOIN convene.sessions s ON s.id = w.session_id
    ON CONFLICT (session_id) DO UPDATE
       SET embedding = excluded.embedding, source_text = excluded.source_text,
           embedding_model = excluded.embedding_model
     WHERE convene_private.may_replace_text(e.session_id, e.source_text, excluded.source_text)";

/// The vector of a text of a session.
struct Embedded {
    session: pgrx::Uuid,
    vector: Vec<f32>,
    source: String,
}

/// Writes vectors of different sessions in one statement; how many took their place.
fn write(embedded: Vec<Embedded>, model: &str) -> Outcome<usize> {
    let sessions: Vec<pgrx::Uuid> = embedded.iter().map(|one| one.session).collect();
    let vectors: Vec<String> =
        embedded.iter().map(|one| db::array(one.vector.iter().map(ToString::to_string))).collect();
    let sources: Vec<String> = embedded.into_iter().map(|one| one.source).collect();
    db::execute(WRITE, &[sessions.into(), vectors.into(), sources.into(), model.into()])
}

/// Embeds sessions that wait for it with the native embedder; how many.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn embed_pending(p_limit: default!(Option<i32>, "100")) -> i32 {
    run_embed_pending(p_limit).or_raise()
}

/// Waiting sessions that have no embedding, or a native one: another model's vector is never
/// replaced by one that cannot be compared with it. Both rows of a doubled target are taken.
const PENDING: &str = "
    SELECT q.id
      FROM convene.embedding_queue q
      JOIN convene.sessions s ON s.id = q.target_id
      LEFT JOIN convene.session_embeddings e ON e.session_id = s.id
     WHERE q.status = 'pending' AND q.attempts >= 0 AND q.target_kind = 'session'
       AND q.available_at <= pg_catalog.now()
       AND (e.embedding_model IS NULL OR e.embedding_model = $2)
     ORDER BY q.priority DESC, q.available_at, q.id
     LIMIT $1 FOR UPDATE OF q SKIP LOCKED";

/// The texts of jobs that are locked by now: read before, one could be older than its job.
const TEXTS: &str = "
    SELECT q.id, s.id, convene_private.session_text(s.title, s.description, s.topics)
      FROM convene.embedding_queue q JOIN convene.sessions s ON s.id = q.target_id
     WHERE q.id = ANY ($1) ORDER BY q.id";

fn run_embed_pending(limit: Option<i32>) -> Outcome<i32> {
    require_service("embed")?;
    let limit = within(limit, 1, 10_000, "p_limit")?;
    with_owner(|| {
        let held = db::write(PENDING, &[(limit as i64).into(), text::MODEL.into()], |row| {
            row.want::<pgrx::Uuid>(1)
        })?;
        let jobs = db::write(TEXTS, &[held.into()], |row| {
            Ok((row.want::<pgrx::Uuid>(1)?, row.want::<pgrx::Uuid>(2)?, row.want::<String>(3)?))
        })?;
        let mut written = 0;
        for batch in jobs.chunks(BATCH) {
            pgrx::check_for_interrupts!();
            let mut embedded: Vec<Embedded> = batch
                .iter()
                .map(|(_, session, source)| native(*session, source))
                .collect::<Outcome<_>>()?;
            // Both jobs of a doubled target have the present text.
            embedded.sort_by_key(|one| one.session);
            embedded.dedup_by_key(|one| one.session);
            written += write(embedded, text::MODEL)? as i32;
            let done: Vec<pgrx::Uuid> = batch.iter().map(|job| job.0).collect();
            db::execute(FINISH, &[done.into()])?;
        }
        Ok(written)
    })
}

/// The native embedding of a session's text, or of its beginning where it is very long.
fn native(session: pgrx::Uuid, source: &str) -> Outcome<Embedded> {
    let end = (0..=source.len().min(MOST_TEXT_BYTES)).rev().find(|i| source.is_char_boundary(*i));
    let vector = embed(&source[..end.unwrap_or(0)])?;
    Ok(Embedded { session, vector, source: source.to_owned() })
}

const PARK: &str = queue::park_sql!("convene.embedding_queue");
const CLAIM: &str = queue::claim_sql!("convene.embedding_queue");
const HELD: &str = queue::held_sql!("convene.embedding_queue");
const FINISH: &str = queue::finish_sql!("convene.embedding_queue");
const FAIL: &str = queue::fail_sql!("convene.embedding_queue");

/// Keeps the text that a worker is given with its job, since the session may change meanwhile.
const RENDER: &str = "
    UPDATE convene.embedding_queue q
       SET payload = pg_catalog.jsonb_build_object('source_text',
                     convene_private.session_text(s.title, s.description, s.topics))
      FROM convene.sessions s
     WHERE s.id = q.target_id AND q.id = ANY ($1)
    RETURNING q.id, q.payload->>'source_text'";

type Job = (pgrx::Uuid, pgrx::Uuid, String, i32, pgrx::Uuid, TimestampWithTimeZone);

/// Hands out sessions whose text waits for an embedding.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn claim_embedding_jobs(
    p_limit: default!(Option<i32>, "10"),
    p_lease: default!(Option<Interval>, "'5 minutes'"),
) -> TableIterator<
    'static,
    (
        name!(job_id, pgrx::Uuid),
        name!(session_id, pgrx::Uuid),
        name!(source_text, String),
        name!(attempts, i32),
        name!(lease_token, pgrx::Uuid),
        name!(lease_until, TimestampWithTimeZone),
    ),
> {
    TableIterator::new(run_claim(p_limit, p_lease).or_raise())
}

fn run_claim(limit: Option<i32>, lease: Option<Interval>) -> Outcome<Vec<Job>> {
    require_service("claim embedding jobs")?;
    let limit = within(limit, 1, queue::MOST_JOBS, "p_limit")?;
    let lease = queue::check_lease(lease)?;
    with_owner(|| {
        queue::refuse_in_copy()?;
        db::execute(PARK, &[queue::max_attempts()?.into()])?;
        let claimed = db::write(CLAIM, &[(limit as i64).into(), lease.into()], |row| {
            Ok((
                row.want::<pgrx::Uuid>(1)?,
                row.want::<pgrx::Uuid>(2)?,
                row.want::<i32>(3)?,
                row.want::<pgrx::Uuid>(4)?,
                row.want::<TimestampWithTimeZone>(5)?,
            ))
        })?;
        let ids: Vec<pgrx::Uuid> = claimed.iter().map(|job| job.0).collect();
        let texts: std::collections::HashMap<pgrx::Uuid, String> =
            db::write(RENDER, &[ids.into()], |row| Ok((row.want(1)?, row.want(2)?)))?
                .into_iter()
                .collect();
        Ok(claimed
            .into_iter()
            .filter_map(|(id, session, attempts, token, until)| {
                let source = texts.get(&id)?.clone();
                Some((id, session, source, attempts, token, until))
            })
            .collect())
    })
}

/// Takes the embedding that a worker made for a job.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn complete_embedding_job(
    p_job_id: Option<pgrx::Uuid>,
    p_embedding: Option<Vec<Option<f32>>>,
    p_model: Option<String>,
    p_lease_token: Option<pgrx::Uuid>,
) -> pgrx::JsonB {
    run_complete(p_job_id, p_embedding, p_model, p_lease_token).or_raise()
}

fn run_complete(
    job_id: Option<pgrx::Uuid>,
    embedding: Option<Vec<Option<f32>>>,
    model: Option<String>,
    token: Option<pgrx::Uuid>,
) -> Outcome<pgrx::JsonB> {
    require_service("complete embedding jobs")?;
    let vector = numbers(required(embedding, "p_embedding")?)?;
    let model = required(model, "p_model")?;
    with_owner(|| {
        let held = queue::held(HELD, job_id, token)?;
        check_model(&model, vector.len())?;
        if !held.done {
            let source = held.given.unwrap_or_default();
            write(vec![Embedded { session: held.target_id, vector, source }], &model)?;
            db::execute(FINISH, &[vec![job_id].into()])?;
        }
        Ok(pgrx::JsonB(json!({
            "session_id": held.target_id.to_string(), "status": "done", "model": model,
        })))
    })
}

/// The numbers of an embedding that a client sent: no nulls, nothing that is not a number.
pub(crate) fn numbers(values: Vec<Option<f32>>) -> Outcome<Vec<f32>> {
    values
        .into_iter()
        .enumerate()
        .map(|(at, value)| match value {
            None => Err(Failure(Error::null(format!("p_embedding[{}]", at + 1)))),
            Some(number) if number.is_finite() => Ok(number),
            Some(number) => invalid(
                format!("p_embedding[{}] is {number}", at + 1),
                "An embedding holds finite numbers.",
                "Check the model's output.",
            ),
        })
        .collect()
}

fn check_model(model: &str, dims: usize) -> Outcome<()> {
    const MODEL: &str = "SELECT dimensions FROM convene.embedding_models WHERE model = $1";
    match db::read_one(MODEL, &[model.into()], |row| row.want::<i32>(1))? {
        None => invalid(
            format!("embedding model {model:?} is not registered"),
            "Vectors of different models cannot be compared, so each names its own.",
            "Register it: SELECT convene.add_embedding_model(model, dimensions);",
        ),
        Some(expected) if expected as usize != dims => invalid(
            format!("p_embedding has {dims} dimensions, model {model:?} has {expected}"),
            "",
            "Send the vector of the model that you name.",
        ),
        Some(_) => Ok(()),
    }
}

/// Gives a job back that a worker could not do.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn fail_embedding_job(
    p_job_id: Option<pgrx::Uuid>,
    p_error: Option<&str>,
    p_lease_token: Option<pgrx::Uuid>,
) -> pgrx::JsonB {
    run_fail(p_job_id, p_error, p_lease_token).or_raise()
}

fn run_fail(
    job_id: Option<pgrx::Uuid>,
    error: Option<&str>,
    token: Option<pgrx::Uuid>,
) -> Outcome<pgrx::JsonB> {
    require_service("fail embedding jobs")?;
    let error = queue::shortened(required(error, "p_error")?);
    with_owner(|| {
        let held = queue::held(HELD, job_id, token)?;
        if held.done {
            return Err(Failure(Error::WrongState {
                message: "this job is done".into(),
                detail: "Its embedding was taken under the same lease token.".into(),
                hint: "Nothing needs to be done.".into(),
            }));
        }
        let retry = queue::retry(held.attempts)?;
        let arguments =
            [job_id.into(), retry.seconds.into(), error.as_str().into(), retry.last.into()];
        let state = db::write(FAIL, &arguments, |row| {
            Ok((row.want::<String>(1)?, row.want::<TimestampWithTimeZone>(2)?))
        })?;
        let (status, next) = state.into_iter().next().unzip();
        Ok(pgrx::JsonB(json!({
            "status": status, "attempts": held.attempts,
            "next_attempt_at": (!retry.last).then_some(next).flatten(),
        })))
    })
}

/// Registers a model of embeddings and makes its index, beside the models that are there.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn add_embedding_model(
    p_model: Option<String>,
    p_dimensions: Option<i32>,
    p_default: default!(Option<bool>, "false"),
) -> String {
    run_add_model(p_model, p_dimensions, p_default).or_raise()
}

fn run_add_model(
    model: Option<String>,
    dimensions: Option<i32>,
    is_default: Option<bool>,
) -> Outcome<String> {
    const KNOWN: &str = "SELECT dimensions FROM convene.embedding_models WHERE model = $1";
    const ADD: &str = "
        INSERT INTO convene.embedding_models (model, dimensions, is_default) VALUES ($1, $2, false)
        ON CONFLICT (model) DO NOTHING";
    const NO_DEFAULT: &str =
        "UPDATE convene.embedding_models SET is_default = false WHERE is_default AND model <> $1";
    const DEFAULT: &str = "UPDATE convene.embedding_models SET is_default = true WHERE model = $1";
    const INDEX: &str = "SELECT convene_private.index_embedding_model($1, $2)::text";
    require_owner("register an embedding model")?;
    let model = required(model, "p_model")?;
    let dimensions = within(dimensions, 1, 16_000, "p_dimensions")? as i32;
    let is_default = required(is_default, "p_default")?;
    if model.trim().is_empty() || model.len() > 200 {
        return invalid(
            format!("p_model {model:?} is not a name"),
            "",
            "Pass the model's name, at most 200 bytes.",
        );
    }
    with_owner(|| {
        match db::read_one(KNOWN, &[model.as_str().into()], |row| row.want::<i32>(1))? {
            Some(known) if known != dimensions => {
                return Err(Failure(Error::AlreadyThere {
                    message: format!(
                        "model {model:?} is registered with {known} dimensions, not {dimensions}"
                    ),
                    hint: "Register the other size under a name of its own.".into(),
                }));
            }
            Some(_) => {}
            None => {
                db::execute(ADD, &[model.as_str().into(), dimensions.into()])?;
                db::write(INDEX, &[model.as_str().into(), dimensions.into()], |_| Ok(()))?;
            }
        }
        if is_default {
            db::execute(NO_DEFAULT, &[model.as_str().into()])?;
            db::execute(DEFAULT, &[model.as_str().into()])?;
        }
        Ok(format!("model {model:?} has {dimensions} dimensions"))
    })
}
