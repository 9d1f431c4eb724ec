//! Acting as somebody else: `kubectl --as`, `--as-group`, `--as-uid`.
//!
//! Invariant: whoever acts as another has nothing of their own rights left for that request. The modes of Kubernetes 1.36 are tried
//! in its order, the constrained ones before the old one, and the first refusal is the one that is told.

use http::HeaderMap;

use super::attributes::Attributes;
use super::rbac::authorize;
use super::rule::quoted;
use super::user::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User, service_account_groups, split_service_account};
use crate::status::Status;
use crate::store::Store;

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA: &str = "impersonate-extra-";

/// The group of `uids`, `userextras` and, for the constrained modes, of all that may be acted as.
const AUTHENTICATION: &str = "authentication.k8s.io";

const NODE: &str = "system:node:";
const MANY: usize = 4;

/// One way to ask for the right to act as somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    Legacy,
}

impl Mode {
    const ALL: [Self; 4] = [Self::ArbitraryNode, Self::ServiceAccount, Self::UserInfo, Self::Legacy];

    fn name(self) -> Option<&'static str> {
        match self {
            Self::ArbitraryNode => Some("arbitrary-node"),
            Self::ServiceAccount => Some("serviceaccount"),
            Self::UserInfo => Some("user-info"),
            Self::Legacy => None,
        }
    }

    fn applies(self, wanted: &User) -> bool {
        let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let node = wanted.name.starts_with(NODE);
        let account = split_service_account(&wanted.name).is_some();
        match self {
            Self::ArbitraryNode => only_name && node,
            Self::ServiceAccount => only_name && account,
            Self::UserInfo => !node && !account,
            Self::Legacy => true,
        }
    }
}

/// Whether any header asks to act as somebody.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("impersonate-"))
}

/// Whom the headers ask for.
///
/// # Errors
/// 400 for groups and the like without a user.
pub(super) fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let texts =
        |name: &str| headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let first = |name: &str| texts(name).next().unwrap_or_default();
    let mut user = User { name: first(USER), uid: first(UID), groups: texts(GROUP).collect(), ..User::default() };
    for name in headers.keys().filter(|name| name.as_str().starts_with(EXTRA)) {
        let key = decode(&name.as_str()[EXTRA.len()..]);
        user.extra.entry(key).or_default().extend(texts(name.as_str()));
    }
    if !user.name.is_empty() {
        return Ok(Some(user));
    }
    if user == User::default() {
        return Ok(None);
    }
    Err(Status::bad_request(format!("requested {} without impersonating a user name", go_syntax(&user))))
}

/// The user as Go prints the structure.
fn go_syntax(user: &User) -> String {
    let strings = |list: &[String]| {
        if list.is_empty() {
            "[]string(nil)".to_owned()
        } else {
            format!("[]string{{{}}}", list.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", "))
        }
    };
    let extra = if user.extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let entries = user.extra.iter().map(|(key, list)| format!("{key:?}:{}", strings(list)));
        format!("map[string][]string{{{}}}", entries.collect::<Vec<_>>().join(", "))
    };
    format!("&user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{}, Extra:{extra}}}", user.uid, strings(&user.groups))
}

/// Percent-decodes the key of an extra; what does not decode stays as it is.
fn decode(key: &str) -> String {
    let decoded = url::form_urlencoded::parse(format!("k={}", key.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned());
    decoded.unwrap_or_else(|| key.to_owned())
}

/// The user to act as, if `requestor` may.
///
/// # Errors
/// 403 with the first refusal.
pub(super) fn impersonate(store: &Store, requestor: &User, wanted: &User, asked: &Attributes) -> Result<User, Status> {
    let mut first_refusal = None;
    for mode in Mode::ALL.into_iter().filter(|mode| mode.applies(wanted)) {
        match (Check { store, requestor, mode }).run(wanted, asked) {
            Ok(user) => return Ok(user),
            Err(refusal) => _ = first_refusal.get_or_insert(refusal),
        }
    }
    Err(first_refusal.expect("invariant: the old mode applies to everyone"))
}

struct Check<'a> {
    store: &'a Store,
    requestor: &'a User,
    mode: Mode,
}

impl Check<'_> {
    fn run(&self, wanted: &User, asked: &Attributes) -> Result<User, Status> {
        if let Some(mode) = self.mode.name() {
            let verb = format!("impersonate-on:{mode}:{}", asked.verb);
            self.require(&Attributes { verb, ..asked.clone() })?;
        }
        let mut user = wanted.clone();
        self.name(wanted, &mut user)?;
        if !wanted.uid.is_empty() {
            self.require(&self.about(AUTHENTICATION, "uids", &wanted.uid))?;
        }
        self.groups(&wanted.groups)?;
        self.extra(wanted)?;
        let everyone = if user.name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
        if !user.is_in(everyone) && (user.name == ANONYMOUS || !user.is_in(UNAUTHENTICATED)) {
            user.groups.push(everyone.to_owned());
        }
        Ok(user)
    }

    fn about(&self, group: &str, resource: &str, name: &str) -> Attributes {
        let verb = self.mode.name().map_or_else(|| "impersonate".to_owned(), |mode| format!("impersonate:{mode}"));
        Attributes { verb, group: group.into(), resource: resource.into(), name: name.into(), ..Attributes::default() }
    }

    /// The group of users and groups: the old mode asks in the core group.
    fn group(&self) -> &'static str {
        if self.mode == Mode::Legacy { "" } else { AUTHENTICATION }
    }

    fn name(&self, wanted: &User, user: &mut User) -> Result<(), Status> {
        let mut about = self.about(self.group(), "users", &wanted.name);
        if self.mode == Mode::ArbitraryNode {
            about.resource = "nodes".into();
            about.name = wanted.name.trim_start_matches(NODE).into();
            user.groups = vec!["system:nodes".to_owned()];
        }
        if let Some((namespace, name)) = split_service_account(&wanted.name) {
            about.resource = "serviceaccounts".into();
            (about.namespace, about.name) = (namespace.into(), name.into());
            if wanted.groups.is_empty() {
                user.groups = service_account_groups(namespace);
            }
        }
        self.require(&about)
    }

    fn groups(&self, groups: &[String]) -> Result<(), Status> {
        if groups.is_empty() {
            return Ok(());
        }
        let mut about = self.about(self.group(), "groups", "");
        if self.mode != Mode::Legacy {
            for (group, why) in [
                ("", "impersonating the empty string group is not allowed"),
                ("system:masters", "impersonating the system:masters group is not allowed"),
            ] {
                if groups.iter().any(|one| one == group) {
                    group.clone_into(&mut about.name);
                    return Err(about.forbidden(self.requestor, why));
                }
            }
            about.name = "*".into();
            if groups.len() >= MANY && self.require(&about).is_ok() {
                return Ok(());
            }
        }
        groups.iter().try_for_each(|group| {
            group.clone_into(&mut about.name);
            self.require(&about)
        })
    }

    fn extra(&self, wanted: &User) -> Result<(), Status> {
        let mut about = self.about(AUTHENTICATION, "userextras", "");
        for (key, values) in &wanted.extra {
            key.clone_into(&mut about.subresource);
            for value in values {
                value.clone_into(&mut about.name);
                self.require(&about)?;
            }
        }
        Ok(())
    }

    fn require(&self, about: &Attributes) -> Result<(), Status> {
        if self.requestor.is_master() {
            return Ok(());
        }
        let decision = authorize(self.store, self.requestor, about);
        if decision.allowed { Ok(()) } else { Err(about.forbidden(self.requestor, &decision.reason)) }
    }
}

/// User and groups for a refusal: `user "x" (groups=["a" "b"])`.
pub(super) fn shown(user: &User) -> String {
    format!("user {:?} (groups={})", user.name, quoted(&user.groups))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn groups_need_a_user() {
        let mut headers = HeaderMap::new();
        assert!(!is_wanted(&headers) && wanted(&headers).expect("nobody").is_none());
        headers.append(GROUP, HeaderValue::from_static("x"));
        assert!(is_wanted(&headers));
        assert_eq!(
            wanted(&headers).expect_err("refused").message,
            "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"x\"}, Extra:map[string][]string(nil)} without \
             impersonating a user name"
        );
        headers.append(USER, HeaderValue::from_static("jane"));
        headers.append("impersonate-extra-scopes%2fx", HeaderValue::from_static("a"));
        let user = wanted(&headers).expect("whole").expect("somebody");
        assert_eq!((user.name.as_str(), user.extra.keys().next().map(String::as_str)), ("jane", Some("scopes/x")));
    }
}
