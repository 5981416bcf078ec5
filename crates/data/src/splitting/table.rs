//! Parts × classes while images are divided: what each part has, and what it is wished to have.

/// Images of each class in each part, against the wished numbers.
pub(crate) struct Table {
    shares: Vec<f64>,
    /// Images of each class, in all parts together.
    sizes: Vec<usize>,
    images: usize,
    /// Images of each class in groups of several.
    large: Vec<usize>,
    /// `[part][class]`.
    have: Vec<Vec<usize>>,
    have_in_all: Vec<usize>,
}

impl Table {
    /// Nothing is placed yet. Of each class, `singles` images are in no group with others.
    pub(crate) fn new(labels: &[u32], singles: &[usize], shares: &[f64]) -> Self {
        let classes = singles.len();
        let mut sizes = vec![0; classes];
        for &label in labels {
            sizes[label as usize] += 1;
        }
        let large = sizes.iter().zip(singles).map(|(all, single)| all - single).collect();
        let have = vec![vec![0; classes]; shares.len()];
        let have_in_all = vec![0; shares.len()];
        Self { shares: shares.to_vec(), sizes, images: labels.len(), large, have, have_in_all }
    }

    pub(crate) fn classes(&self) -> usize {
        self.sizes.len()
    }

    pub(crate) fn parts(&self) -> usize {
        self.shares.len()
    }

    /// Whether a part is wished to have anything.
    pub(crate) fn takes(&self, part: usize) -> bool {
        self.shares[part] > 0.0
    }

    /// Images of a class that a part has.
    pub(crate) fn have(&self, part: usize, class: usize) -> usize {
        self.have[part][class]
    }

    /// Images of a class that a part should have.
    pub(crate) fn want(&self, part: usize, class: usize) -> f64 {
        self.shares[part] * self.sizes[class] as f64
    }

    /// Images that a part should have.
    pub(crate) fn want_in_all(&self, part: usize) -> f64 {
        self.shares[part] * self.images as f64
    }

    /// Images of a class that a part lacks; below 0 where it has too many.
    pub(crate) fn lack(&self, part: usize, class: usize) -> f64 {
        self.want(part, class) - self.have[part][class] as f64
    }

    /// Images that a part lacks.
    pub(crate) fn lack_in_all(&self, part: usize) -> f64 {
        self.want_in_all(part) - self.have_in_all[part] as f64
    }

    /// Σ (images / the class's images)² of a group.
    pub(crate) fn weight(&self, counts: &[(usize, usize)]) -> f64 {
        counts.iter().map(|&(class, n)| (n as f64 / self.sizes[class] as f64).powi(2)).sum()
    }

    /// How far a group lowers the sum of squares in a part, up to what is the same for every part, halved. Single images will
    /// bring their own share, so only groups of several count in what a part lacks.
    pub(crate) fn need(&self, part: usize, counts: &[(usize, usize)]) -> f64 {
        let lack = |class: usize| self.shares[part] * self.large[class] as f64 - self.have[part][class] as f64;
        let share = |&(class, n): &(usize, usize)| n as f64 * lack(class) / (self.sizes[class] as f64).powi(2);
        counts.iter().map(share).sum()
    }

    /// The part with the largest `need`; of equal ones the one that lacks the largest share of its images, then the first.
    pub(crate) fn neediest(&self, need: impl Fn(&Self, usize) -> f64) -> usize {
        let mut best: Option<(f64, f64, usize)> = None;
        for part in (0..self.parts()).filter(|&part| self.takes(part)) {
            let (need, lack) = (need(self, part), self.lack_in_all(part) / self.want_in_all(part));
            if best.is_none_or(|(n, l, _)| need > n || (need == n && lack > l)) {
                best = Some((need, lack, part));
            }
        }
        best.map_or(0, |(.., part)| part)
    }

    /// Puts a group into a part.
    pub(crate) fn put(&mut self, part: usize, counts: &[(usize, usize)]) {
        for &(class, n) in counts {
            self.have[part][class] += n;
            self.have_in_all[part] += n;
        }
    }

    /// Takes a group out of the part that it is in.
    pub(crate) fn take(&mut self, part: usize, counts: &[(usize, usize)]) {
        for &(class, n) in counts {
            self.have[part][class] -= n;
            self.have_in_all[part] -= n;
        }
    }
}
