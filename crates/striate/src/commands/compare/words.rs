//! What the figures say, under the lecture's four headings. Every sentence follows from the measurements and changes with them.

use super::distortions::Distortion;
use super::outcome::{Comparison, Crossing, Method, Point, duels};
use crate::figures::{bytes, duration, percent, thousands};

/// A heading with its sentences.
pub type Heading = (&'static str, Vec<String>);

/// A share that counts as the same: a point.
const ALIKE: f64 = 0.01;

/// The four headings.
pub fn headings(c: &Comparison) -> Vec<Heading> {
    vec![
        ("Data needed", data(c)),
        ("Feature extraction", features(c)),
        ("Training cost", cost(c)),
        ("Generalisation", generalisation(c)),
    ]
}

fn network(c: &Comparison) -> Option<&Method> {
    c.methods.iter().find(|m| m.network)
}

/// The best pipeline that learnt from so many images of each class.
fn best_at(c: &Comparison, per_class: usize) -> Option<(&Method, &Point)> {
    let all = c.methods.iter().filter(|m| !m.network).filter_map(|m| Some((m, m.at(per_class)?)));
    all.reduce(|a, b| if b.1.accuracy > a.1.accuracy { b } else { a })
}

/// The pipeline that is best in the end.
fn best(c: &Comparison) -> Option<(&Method, &Point)> {
    let all = c.methods.iter().filter(|m| !m.network).filter_map(|m| Some((m, m.last()?)));
    all.reduce(|a, b| if b.1.accuracy > a.1.accuracy { b } else { a })
}

/// A size in words.
fn per_class(n: usize) -> String {
    format!("{} images a class", thousands(n as u64))
}

/// A difference of shares in percentage points.
fn points(difference: f64) -> String {
    format!("{:.1} points", 100.0 * difference.abs())
}

/// Where the network overtakes, in a sentence.
pub fn crossing(c: &Comparison) -> Option<String> {
    let (network, duels) = (network(c)?, duels(&c.methods));
    let name = &network.name;
    let against = |n: usize| {
        let (own, (rival, point)) = (network.at(n)?, best_at(c, n)?);
        Some(format!("{} against {} of {}", percent(own.accuracy), percent(point.accuracy), rival.name))
    };
    let (first, last) = (duels.first()?.0, duels.last()?.0);
    match c.crossing {
        Crossing::Always => {
            Some(format!("{name} is ahead of every pipeline from {} on: {}.", per_class(first), against(first)?))
        }
        Crossing::From { per_class: from, behind } => Some(format!(
            "{name} overtakes between {} and {}: with {} it has {}, with {} {}.",
            thousands(behind as u64),
            per_class(from),
            thousands(behind as u64),
            against(behind)?,
            thousands(from as u64),
            against(from)?
        )),
        Crossing::Never => Some(format!(
            "{name} does not overtake: with {} it has {}. If there is a crossing, it lies beyond these images, or beyond the time \
             that the network had.",
            per_class(last),
            against(last)?
        )),
        Crossing::Unknown => None,
    }
}

fn data(c: &Comparison) -> Vec<String> {
    let mut all: Vec<String> = crossing(c).into_iter().collect();
    let duel = duels(&c.methods).last().and_then(|(n, ..)| {
        let (rival, _) = best_at(c, *n)?;
        c.pairs.iter().find(|p| p.pipeline == rival.name && p.per_class == *n)
    });
    if let Some(pair) = duel {
        let (a, b, p) = (pair.test.first_only, pair.test.second_only, pair.test.p);
        let verdict = if p < 0.05 { "more than chance explains" } else { "no more than chance may explain" };
        all.push(format!(
            "With {}, {} images are told by {} alone and {} by {} alone: {verdict} (McNemar's exact test, {}).",
            per_class(pair.per_class),
            thousands(a),
            pair.network,
            thousands(b),
            pair.pipeline,
            probability(p)
        ));
    }
    let top = c.methods.iter().filter_map(Method::last).map(|p| p.accuracy).fold(0.0, f64::max);
    let enough = |m: &Method| m.points.iter().find(|p| p.accuracy >= 0.95 * top).map(|p| p.per_class);
    let reached: Vec<(usize, &str)> = c.methods.iter().filter_map(|m| Some((enough(m)?, m.name.as_str()))).collect();
    if let (Some(least), Some(most)) = (reached.iter().map(|r| r.0).min(), reached.iter().map(|r| r.0).max()) {
        let of = |n: usize| reached.iter().filter(|r| r.0 == n).map(|r| r.1).collect::<Vec<_>>().join(", ");
        let share = percent(0.95 * top);
        all.push(format!(
            "95 % of the best accuracy, {share}, is reached with {} by {}{}.",
            per_class(least),
            of(least),
            if most > least { format!(", with {} by {}", thousands(most as u64), of(most)) } else { String::new() }
        ));
        let never: Vec<&str> = c.methods.iter().filter(|m| enough(m).is_none()).map(|m| m.name.as_str()).collect();
        if !never.is_empty() {
            all.push(format!(
                "{} {} there with none of these sizes.",
                never.join(", "),
                if never.len() == 1 { "gets" } else { "get" }
            ));
        }
    }
    all
}

/// A probability in words.
pub fn probability(p: f64) -> String {
    if p < 0.0001 { "p < 0.0001".into() } else { format!("p = {p:.4}") }
}

fn features(c: &Comparison) -> Vec<String> {
    let mut all = Vec::new();
    let pixels = c.size.iter().product::<usize>();
    if let Some((method, _)) = best(c).filter(|(m, p)| m.name.starts_with("raw") && p.features == Some(pixels)) {
        all.push(format!(
            "{}, the best pipeline, takes an image's {} values as they are.",
            method.name,
            thousands(pixels as u64)
        ));
    } else if let Some((method, point)) = best(c) {
        let (n, took) = (point.features.unwrap_or(0), point.features_seconds.unwrap_or(0.0));
        all.push(format!(
            "{}, the best pipeline, sees {} figures of an image that has {} values; computing them took {} of the {} that it \
             learnt in.",
            method.name,
            thousands(n as u64),
            thousands(pixels as u64),
            seconds(took),
            seconds(point.seconds)
        ));
    }
    let ends = |raw: bool| {
        let these = c.methods.iter().filter(|m| !m.network && m.name.starts_with("raw") == raw);
        these.filter_map(|m| Some((m, m.last()?))).reduce(|a, b| if b.1.accuracy > a.1.accuracy { b } else { a })
    };
    if let (Some((hand, a)), Some((raw, b))) = (ends(false), ends(true)) {
        let difference = a.accuracy - b.accuracy;
        let verdict = if difference.abs() < ALIKE {
            "no more than a point apart".to_owned()
        } else if difference > 0.0 {
            format!("{} that are owed to the features", points(difference))
        } else {
            format!("{} that these features lose", points(difference))
        };
        all.push(format!(
            "From hand-made features {} tells {}, from the pixels {} tells {}: {verdict}.",
            hand.name,
            percent(a.accuracy),
            raw.name,
            percent(b.accuracy)
        ));
    }
    if let (Some(network), Some((method, point))) = (network(c), best(c))
        && let Some(own) = network.last()
    {
        let difference = own.accuracy - point.accuracy;
        let verdict = if difference.abs() < ALIKE {
            format!("within a point of {}", method.name)
        } else if difference > 0.0 {
            format!("{} above {}", points(difference), method.name)
        } else {
            format!("{} below {}", points(difference), method.name)
        };
        all.push(format!(
            "{} is given no features and learns its own from the pixels: it ends {verdict}.",
            network.name
        ));
    }
    all
}

/// A file's size.
pub fn size(n: u64) -> String {
    if n < 100_000 { format!("{:.1} kB", n as f64 / 1e3) } else { bytes(n as usize) }
}

/// A short time.
pub fn seconds(s: f64) -> String {
    if s < 10.0 { format!("{s:.2} s") } else { duration(s) }
}

/// How many times one is of another.
fn times(a: f64, b: f64) -> String {
    let ratio = a / b.max(1e-12);
    if ratio >= 10.0 { format!("{ratio:.0} times") } else { format!("{ratio:.1} times") }
}

fn cost(c: &Comparison) -> Vec<String> {
    let mut all = Vec::new();
    let (Some(network), Some((method, point))) = (network(c), best(c)) else { return all };
    let Some(own) = network.last() else { return all };
    let (longer, shorter, long, short) = if own.seconds >= point.seconds {
        (&network.name, &method.name, own, point)
    } else {
        (&method.name, &network.name, point, own)
    };
    // A ratio to next to nothing says nothing.
    let compared =
        if short.seconds < 0.01 { "longer than".into() } else { times(long.seconds, short.seconds) + " as long as" };
    all.push(format!(
        "{longer} learnt {compared} {shorter}: {} from {} images against {} from {}.",
        seconds(long.seconds),
        thousands(long.images as u64),
        seconds(short.seconds),
        thousands(short.images as u64)
    ));
    if let Some([done, of]) = own.epochs.filter(|[done, of]| done < of) {
        all.push(format!(
            "There was time for {done} of the {of} epochs that the network's recipe has for so many images: with more time it may \
             well do better."
        ));
    }
    let tuned = point.choice.seconds;
    if tuned > 0.0 {
        all.push(format!(
            "The pipelines' settings were chosen by cross-validation ({} for {}, at that size); the network's are those of its \
             recipe.",
            seconds(tuned),
            method.name
        ));
    }
    let quick = |p: &Point| format!("{:.0} µs", p.microseconds);
    all.push(format!("Telling one image takes {} {} and {} {}.", network.name, quick(own), method.name, quick(point)));
    if let (Some(a), Some(b)) = (own.bytes, point.bytes) {
        all.push(format!("As files they have {} ({}) and {} ({}).", size(a), network.name, size(b), method.name));
    }
    if let (Some(a), Some(b)) = (own.memory, point.memory) {
        all.push(format!(
            "Learning took {} ({}) and {} ({}) of memory beside the images.",
            bytes(a),
            network.name,
            bytes(b),
            method.name
        ));
    }
    all
}

fn generalisation(c: &Comparison) -> Vec<String> {
    let mut all = Vec::new();
    let gap = |p: &Point| p.train_accuracy - p.accuracy;
    let ends: Vec<(&Method, &Point)> = c.methods.iter().filter_map(|m| Some((m, m.last()?))).collect();
    let widest = ends.iter().max_by(|a, b| gap(a.1).total_cmp(&gap(b.1)));
    let narrowest = ends.iter().min_by(|a, b| gap(a.1).total_cmp(&gap(b.1)));
    if let (Some((a, wide)), Some((b, narrow))) = (widest, narrowest)
        && ends.len() > 1
    {
        all.push(format!(
            "Between images that were learnt from and new ones, {} loses least ({} and {}), {} most ({} and {}).",
            b.name,
            percent(narrow.train_accuracy),
            percent(narrow.accuracy),
            a.name,
            percent(wide.train_accuracy),
            percent(wide.accuracy)
        ));
    }
    let kept: Vec<(&Method, f64)> = ends.iter().filter_map(|(m, p)| Some((*m, m.kept(p.accuracy)?))).collect();
    let order = |a: &&(&Method, f64), b: &&(&Method, f64)| a.1.total_cmp(&b.1);
    if let (Some((most, a)), Some((least, b))) = (kept.iter().max_by(order), kept.iter().min_by(order)) {
        all.push(format!(
            "On images that are shifted, turned, scaled, noisy, blurred or pale, {} keeps most of its accuracy, {}, and {} least, {}.",
            most.name,
            percent(*a),
            least.name,
            percent(*b)
        ));
    }
    if let (Some(network), Some((method, _))) = (network(c), best(c)) {
        let mean = |m: &Method, d: Distortion| {
            let of: Vec<f64> = m.robustness.iter().filter(|r| r.distortion == d).map(|r| r.accuracy).collect();
            (!of.is_empty()).then(|| of.iter().sum::<f64>() / of.len() as f64)
        };
        let differences: Vec<(Distortion, f64)> =
            Distortion::ALL.into_iter().filter_map(|d| Some((d, mean(network, d)? - mean(method, d)?))).collect();
        let list = |wanted: &dyn Fn(f64) -> bool| {
            let names: Vec<&str> = differences.iter().filter(|(_, v)| wanted(*v)).map(|(d, _)| d.name().0).collect();
            names.join(", ")
        };
        let (ahead, behind) = (list(&|v| v >= ALIKE), list(&|v| v <= -ALIKE));
        let (a, b) = (&network.name, &method.name);
        if !ahead.is_empty() {
            all.push(format!("{a} tells more such images than {b} under {ahead}."));
        }
        if !behind.is_empty() {
            all.push(format!("{a} tells fewer such images than {b} under {behind}."));
        }
    }
    all
}
