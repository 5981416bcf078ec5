//! Features divided into at most 255 bins each, for trees: splits are sought between bins. A feature with no more different
//! values, such as an 8-bit pixel, has a bin for each, and a tree on it is the exact one; others are cut at quantiles.

use crate::matrix::Matrix;
use striate_kernels::Cpu;

/// The most bins of a feature.
pub(super) const MOST: usize = 255;

/// A feature's bins: the least and the largest training value in each.
#[derive(Default)]
struct Column {
    low: Vec<f32>,
    high: Vec<f32>,
}

/// Training rows as bins.
pub(super) struct Bins {
    columns: Vec<Column>,
    rows: usize,
    /// (columns, rows).
    codes: Vec<u8>,
}

impl Column {
    /// Of sorted values.
    fn new(sorted: &[f32]) -> Self {
        let mut distinct: Vec<f32> = sorted.to_vec();
        distinct.dedup();
        if distinct.len() <= MOST {
            return Self { low: distinct.clone(), high: distinct };
        }
        let mut column = Self::default();
        let mut start = 0;
        for bin in 1..=MOST {
            // Equal values stay together.
            let cut = (bin * sorted.len() / MOST).max(start + 1).min(sorted.len());
            let end = sorted.partition_point(|&v| v <= sorted[cut - 1]);
            if end > start {
                column.low.push(sorted[start]);
                column.high.push(sorted[end - 1]);
                start = end;
            }
            if start == sorted.len() {
                break;
            }
        }
        column
    }
}

impl Bins {
    /// Of rows with finite values.
    pub(super) fn new(cpu: &Cpu, rows: &Matrix) -> Self {
        let (n, d) = (rows.rows(), rows.columns());
        let mut columns: Vec<Column> = Vec::new();
        columns.resize_with(d, Column::default);
        let mut codes = vec![0_u8; n * d];
        cpu.chunks2(&mut columns, 1, &mut codes, n, |c, column, codes| {
            let values: Vec<f32> = rows.iter().map(|row| row[c]).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f32::total_cmp);
            column[0] = Column::new(&sorted);
            for (code, &v) in codes.iter_mut().zip(&values) {
                *code = column[0].high.partition_point(|&high| high < v) as u8;
            }
        });
        Self { columns, rows: n, codes }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Bins of a column.
    pub(super) fn count(&self, column: usize) -> usize {
        self.columns[column].low.len()
    }

    /// The bin of each row in a column.
    pub(super) fn codes(&self, column: usize) -> &[u8] {
        &self.codes[column * self.rows..(column + 1) * self.rows]
    }

    /// The value halfway between two bins, at least the lower one's largest and below the upper one's least.
    pub(super) fn between(&self, column: usize, lower: usize, upper: usize) -> f32 {
        let Column { low, high } = &self.columns[column];
        let middle = f32::midpoint(high[lower], low[upper]);
        if middle < low[upper] { middle.max(high[lower]) } else { high[lower] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use striate_kernels::uniform;

    #[test]
    fn few_values_have_a_bin_each_and_many_are_cut_evenly() {
        let n = 5000_usize;
        let values = (0..n).flat_map(|i| [(i % 7) as f32, uniform(1, i as u64), if i < 4000 { 0.0 } else { i as f32 }]);
        let rows = Matrix::new(n, 3, values.collect()).unwrap();
        let bins = Bins::new(&Cpu::new(2).unwrap(), &rows);
        assert_eq!((bins.count(0), bins.count(1)), (7, MOST));
        for column in 0..3 {
            let mut counts = vec![0_usize; bins.count(column)];
            for (row, &code) in rows.iter().zip(bins.codes(column)) {
                let Column { low, high } = &bins.columns[column];
                assert!((low[usize::from(code)]..=high[usize::from(code)]).contains(&row[column]));
                counts[usize::from(code)] += 1;
            }
            assert!(counts.iter().all(|&c| c > 0));
            if column == 1 {
                assert!(counts.iter().all(|&c| (19..=20).contains(&c)), "{counts:?}");
            }
            for bin in 1..counts.len() {
                let t = bins.between(column, bin - 1, bin);
                assert!(bins.columns[column].high[bin - 1] <= t && t < bins.columns[column].low[bin]);
            }
        }
        assert_eq!(bins.between(0, 2, 3), 2.5);
    }
}
