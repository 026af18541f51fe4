//! Learning an event's collaborative weights, and keeping them where a call can read a few rows.

use convene_engine::collaborative::{
    DEFAULT_TOP, Interactions, ItemWeights, Model, Selection, select, train,
};
use convene_engine::{Error, Stop};

use super::person::Context;
use crate::db;
use crate::error::{Failure, Outcome, invalid};
use crate::parallel;
use crate::programme::Event;

/// Enough new interactions to learn again: a tenth more than at the last training.
const TENTHS: i64 = 11;
/// The ridge and the neighbours of a model that is set by name where no holdout could choose them.
const PLAIN_RIDGE: f64 = 100.0;
const PLAIN_NEIGHBOURS: usize = 20;
/// Seed of the internal holdout: the same ledger always gives the same model.
const SEED: u64 = 20;
/// Sessions whose weights are written by one statement.
const CHUNK: usize = 500;

/// What was learned, or that nothing can be yet.
pub struct Learned {
    /// The name of what serves: a model's, or 'popularity'.
    pub algorithm: String,
    /// Its ridge or number of neighbours.
    pub parameter: Option<f64>,
    /// What it reached in the internal holdout.
    pub ndcg: Option<f64>,
    weights: Option<ItemWeights>,
}

/// Which models may be chosen.
enum Choice {
    Any,
    Only(&'static str),
}

fn choice(context: &Context) -> Outcome<Choice> {
    match context.text_setting("recommendation.collaborative_model", "auto") {
        "auto" => Ok(Choice::Any),
        "ease" => Ok(Choice::Only("ease")),
        "bm25" => Ok(Choice::Only("bm25")),
        "user_user" => Ok(Choice::Only("user_user")),
        other => invalid(
            format!("the setting recommendation.collaborative_model is {other:?}"),
            "",
            "Set it to \"auto\", \"ease\", \"bm25\" or \"user_user\".",
        ),
    }
}

/// Whether enough has happened since the last training. Runs as the owner of the data.
pub fn is_due(event_id: pgrx::Uuid, sessions: usize, interactions: usize) -> Outcome<bool> {
    const TRAINED: &str = "
        SELECT interactions, sessions FROM convene.recommendation_models WHERE event_id = $1";
    let trained = db::read_one(TRAINED, &[event_id.into()], |row| {
        Ok((row.want::<i64>(1)?, row.want::<i64>(2)?))
    })?;
    Ok(trained.is_none_or(|(then, of)| {
        of != sessions as i64
            || interactions as i64 * 10 >= then * TENTHS && interactions as i64 != then
    }))
}

/// Chooses a model by an internal holdout and trains it on everything.
pub fn learn(context: &Context, interactions: Interactions) -> Outcome<Learned> {
    let choice = choice(context)?;
    parallel::run("training", move |stop| learn_now(&choice, &interactions, stop))
}

fn learn_now(
    choice: &Choice,
    interactions: &Interactions,
    stop: &Stop,
) -> convene_engine::Result<Learned> {
    let (choosing, learning) = (stop.part(0, 2), stop.part(1, 2));
    let chosen = match choice {
        Choice::Only("user_user") => Some((Model::UserUser, None)),
        Choice::Any => select(interactions, SEED, &choosing)?.map(|s| (s.model, Some(s.ndcg))),
        Choice::Only(name) => {
            let best = select(interactions, SEED, &choosing)?.and_then(|s| best_of(&s, name));
            best.or_else(|| plain(name).map(|model| (model, None)))
        }
    };
    let Some((model, ndcg)) = chosen else {
        let algorithm = "popularity".to_owned();
        return Ok(Learned { algorithm, parameter: None, ndcg: None, weights: None });
    };
    Ok(Learned {
        algorithm: model.name().to_owned(),
        parameter: Some(model.parameter()),
        ndcg,
        weights: Some(train(interactions, &model, DEFAULT_TOP, &learning)?),
    })
}

/// A model that was asked for by name where no holdout could tune it.
fn plain(name: &str) -> Option<Model> {
    match name {
        "ease" => Some(Model::Ease { ridge: PLAIN_RIDGE }),
        "bm25" => Some(Model::Bm25 { neighbours: PLAIN_NEIGHBOURS }),
        _ => None,
    }
}

fn best_of(selection: &Selection, name: &str) -> Option<(Model, Option<f64>)> {
    let of_name = selection.tried.iter().filter(|(model, _)| model.name() == name);
    of_name.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(model, ndcg)| (*model, Some(*ndcg)))
}

/// Keeps what was learned in place of what was. Runs as the owner of the data.
pub fn store(event: &Event, learned: &Learned, people: usize, interactions: usize) -> Outcome<()> {
    const FORGET: &str = "DELETE FROM convene.session_weights WHERE event_id = $1";
    const MODEL: &str = "
        INSERT INTO convene.recommendation_models AS m
               (event_id, algorithm, parameter, holdout_ndcg, interactions, people, sessions, trained_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, pg_catalog.now())
        ON CONFLICT (event_id) DO UPDATE
           SET algorithm = excluded.algorithm, parameter = excluded.parameter,
               holdout_ndcg = excluded.holdout_ndcg, interactions = excluded.interactions,
               people = excluded.people, sessions = excluded.sessions, trained_at = excluded.trained_at";
    db::execute(FORGET, &[event.id.into()])?;
    if let Some(weights) = &learned.weights {
        store_weights(event, &learned.algorithm, weights)?;
    }
    db::execute(
        MODEL,
        &[
            event.id.into(),
            learned.algorithm.as_str().into(),
            learned.parameter.into(),
            learned.ndcg.into(),
            (interactions as i64).into(),
            (people as i64).into(),
            (event.ids.len() as i64).into(),
        ],
    )?;
    Ok(())
}

/// Rows of different lengths go as texts of arrays: arrays of arrays must be rectangular.
fn store_weights(event: &Event, algorithm: &str, weights: &ItemWeights) -> Outcome<()> {
    const STORE: &str = "
        INSERT INTO convene.session_weights
               (event_id, session_id, neighbour_ids, weights, people, algorithm)
        SELECT $1, w.session_id, w.ids::uuid[], w.weights::float4[], w.people::int[], $2
          FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[])
               w (session_id, ids, weights, people)";
    let filled: Vec<usize> =
        (0..weights.rows.len()).filter(|i| !weights.rows[*i].is_empty()).collect();
    for chunk in filled.chunks(CHUNK) {
        let column = |text: &dyn Fn(usize) -> String| -> Vec<String> {
            chunk.iter().map(|i| text(*i)).collect()
        };
        let row = |i: usize| weights.rows[i].iter();
        db::execute(
            STORE,
            &[
                event.id.into(),
                algorithm.into(),
                chunk.iter().map(|i| event.ids[*i]).collect::<Vec<_>>().into(),
                column(&|i| db::array(row(i).map(|(to, _)| event.session_id(*to).to_string())))
                    .into(),
                column(&|i| db::array(row(i).map(|(_, weight)| weight.to_string()))).into(),
                column(&|i| db::array(weights.people[i].iter().map(ToString::to_string))).into(),
            ],
        )?;
        pgrx::check_for_interrupts!();
    }
    Ok(())
}

/// The learned weights of a whole event. Runs as the owner of the data.
pub fn stored(event: &Event) -> Outcome<Option<ItemWeights>> {
    let mut rows = vec![Vec::new(); event.ids.len()];
    let neighbours = super::person::neighbours(event, &event.ids)?;
    if neighbours.is_empty() {
        return Ok(None);
    }
    for source in neighbours {
        let Some(row) = rows.get_mut(source.source as usize) else {
            return Err(Failure(Error::Worker("a session left its programme".into())));
        };
        *row = source.to.into_iter().zip(source.weight).collect();
    }
    Ok(Some(ItemWeights { items: event.ids.len(), rows, people: vec![] }))
}
