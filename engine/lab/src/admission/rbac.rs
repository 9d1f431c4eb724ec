//! Roles and bindings: defaults, and the rules that their schemas cannot say.
//!
//! Invariant: a rule looks at the object and its stored form alone. Messages as recorded from kube-apiserver v1.36.2.

use serde_json::{Value, json};

use crate::status::Cause;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Fills in the API group of users and groups, and of the role that is referred to.
pub(super) fn default_binding(object: &mut Value) {
    let fill = |map: &mut Value, value: &str| {
        if let Some(map) = map.as_object_mut()
            && map.get("apiGroup").and_then(Value::as_str).unwrap_or_default().is_empty()
        {
            map.insert("apiGroup".into(), value.into());
        }
    };
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            fill(subject, GROUP);
        }
    }
    if let Some(role) = object.get_mut("roleRef") {
        fill(role, GROUP);
    }
}

fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn has(object: &Value, key: &str) -> bool {
    object.get(key).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

fn items<'v>(object: &'v Value, key: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    object.get(key).and_then(Value::as_array).into_iter().flatten().enumerate()
}

/// What is wrong with a role.
pub(super) fn role(object: &Value, namespaced: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, rule) in items(object, "rules") {
        let at = |field: &str| format!("rules[{index}].{field}");
        if !has(rule, "verbs") {
            causes.push(Cause::required(at("verbs"), "verbs must contain at least one value"));
        }
        if has(rule, "nonResourceURLs") {
            let urls = &rule["nonResourceURLs"];
            if namespaced {
                let why = "namespaced rules cannot apply to non-resource URLs";
                causes.push(Cause::invalid(at("nonResourceURLs"), urls, why));
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|key| has(rule, key)) {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                causes.push(Cause::invalid(at("nonResourceURLs"), urls, why));
            }
            continue;
        }
        if !has(rule, "apiGroups") {
            causes.push(Cause::required(at("apiGroups"), "resource rules must supply at least one api group"));
        }
        if !has(rule, "resources") {
            causes.push(Cause::required(at("resources"), "resource rules must supply at least one resource"));
        }
    }
    causes
}

/// What is wrong with a binding.
pub(super) fn binding(old: Option<&Value>, object: &Value, namespaced: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let role = &object["roleRef"];
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    if text(role, "apiGroup") != GROUP {
        causes.push(Cause::not_supported("roleRef.apiGroup", &role["apiGroup"], &texts(&[GROUP])));
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&text(role, "kind")) {
        causes.push(Cause::not_supported("roleRef.kind", &text(role, "kind").into(), &texts(kinds)));
    }
    if text(role, "name").is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (index, one) in items(object, "subjects") {
        subject(one, index, namespaced, &mut causes);
    }
    if let Some(old) = old.map(|old| &old["roleRef"])
        && old != role
    {
        let shown = json!({"APIGroup": text(role, "apiGroup"), "Kind": text(role, "kind"), "Name": text(role, "name")});
        causes.push(Cause::invalid("roleRef", &shown, "cannot change roleRef"));
    }
    causes
}

fn subject(subject: &Value, index: usize, namespaced: bool, causes: &mut Vec<Cause>) {
    let at = |field: &str| format!("subjects[{index}].{field}");
    let name = text(subject, "name");
    if name.is_empty() {
        causes.push(Cause::required(at("name"), ""));
    }
    let group = text(subject, "apiGroup");
    let mut group_is = |wanted: &str| {
        if group != wanted {
            causes.push(Cause::not_supported(at("apiGroup"), &group.into(), &[wanted.to_owned()]));
        }
    };
    match text(subject, "kind") {
        "ServiceAccount" => {
            group_is("");
            if !name.is_empty() && !is_subdomain(name) {
                causes.push(Cause::invalid(at("name"), &name.into(), SUBDOMAIN));
            }
            if !namespaced && text(subject, "namespace").is_empty() {
                causes.push(Cause::required(at("namespace"), ""));
            }
        }
        "User" | "Group" => group_is(GROUP),
        other => {
            let kinds = ["ServiceAccount", "User", "Group"].map(str::to_owned);
            causes.push(Cause::not_supported(at("kind"), &other.into(), &kinds));
        }
    }
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(causes: &[Cause]) -> Vec<String> {
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
    }

    #[test]
    fn mistakes_in_roles_read_as_recorded() {
        let rules = json!({"rules": [
            {"verbs": [], "resources": ["pods"]},
            {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            {"verbs": ["get"]},
            {"verbs": ["get"], "apiGroups": [""]},
        ]});
        assert_eq!(
            shown(&role(&rules, true)),
            [
                "rules[0].verbs: Required value: verbs must contain at least one value",
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[1].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs",
                "rules[2].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[2].resources: Required value: resource rules must supply at least one resource",
                "rules[3].resources: Required value: resource rules must supply at least one resource",
            ]
        );
    }

    #[test]
    fn mistakes_in_bindings_read_as_recorded() {
        let mut wrong = json!({
            "roleRef": {"apiGroup": "", "kind": "Foo", "name": ""},
            "subjects": [
                {"kind": "User", "name": ""},
                {"kind": "ServiceAccount", "name": "a", "apiGroup": "z"},
                {"kind": "Foo", "name": "x", "apiGroup": "x"},
                {"kind": "Group", "name": "x", "apiGroup": "y"},
            ],
        });
        default_binding(&mut wrong);
        assert_eq!(
            shown(&binding(None, &wrong, true)),
            [
                "roleRef.kind: Unsupported value: \"Foo\": supported values: \"Role\", \"ClusterRole\"",
                "roleRef.name: Required value",
                "subjects[0].name: Required value",
                "subjects[1].apiGroup: Unsupported value: \"z\": supported values: \"\"",
                "subjects[2].kind: Unsupported value: \"Foo\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
                "subjects[3].apiGroup: Unsupported value: \"y\": supported values: \"rbac.authorization.k8s.io\"",
            ]
        );
        let role = |name: &str| json!({"roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name}});
        assert_eq!(
            shown(&binding(Some(&role("x")), &role("z"), true)),
            [
                "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"Role\",\"Name\":\"z\"}: cannot change roleRef"
            ]
        );
        let cluster = json!({
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "x"},
            "subjects": [{"kind": "ServiceAccount", "name": "a"}],
        });
        assert_eq!(
            shown(&binding(None, &cluster, false)),
            [
                "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"",
                "subjects[0].namespace: Required value",
            ]
        );
    }
}
