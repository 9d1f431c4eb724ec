//! Whether a structure contains another: for `json`, `yaml` and `expect-object`.
//!
//! Only what is expected is looked at. A mapping may have further keys. A list contains another if each expected item
//! has an item of its own that contains it, in any order; the empty list asks for an empty list, since any list would
//! be next to nothing. `null` asks that the value is null or not there. Numbers are equal as numbers: `1` is `1.0`.

use serde_json::Value;

use super::excerpt::shorten;
use super::mismatch::{Difference, Matcher, Mismatch, PathDifference, Subject};
use super::output::Judgement;

/// The most differences that are kept.
const MAX_PATHS: usize = 50;
/// The most pairs of items for which the assignment between two lists is searched; beyond, the first that fits is taken.
const MAX_PAIRS: usize = 250_000;

/// A check on an object of the cluster, with its values filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectCheck {
    pub(super) matches: Option<Value>,
    pub(super) absent: bool,
}

impl ObjectCheck {
    /// Judges the object as the API server gives it; `None` if there is none.
    #[must_use]
    pub fn judge(&self, object: Option<&Value>) -> Judgement {
        let matcher = if self.absent { Matcher::Absent } else { Matcher::Object };
        let difference = match object {
            None if self.absent => None,
            None => Some(Difference::NoObject),
            Some(_) if self.absent => Some(Difference::ObjectExists),
            Some(object) => self.matches.as_ref().and_then(|expected| difference(expected, object)),
        };
        let mismatch = difference.map(|difference| Mismatch {
            matcher,
            subject: Subject::Object,
            find: None,
            difference,
            notes: Vec::new(),
        });
        Judgement::of(Vec::from_iter(mismatch), super::Captures::new())
    }
}

/// Where `actual` does not contain `expected`; `None` if it does.
pub(super) fn difference(expected: &Value, actual: &Value) -> Option<Difference> {
    if contains(expected, Some(actual)) {
        return None;
    }
    let mut found = Found { paths: Vec::new(), more: 0 };
    found.compare(expected, Some(actual), &mut String::new());
    Some(Difference::Values { paths: found.paths, more: found.more })
}

/// Whether the value, or its absence, is what is expected.
fn contains(expected: &Value, actual: Option<&Value>) -> bool {
    let Some(actual) = actual else { return expected.is_null() };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().all(|(key, value)| contains(value, actual.get(key)))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.is_empty() {
                return actual.is_empty();
            }
            assign(expected, actual).iter().all(Option::is_some)
        }
        (Value::Number(expected), Value::Number(actual)) => expected == actual || expected.as_f64() == actual.as_f64(),
        _ => expected == actual,
    }
}

/// For each expected item the position of an item that contains it, no position twice; as many as possible.
fn assign(expected: &[Value], actual: &[Value]) -> Vec<Option<usize>> {
    let mut owner: Vec<Option<usize>> = vec![None; actual.len()];
    if expected.len().saturating_mul(actual.len()) > MAX_PAIRS {
        for (i, item) in expected.iter().enumerate() {
            let free = (0..actual.len()).find(|&j| owner[j].is_none() && contains(item, Some(&actual[j])));
            if let Some(j) = free {
                owner[j] = Some(i);
            }
        }
    } else {
        let fits: Vec<Vec<usize>> = expected
            .iter()
            .map(|item| (0..actual.len()).filter(|&j| contains(item, Some(&actual[j]))).collect())
            .collect();
        for i in 0..expected.len() {
            give(i, &fits, &mut owner);
        }
    }
    let mut given = vec![None; expected.len()];
    for (j, i) in owner.into_iter().enumerate() {
        if let Some(i) = i {
            given[i] = Some(j);
        }
    }
    given
}

/// Gives an item to `start`, by the shortest chain of others that move on to another item each.
fn give(start: usize, fits: &[Vec<usize>], owner: &mut [Option<usize>]) {
    // from[j]: who would take the item j.
    let mut from: Vec<Option<usize>> = vec![None; owner.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(i) = queue.pop_front() {
        for &j in &fits[i] {
            if from[j].is_some() {
                continue;
            }
            from[j] = Some(i);
            if let Some(next) = owner[j] {
                queue.push_back(next);
                continue;
            }
            let mut free = j;
            while let Some(taker) = from[free] {
                let left = owner.iter().position(|&o| o == Some(taker));
                owner[free] = Some(taker);
                match left {
                    Some(item) if taker != start => free = item,
                    _ => return,
                }
            }
            return;
        }
    }
}

/// The differences found so far.
struct Found {
    paths: Vec<PathDifference>,
    more: u64,
}

impl Found {
    fn compare(&mut self, expected: &Value, actual: Option<&Value>, path: &mut String) {
        if contains(expected, actual) {
            return;
        }
        match (expected, actual) {
            (Value::Object(expected), Some(Value::Object(actual))) => {
                for (key, value) in expected {
                    let length = path.len();
                    path.push('/');
                    path.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    self.compare(value, actual.get(key), path);
                    path.truncate(length);
                }
            }
            (Value::Array(expected), Some(Value::Array(actual))) if !expected.is_empty() => {
                self.compare_lists(expected, actual, path);
            }
            _ => self.add(path, expected, actual),
        }
    }

    /// Items without a counterpart. Where both sides have just one left, these two are compared.
    fn compare_lists(&mut self, expected: &[Value], actual: &[Value], path: &mut String) {
        let given = assign(expected, actual);
        let missing: Vec<usize> = (0..expected.len()).filter(|&i| given[i].is_none()).collect();
        let mut taken = vec![false; actual.len()];
        for j in given.iter().flatten() {
            taken[*j] = true;
        }
        let left: Vec<usize> = (0..actual.len()).filter(|&j| !taken[j]).collect();
        let length = path.len();
        if let ([i], [j]) = (missing.as_slice(), left.as_slice()) {
            path.push_str(&format!("/{j}"));
            self.compare(&expected[*i], Some(&actual[*j]), path);
        } else {
            for i in missing {
                path.push_str("/-");
                self.add(path, &expected[i], None);
                path.truncate(length);
            }
        }
        path.truncate(length);
    }

    fn add(&mut self, path: &str, expected: &Value, actual: Option<&Value>) {
        if self.paths.len() >= MAX_PATHS {
            self.more += 1;
            return;
        }
        self.paths.push(PathDifference {
            path: shorten(path),
            expected: shorten(&expected.to_string()),
            actual: actual.map(|actual| shorten(&actual.to_string())),
        });
    }
}
