//! What differs between two runs on the same cluster is masked, in what is recorded and in what is compared.

use std::path::Path;

use regex::Regex;

/// A pattern, and what stands in its place.
const RULES: [(&str, &str); 16] = [
    // Identities, versions and times.
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
    (r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "<time>"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}", "<time>"),
    (r"\b\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} \+0000 UTC", "<time>"),
    (r#"(resourceVersion"?: ?)"\d+""#, "$1\"<version>\""),
    (r"(Resource Version: +)\d+", "$1<version>"),
    // What kubectl says more, or less, since 1.33 and 1.34.
    (r#"(\" (force )?deleted) from \S+ namespace\b"#, "$1"),
    (r"^ *creationTimestamp: null\n", ""),
    // Random parts of names: the hash of a template with a random part, or a random part alone.
    (r"-[bcdf-hj-np-tv-xz2456789]{7,10}-[bcdf-hj-np-tv-xz2456789]{5}\b", "-<hash>-<random>"),
    (r"-[bcdf-hj-np-tv-xz2456789]{5}\b", "-<random>"),
    (r"(-|pod-template-hash[=:] ?)[bcdf-hj-np-tv-xz2456789]{8,10}\b", "$1<hash>"),
    // Ages and durations in tables.
    (r"(^|\s|\()(?:\d+s|\d+m\d+s|\d+h(?:\d+m)?|\d+d(?:\d+h)?|<invalid>)\b", "$1<age>"),
    // Addresses that the cluster gives out.
    (r"\b10\.96\.\d+\.\d+\b", "<cluster-ip>"),
    (r"\b10\.244\.\d+\.\d+\b", "<pod-ip>"),
    (r"\b172\.18\.0\.\d+\b", "<node-ip>"),
    (r"\b3[0-2]\d{3}\b", "<node-port>"),
];

/// Columns are as wide as what stands in them, so blanks between them are made one width.
const COLUMNS: &str = r"(\S) {2,}";

/// The rules, ready to be used.
pub(super) struct Masks {
    rules: Vec<(Regex, String)>,
}

impl Masks {
    /// The rules, with the names of nodes and the session's folder.
    pub(super) fn new(nodes: &[String], folder: &Path) -> Self {
        let literal = |text: &str, mask: &str| (regex::escape(text), mask.to_owned());
        let folder = literal(&folder.display().to_string(), "<folder>");
        let nodes = nodes.iter().map(|node| {
            let (name, mask) = literal(node, "<node>");
            (format!(r"\b{name}\b"), mask)
        });
        let rules = RULES.iter().map(|(pattern, mask)| ((*pattern).to_owned(), (*mask).to_owned()));
        let all = [folder].into_iter().chain(nodes).chain(rules).chain([(COLUMNS.to_owned(), "$1   ".to_owned())]);
        let compile = |(pattern, mask): (String, String)| {
            (Regex::new(&format!("(?m){pattern}")).expect("a pattern of this file"), mask)
        };
        Self { rules: all.map(compile).collect() }
    }

    /// The text with all masks applied.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (pattern, mask) in &self.rules {
            masked = pattern.replace_all(&masked, mask.as_str()).into_owned();
        }
        masked
    }
}
