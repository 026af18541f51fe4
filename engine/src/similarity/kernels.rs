//! The inner loops, compiled for several instruction sets and chosen at run time.
//!
//! They are plain loops that the compiler turns into vector code; nothing here is written with
//! intrinsics. The lint is off because the macro itself expands to the unsafe call of the chosen
//! version, after it has asked the processor.
#![allow(unsafe_code)]

use multiversion::multiversion;

/// Running sums per loop: enough to keep two vector units busy.
const LANES: usize = 32;

/// Scalar product in single precision.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_body, a_rest) = a.as_chunks::<LANES>();
    let (b_body, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a_body.iter().zip(b_body) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Scalar product with sums in double precision, which no finite input overflows.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn dot_wide(a: &[f32], b: &[f32]) -> f64 {
    let (a_body, a_rest) = a.as_chunks::<LANES>();
    let (b_body, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0_f64; LANES];
    for (x, y) in a_body.iter().zip(b_body) {
        for lane in 0..LANES {
            sums[lane] += f64::from(x[lane]) * f64::from(y[lane]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    sums.iter().sum::<f64>() + rest
}

/// Scalar product of every row of a matrix with one vector, in single precision.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn scan(rows: &[f32], query: &[f32], out: &mut [f32]) {
    for (row, score) in rows.chunks_exact(query.len()).zip(out) {
        let (a_body, a_rest) = row.as_chunks::<LANES>();
        let (b_body, b_rest) = query.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        for (x, y) in a_body.iter().zip(b_body) {
            for lane in 0..LANES {
                sums[lane] += x[lane] * y[lane];
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
        *score = sums.iter().sum::<f32>() + rest;
    }
}

/// Scalar product of every row of bytes with one vector of 16-bit integers. The caller keeps the
/// query small enough that 32 bits hold the sum.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn scan_bytes(rows: &[i8], query: &[i16], out: &mut [i32]) {
    for (row, score) in rows.chunks_exact(query.len()).zip(out) {
        *score = row.iter().zip(query).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
    }
}

/// Scalar product of every row of 16-bit integers with one vector of them. The caller keeps lengths
/// small enough that 32 bits hold the sum.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn scan_words(rows: &[i16], query: &[i16], out: &mut [i32]) {
    for (row, score) in rows.chunks_exact(query.len()).zip(out) {
        let (a_body, a_rest) = row.as_chunks::<LANES>();
        let (b_body, b_rest) = query.as_chunks::<LANES>();
        let mut sums = [0_i32; LANES];
        for (x, y) in a_body.iter().zip(b_body) {
            for lane in 0..LANES {
                sums[lane] += i32::from(x[lane]) * i32::from(y[lane]);
            }
        }
        let mut sum = 0;
        for lane in sums {
            sum += lane;
        }
        for (x, y) in a_rest.iter().zip(b_rest) {
            sum += i32::from(*x) * i32::from(*y);
        }
        *score = sum;
    }
}

/// Scalar product of a row in two planes with a vector in single precision.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn dot_planes(hi: &[i8], lo: &[i8], query: &[f32]) -> f32 {
    let (hi_body, hi_rest) = hi.as_chunks::<LANES>();
    let (lo_body, lo_rest) = lo.as_chunks::<LANES>();
    let (query_body, query_rest) = query.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for ((h, l), q) in hi_body.iter().zip(lo_body).zip(query_body) {
        for lane in 0..LANES {
            let whole = (i32::from(h[lane]) << 8) + i32::from(l[lane]);
            sums[lane] += whole as f32 * q[lane];
        }
    }
    let rest: f32 = (hi_rest.iter().zip(lo_rest).zip(query_rest))
        .map(|((h, l), q)| ((i32::from(*h) << 8) + i32::from(*l)) as f32 * q)
        .sum();
    sums.iter().sum::<f32>() + rest
}

/// Scalar product of two rows in two planes each.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn dot_both_planes(a: (&[i8], &[i8]), b: (&[i8], &[i8])) -> f32 {
    let (a_hi, a_hi_rest) = a.0.as_chunks::<LANES>();
    let (a_lo, a_lo_rest) = a.1.as_chunks::<LANES>();
    let (b_hi, b_hi_rest) = b.0.as_chunks::<LANES>();
    let (b_lo, b_lo_rest) = b.1.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for ((xh, xl), (yh, yl)) in a_hi.iter().zip(a_lo).zip(b_hi.iter().zip(b_lo)) {
        for lane in 0..LANES {
            let x = (i32::from(xh[lane]) << 8) + i32::from(xl[lane]);
            let y = (i32::from(yh[lane]) << 8) + i32::from(yl[lane]);
            sums[lane] += x as f32 * y as f32;
        }
    }
    let rest: f32 = (a_hi_rest.iter().zip(a_lo_rest).zip(b_hi_rest.iter().zip(b_lo_rest)))
        .map(|((xh, xl), (yh, yl))| {
            let x = (i32::from(*xh) << 8) + i32::from(*xl);
            let y = (i32::from(*yh) << 8) + i32::from(*yl);
            x as f32 * y as f32
        })
        .sum();
    sums.iter().sum::<f32>() + rest
}
