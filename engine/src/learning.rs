//! Fusion weights learned from what people did with what they were shown.
//!
//! A logistic regression of 'liked it' on the scores of the sources, with weights that cannot be
//! negative, beside an intercept and the position in the list: what stands higher is clicked more,
//! whatever it is, and that must not count for the source that put it there.

use crate::error::Result;
use crate::recommendation::Weights;
use crate::stop::Stop;

/// Scores of content, topics, collaborative and popularity.
const SOURCES: usize = 4;
/// The sources, the position, the intercept.
const INPUTS: usize = SOURCES + 2;
/// Fewer examples than this, or fewer of either outcome than [`LEAST_OUTCOMES`], teach nothing.
pub const LEAST_EXAMPLES: usize = 200;
/// The least number of liked and of not liked examples.
pub const LEAST_OUTCOMES: usize = 20;
/// One in so many people is kept out of the fit to judge it.
const JUDGED: u64 = 5;
/// Penalty on the squared weights of the sources, per example.
const RIDGE: f64 = 1e-3;
/// Steps of the descent; it stops earlier when it stands still.
const STEPS: usize = 2_000;
/// A step that lowers the loss by less than this stands still.
const STILL: f64 = 1e-9;

/// Something that was shown to somebody.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// Whoever it was shown to: examples of one person are never on both sides of the judgement.
    pub person: u64,
    /// Its scores from content, topics, collaborative and popularity; 0 where a source was absent.
    pub scores: [f64; SOURCES],
    /// Its place in the list, from 1.
    pub position: u32,
    /// Whether they clicked, bookmarked, attended or rated it well.
    pub liked: bool,
}

/// What was learned, judged on people whose examples were not used.
#[derive(Clone, Copy, Debug)]
pub struct Learned {
    /// Weights that add up to 1.
    pub weights: Weights,
    /// How often the weights of now put a liked example above one that was not (AUC).
    pub auc_now: f64,
    /// The same for the learned weights.
    pub auc_learned: f64,
}

/// Learns weights; `None` where there is too little to learn from, or where no source tells liked
/// from not liked.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub fn learn_weights(examples: &[Example], now: Weights, stop: &Stop) -> Result<Option<Learned>> {
    let (judged, taught): (Vec<Example>, Vec<Example>) =
        examples.iter().partition(|example| mixed(example.person).is_multiple_of(JUDGED));
    let both_outcomes = judged.iter().any(|e| e.liked) && judged.iter().any(|e| !e.liked);
    if !(enough(&taught) && both_outcomes) {
        return Ok(None);
    }
    let fitted = fit(&taught, stop)?;
    let total: f64 = fitted[..SOURCES].iter().sum();
    if total <= 0.0 {
        return Ok(None);
    }
    let [content, topics, collaborative, popularity] =
        [0, 1, 2, 3].map(|source| fitted[source] / total);
    let weights = Weights::new(content, topics, collaborative, popularity);
    Ok(Some(Learned { weights, auc_now: auc(&judged, now), auc_learned: auc(&judged, weights) }))
}

fn enough(examples: &[Example]) -> bool {
    let liked = examples.iter().filter(|example| example.liked).count();
    examples.len() >= LEAST_EXAMPLES
        && liked >= LEAST_OUTCOMES
        && examples.len() - liked >= LEAST_OUTCOMES
}

/// The finaliser of `SplitMix64`: neighbouring ids land anywhere.
fn mixed(mut id: u64) -> u64 {
    id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    id ^ (id >> 31)
}

fn inputs(example: &Example) -> [f64; INPUTS] {
    let [content, topics, collaborative, popularity] = example.scores;
    let place = f64::from(example.position.max(1)).ln();
    [content, topics, collaborative, popularity, place, 1.0]
}

/// Projected gradient descent with backtracking on the penalised mean log loss, which is convex:
/// whatever it ends in is the optimum.
fn fit(examples: &[Example], stop: &Stop) -> Result<[f64; INPUTS]> {
    let rows: Vec<([f64; INPUTS], f64)> =
        examples.iter().map(|e| (inputs(e), f64::from(u8::from(e.liked)))).collect();
    let mut at = [0.0; INPUTS];
    let mut step = 1.0;
    let (mut loss, mut slope) = loss_and_slope(&rows, &at);
    for _ in 0..STEPS {
        stop.check()?;
        let (next, next_loss, next_slope) = loop {
            let next = projected(&at, &slope, step);
            let (next_loss, next_slope) = loss_and_slope(&rows, &next);
            if next_loss <= loss || step < 1e-12 {
                break (next, next_loss, next_slope);
            }
            step /= 2.0;
        };
        let gained = loss - next_loss;
        (at, loss, slope) = (next, next_loss, next_slope);
        if gained < STILL {
            break;
        }
        step *= 1.5;
    }
    Ok(at)
}

/// A step down the slope, back onto weights that are not negative.
fn projected(at: &[f64; INPUTS], slope: &[f64; INPUTS], step: f64) -> [f64; INPUTS] {
    let mut next = *at;
    for (input, value) in next.iter_mut().enumerate() {
        *value -= step * slope[input];
        if input < SOURCES {
            *value = value.max(0.0);
        }
    }
    next
}

fn loss_and_slope(rows: &[([f64; INPUTS], f64)], at: &[f64; INPUTS]) -> (f64, [f64; INPUTS]) {
    let mut loss = 0.0;
    let mut slope = [0.0; INPUTS];
    for (inputs, liked) in rows {
        let z: f64 = inputs.iter().zip(at).map(|(input, weight)| input * weight).sum();
        // ln(1 + e^z) without overflow.
        loss += z.max(0.0) + (-z.abs()).exp().ln_1p() - liked * z;
        let off = 1.0 / (1.0 + (-z).exp()) - liked;
        for (sum, input) in slope.iter_mut().zip(inputs) {
            *sum += off * input;
        }
    }
    let count = rows.len() as f64;
    for value in &mut slope {
        *value /= count;
    }
    let mut penalty = 0.0;
    for source in 0..SOURCES {
        penalty += RIDGE / 2.0 * at[source] * at[source];
        slope[source] += RIDGE * at[source];
    }
    (loss / count + penalty, slope)
}

/// The share of pairs of a liked and a not liked example that the fused score puts in that order,
/// ties for half (Mann and Whitney).
fn auc(examples: &[Example], weights: Weights) -> f64 {
    let shares = [weights.content, weights.topics, weights.collaborative, weights.popularity];
    let mut scored: Vec<(f64, bool)> = examples
        .iter()
        .map(|e| (e.scores.iter().zip(shares).map(|(score, share)| score * share).sum(), e.liked))
        .collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut ordered) = (0.0, 0.0);
    for ties in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let liked = ties.iter().filter(|tie| tie.1).count() as f64;
        let not = ties.len() as f64 - liked;
        ordered += liked * (below + not / 2.0);
        below += not;
    }
    let liked = scored.iter().filter(|example| example.1).count() as f64;
    ordered / (liked * below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of uniform numbers in 0..1.
    fn uniform(state: &mut u64) -> f64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mixed(*state) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// People like by content three times as much as by popularity, and not by the other two.
    fn planted(count: usize) -> Vec<Example> {
        let mut state = 7;
        (0..count)
            .map(|at| {
                let scores = [0; SOURCES].map(|_| uniform(&mut state));
                let position = 1 + (at % 10) as u32;
                let place = f64::from(position).ln();
                let z = 6.0 * scores[0] + 2.0 * scores[3] - 4.0 - 0.5 * place;
                let liked = uniform(&mut state) < 1.0 / (1.0 + (-z).exp());
                Example { person: (at / 10) as u64, scores, position, liked }
            })
            .collect()
    }

    const EVEN: Weights = Weights::new(0.25, 0.25, 0.25, 0.25);

    #[test]
    fn finds_what_was_planted_and_does_better_than_even_weights() -> Result<()> {
        let learned = learn_weights(&planted(20_000), EVEN, &Stop::default())?.expect("enough");
        let weights = learned.weights;
        assert!((weights.content - 0.75).abs() < 0.05, "{weights:?}");
        assert!((weights.popularity - 0.25).abs() < 0.05, "{weights:?}");
        assert!(weights.topics < 0.03 && weights.collaborative < 0.03, "{weights:?}");
        assert!(learned.auc_learned > learned.auc_now + 0.02, "{learned:?}");
        Ok(())
    }

    #[test]
    fn the_position_is_not_mistaken_for_a_source() -> Result<()> {
        let mut examples = planted(20_000);
        for example in &mut examples {
            // Collaborative is high where the position is: the list was ranked by it.
            example.scores[2] = 1.0 / f64::from(example.position);
        }
        let learned = learn_weights(&examples, EVEN, &Stop::default())?.expect("enough");
        assert!(learned.weights.collaborative < 0.1, "{:?}", learned.weights);
        Ok(())
    }

    #[test]
    fn too_little_teaches_nothing() -> Result<()> {
        assert!(learn_weights(&planted(100), EVEN, &Stop::default())?.is_none());
        let mut all_liked = planted(1_000);
        for example in &mut all_liked {
            example.liked = true;
        }
        assert!(learn_weights(&all_liked, EVEN, &Stop::default())?.is_none());
        Ok(())
    }

    #[test]
    fn auc_by_hand() {
        let example = |score: f64, liked: bool| Example {
            person: 0,
            scores: [score, 0.0, 0.0, 0.0],
            position: 1,
            liked,
        };
        let content = Weights::new(1.0, 0.0, 0.0, 0.0);
        // Liked .9 and .5, not liked .5 and .1: of four pairs three in order and one tied.
        let four =
            [example(0.9, true), example(0.5, true), example(0.5, false), example(0.1, false)];
        assert!((auc(&four, content) - 3.5 / 4.0).abs() < 1e-12);
    }
}
