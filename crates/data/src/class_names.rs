//! Classes by name, numbered as they turn up, or as their source declares them.

use std::collections::HashMap;

/// Names and their numbers.
#[derive(Default)]
pub(crate) struct ClassNames {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Whether the order of the names is the source's own, which is then kept.
    declared: bool,
}

impl ClassNames {
    /// Names in the order that their source declares, numbered from 0.
    pub(crate) fn declared(names: Vec<String>) -> Self {
        let numbers = names.iter().cloned().zip(0..).collect();
        Self { names, numbers, declared: true }
    }

    /// The number of a name; a new one gets the next.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of a number that was given out; empty for any other.
    pub(crate) fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// For each number its place among those that are `used`: in the declared order, else sorted, numbers by value.
    pub(crate) fn places(&self, used: &[bool]) -> Vec<Option<u32>> {
        let mut order: Vec<usize> = (0..self.names.len()).filter(|&number| used[number]).collect();
        if !self.declared {
            let values: Option<Vec<i64>> = self.names.iter().map(|name| name.parse().ok()).collect();
            match values {
                Some(values) => order.sort_by_key(|&number| (values[number], &self.names[number])),
                None => order.sort_by_key(|&number| &self.names[number]),
            }
        }
        let mut places = vec![None; self.names.len()];
        for (place, number) in (0..).zip(order) {
            places[number] = Some(place);
        }
        places
    }

    /// The names that have a place, in the order of their places.
    pub(crate) fn renamed(&self, places: &[Option<u32>]) -> Vec<String> {
        let mut named: Vec<(u32, &String)> =
            places.iter().zip(&self.names).filter_map(|(place, name)| Some(((*place)?, name))).collect();
        named.sort_unstable();
        named.into_iter().map(|(_, name)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(mut names: ClassNames, turn_up: &[&str]) -> Vec<String> {
        for name in turn_up {
            names.number(name);
        }
        let places = names.places(&vec![true; names.len()]);
        names.renamed(&places)
    }

    #[test]
    fn names_are_sorted_and_numbers_by_value() {
        assert_eq!(ordered(ClassNames::default(), &["dog", "cat", "dog", "10"]), ["10", "cat", "dog"]);
        assert_eq!(ordered(ClassNames::default(), &["10", "9", "-1"]), ["-1", "9", "10"]);
        let declared = ClassNames::declared(vec!["z".to_owned(), "a".to_owned()]);
        assert_eq!(ordered(declared, &["a", "m", "b"]), ["z", "a", "m", "b"], "what is declared comes first, as it is");
    }

    #[test]
    fn unused_ones_have_no_place() {
        let names = ClassNames::declared(["a", "b", "c"].map(str::to_owned).to_vec());
        let places = names.places(&[true, false, true]);
        assert_eq!(places, [Some(0), None, Some(1)]);
        assert_eq!(names.renamed(&places), ["a", "c"]);
    }
}
