//! Identities.
//!
//! Invariant: a user's groups are complete; nothing adds to them later.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The group whose members may do everything.
const MASTERS: &str = "system:masters";
/// Everyone who showed a valid credential.
pub(super) const AUTHENTICATED: &str = "system:authenticated";
/// Everyone who showed none.
pub(super) const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user of requests without a credential.
pub(super) const ANONYMOUS: &str = "system:anonymous";
/// How the names of service accounts begin; namespace and name follow, separated by a colon.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Somebody who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Name, such as `jane` or `system:serviceaccount:default:robot`.
    pub name: String,
    /// Uid; empty for most.
    pub uid: String,
    /// Groups, in the order in which they are shown.
    pub groups: Vec<String>,
    /// What else the credential says.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The user of the lab's kubeconfig, who may do everything.
    pub fn admin() -> Self {
        Self::new("kubernetes-admin", [MASTERS])
    }

    /// Somebody with a name and groups; `system:authenticated` is added.
    pub fn new<'g>(name: impl Into<String>, groups: impl IntoIterator<Item = &'g str>) -> Self {
        let groups = groups.into_iter().chain([AUTHENTICATED]).map(str::to_owned).collect();
        Self { name: name.into(), groups, ..Self::default() }
    }

    /// Somebody without a credential.
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// A service account.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let mut groups = service_account_groups(namespace);
        groups.push(AUTHENTICATED.to_owned());
        Self { name: service_account_name(namespace, name), groups, ..Self::default() }
    }

    /// Whether no rule applies to them.
    pub(crate) fn is_master(&self) -> bool {
        self.is_in(MASTERS)
    }

    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }

    /// As `authentication.k8s.io/v1 UserInfo`.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in [("username", &self.name), ("uid", &self.uid)] {
            if !text.is_empty() {
                map.insert(key.into(), text.as_str().into());
            }
        }
        if !self.groups.is_empty() {
            map.insert("groups".into(), self.groups.clone().into());
        }
        if !self.extra.is_empty() {
            let extra = self.extra.iter().map(|(key, values)| (key.clone(), values.clone().into()));
            map.insert("extra".into(), Value::Object(extra.collect()));
        }
        Value::Object(map)
    }
}

/// The user name of a service account.
pub(super) fn service_account_name(namespace: &str, name: &str) -> String {
    format!("{SERVICE_ACCOUNT}{namespace}:{name}")
}

/// The groups that all service accounts of a namespace are in, apart from that of all users.
pub(super) fn service_account_groups(namespace: &str) -> Vec<String> {
    vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
}

/// Namespace and name of the service account that a user name stands for.
pub(super) fn split_service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, name) = name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    (is_name(namespace) && is_name(name)).then_some((namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_accounts_are_told_by_their_names() {
        assert_eq!(split_service_account("system:serviceaccount:rec:bot"), Some(("rec", "bot")));
        for other in ["jane", "system:serviceaccount:rec", "system:serviceaccount::bot", "system:serviceaccount:a:b:c"]
        {
            assert_eq!(split_service_account(other), None, "{other}");
        }
    }
}
