//! Work on many items, spread over threads where there are some: a caller on a thread of a pool has the
//! pool's others help, any other caller works alone and makes no pool.

use rayon::prelude::*;

/// Items below which the help of others is not worth asking for.
const FEW: usize = 256;

fn alone(items: usize) -> bool {
    items < FEW || rayon::current_thread_index().is_none()
}

/// What `of` makes of every item, in their order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], of: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    if alone(items.len()) {
        items.iter().map(of).collect()
    } else {
        items.par_iter().map(of).collect()
    }
}

/// The same for items that are used up.
pub(crate) fn map_into<T: Send, R: Send>(
    items: Vec<T>,
    of: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    if alone(items.len()) {
        items.into_iter().map(of).collect()
    } else {
        items.into_par_iter().map(of).collect()
    }
}

/// What `of` makes of every number up to `count`, each of which is work for a while, in their order.
pub(crate) fn count<R: Send>(count: usize, of: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    if rayon::current_thread_index().is_none() {
        (0..count).map(of).collect()
    } else {
        (0..count).into_par_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_or_together_the_answer_is_the_same() {
        let items: Vec<usize> = (0..1000).collect();
        let all = || {
            let square = |at: usize| at * at;
            (map(&items, |at| at * at), map_into(items.clone(), square), count(1000, square))
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
        assert_eq!(all(), pool.install(all));
        assert_eq!(all().0[31], 961);
    }
}
