//! Policy rules: what they allow, and whether some cover others.
//!
//! Invariant: pure functions of rules; how they came to a user is not known here.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::attributes::Attributes;

/// The entries of a list of texts; none when there is no list.
pub(super) fn texts<'v>(object: &'v Value, key: &str) -> impl Iterator<Item = &'v str> + Clone {
    object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a rule, as it stands in a role, allows a request. `combined` is [`Attributes::combined_resource`].
pub(super) fn allows(rule: &Value, asked: &Attributes, combined: &str) -> bool {
    let has = |key: &str, wanted: &str| texts(rule, key).any(|one| one == "*" || one == wanted);
    if !has("verbs", &asked.verb) {
        return false;
    }
    if let Some(path) = &asked.path {
        return texts(rule, "nonResourceURLs").any(|url| url_covers(url, path));
    }
    has("apiGroups", &asked.group)
        && texts(rule, "resources").any(|one| resource_matches(one, combined, &asked.subresource))
        && (texts(rule, "resourceNames").next().is_none()
            || !asked.name.is_empty() && texts(rule, "resourceNames").any(|name| name == asked.name))
}

fn resource_matches(rule: &str, combined: &str, subresource: &str) -> bool {
    rule == "*"
        || rule == combined
        || !subresource.is_empty() && rule.strip_prefix("*/").is_some_and(|rest| rest == subresource)
}

fn url_covers(rule: &str, path: &str) -> bool {
    rule == "*" || rule == path || rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*'))
}

/// A rule taken out of its role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Verbs, `*` for all.
    pub(crate) verbs: Vec<String>,
    /// API groups, `*` for all.
    pub(crate) api_groups: Vec<String>,
    /// Resources, with `/` and their subresource if it is about that.
    pub(crate) resources: Vec<String>,
    /// Names of objects; empty for all.
    pub(crate) resource_names: Vec<String>,
    /// Paths that are no resources; a `*` at the end stands for anything.
    pub(crate) non_resource_urls: Vec<String>,
}

impl Rule {
    /// A rule as it stands in a role.
    pub(super) fn read(rule: &Value) -> Self {
        let list = |key: &str| texts(rule, key).map(str::to_owned).collect();
        Self {
            verbs: list("verbs"),
            api_groups: list("apiGroups"),
            resources: list("resources"),
            resource_names: list("resourceNames"),
            non_resource_urls: list("nonResourceURLs"),
        }
    }

    /// All there is, in two rules.
    pub(super) fn everything() -> Vec<Self> {
        let all = || vec!["*".to_owned()];
        vec![
            Self { verbs: all(), api_groups: all(), resources: all(), ..Self::default() },
            Self { verbs: all(), non_resource_urls: all(), ..Self::default() },
        ]
    }

    /// The same in rules of one verb, one resource and one name each.
    fn atoms(&self) -> Vec<Self> {
        let mut atoms = Vec::new();
        let names: Vec<Vec<String>> = if self.resource_names.is_empty() {
            vec![Vec::new()]
        } else {
            self.resource_names.iter().map(|name| vec![name.clone()]).collect()
        };
        for group in &self.api_groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    atoms.extend(names.iter().map(|resource_names| Self {
                        verbs: vec![verb.clone()],
                        api_groups: vec![group.clone()],
                        resources: vec![resource.clone()],
                        resource_names: resource_names.clone(),
                        non_resource_urls: Vec::new(),
                    }));
                }
            }
        }
        for url in &self.non_resource_urls {
            atoms.extend(self.verbs.iter().map(|verb| Self {
                verbs: vec![verb.clone()],
                non_resource_urls: vec![url.clone()],
                ..Self::default()
            }));
        }
        atoms
    }

    /// Whether this rule allows all that an atom allows.
    fn covers(&self, atom: &Self) -> bool {
        let all = |own: &[String], wanted: &[String]| {
            own.iter().any(|one| one == "*") || wanted.iter().all(|one| own.contains(one))
        };
        let resource = |wanted: &String| {
            self.resources.iter().any(|own| {
                own == "*"
                    || own == wanted
                    || wanted.split_once('/').is_some_and(|(_, sub)| own.strip_prefix("*/") == Some(sub))
            })
        };
        let url = |wanted: &String| self.non_resource_urls.iter().any(|own| url_covers(own, wanted));
        let named = self.resource_names.is_empty()
            || !atom.resource_names.is_empty()
                && atom.resource_names.iter().all(|name| self.resource_names.contains(name));
        all(&self.verbs, &atom.verbs)
            && all(&self.api_groups, &atom.api_groups)
            && atom.resources.iter().all(resource)
            && atom.non_resource_urls.iter().all(url)
            && named
    }

    /// As refusals show a rule: Go's field names, empty lists left out.
    fn compact(&self) -> String {
        let fields = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let shown = fields.into_iter().filter(|(_, list)| !list.is_empty());
        let shown: Vec<String> = shown.map(|(name, list)| format!("{name}:{}", quoted(list))).collect();
        format!("{{{}}}", shown.join(", "))
    }
}

/// A list as Go's `%q` prints it.
pub(super) fn quoted(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// What `wanted` allows and `owned` does not, one line a resource in alphabetic order; none if nothing.
pub(super) fn missing(owned: &[Rule], wanted: &[Rule]) -> Option<Vec<String>> {
    let uncovered = wanted.iter().flat_map(Rule::atoms).filter(|atom| !owned.iter().any(|own| own.covers(atom)));
    // Verbs of one resource and name are told together.
    let mut simple: IndexMap<[Vec<String>; 3], Rule> = IndexMap::new();
    let mut lines = BTreeSet::new();
    for atom in uncovered {
        if atom.non_resource_urls.is_empty() {
            let key = [atom.api_groups.clone(), atom.resources.clone(), atom.resource_names.clone()];
            simple.entry(key).or_insert_with(|| Rule { verbs: Vec::new(), ..atom.clone() }).verbs.extend(atom.verbs);
        } else {
            lines.insert(atom.compact());
        }
    }
    lines.extend(simple.values().map(Rule::compact));
    (!lines.is_empty()).then(|| lines.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(verb: &str, group: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        Attributes {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            name: name.into(),
            ..Attributes::default()
        }
    }

    fn allowed(rule: &Value, asked: &Attributes) -> bool {
        allows(rule, asked, &asked.combined_resource())
    }

    #[test]
    fn a_rule_allows_what_it_names() {
        let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]});
        let log = json!({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]});
        let any_scale = json!({"apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["update"]});
        let named = json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["*"]});
        let everything = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
        for (rule, asked, wanted) in [
            (&pods, resource("get", "", "pods", "", "x"), true),
            (&pods, resource("watch", "", "pods", "", ""), false),
            (&pods, resource("get", "apps", "pods", "", ""), false),
            (&pods, resource("get", "", "pods", "log", "x"), false),
            (&log, resource("get", "", "pods", "log", "x"), true),
            (&log, resource("get", "", "pods", "", "x"), false),
            (&any_scale, resource("update", "apps", "deployments", "scale", "d"), true),
            (&any_scale, resource("update", "apps", "deployments", "", "d"), false),
            (&named, resource("delete", "", "configmaps", "", "a"), true),
            (&named, resource("delete", "", "configmaps", "", "b"), false),
            // Neither a create nor a plain list names an object.
            (&named, resource("create", "", "configmaps", "", ""), false),
            (&everything, resource("create", "x.io", "foos", "bar", ""), true),
            (&everything, Attributes::path(&http::Method::GET, "/metrics"), false),
        ] {
            assert_eq!(allowed(rule, &asked), wanted, "{rule} {asked:?}");
        }
    }

    #[test]
    fn a_path_is_allowed_by_itself_or_what_it_begins_with() {
        let rule = json!({"nonResourceURLs": ["/healthz", "/api/*"], "verbs": ["get"]});
        for (path, wanted) in [("/healthz", true), ("/healthz/etcd", false), ("/api/v1", true), ("/api", false)] {
            assert_eq!(allowed(&rule, &Attributes::path(&http::Method::GET, path)), wanted, "{path}");
        }
        assert!(!allowed(&rule, &Attributes::path(&http::Method::POST, "/healthz")));
    }

    #[test]
    fn what_is_missing_reads_as_recorded() {
        let owned = vec![Rule::read(&json!({"apiGroups": [""], "resources": ["*/log", "nodes"], "verbs": ["get"]}))];
        let wanted = vec![
            Rule::read(&json!({"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get", "list"]})),
            Rule::read(&json!({"apiGroups": [""], "resources": ["pods/log", "nodes"], "verbs": ["get"]})),
            Rule::read(&json!({"apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get"]})),
            Rule::read(&json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})),
        ];
        let lines = missing(&owned, &wanted).expect("missing");
        assert_eq!(
            lines,
            [
                r#"{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get"]}"#,
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}"#,
                r#"{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "list"]}"#,
                r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}"#,
            ]
        );
        assert_eq!(missing(&Rule::everything(), &wanted), None);
    }
}
