//! From paths to what they name.
//!
//! Invariant: a path is split once and percent-decoded piece by piece; nothing else looks at raw paths.

use std::borrow::Cow;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/version`
    Version,
    /// `/`
    Root,
    /// `/healthz`, `/livez`, `/readyz`, and one check of them.
    Health { endpoint: String, check: Option<String> },
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`
    Resources { group: String, version: String },
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiIndex,
    /// `/openapi/v3/…`: group and version.
    OpenApi { group: String, version: String },
    /// A resource, an object, or a subresource.
    Object(ObjectPath),
    /// Nothing that the lab has.
    Unknown,
}

/// The path of a resource or of one of its objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ObjectPath {
    pub(super) group: String,
    pub(super) version: String,
    /// None for cluster objects and for lists over all namespaces.
    pub(super) namespace: Option<String>,
    pub(super) plural: String,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
    /// The old way to ask for a watch: `/watch/` before the rest.
    pub(super) watch: bool,
}

impl Route {
    pub(super) fn parse(path: &str) -> Self {
        let pieces: Option<Vec<Cow<'_, str>>> = path.trim_matches('/').split('/').map(percent_decode).collect();
        let Some(pieces) = pieces else { return Self::Unknown };
        let pieces: Vec<&str> = pieces.iter().map(AsRef::as_ref).collect();
        match pieces.as_slice() {
            ["version"] => Self::Version,
            [] => Self::Root,
            [endpoint @ ("healthz" | "livez" | "readyz"), check @ ..] => {
                let check = (!check.is_empty()).then(|| check.join("/"));
                Self::Health { endpoint: (*endpoint).into(), check }
            }
            ["api"] => Self::CoreVersions,
            ["apis"] => Self::Groups,
            ["apis", group] => Self::Group((*group).into()),
            ["api", version] => Self::Resources { group: String::new(), version: (*version).into() },
            ["apis", group, version] => Self::Resources { group: (*group).into(), version: (*version).into() },
            ["openapi", "v2"] => Self::OpenApiV2,
            ["openapi", "v3"] => Self::OpenApiIndex,
            ["openapi", "v3", "api", version] => Self::OpenApi { group: String::new(), version: (*version).into() },
            ["openapi", "v3", "apis", group, version] => {
                Self::OpenApi { group: (*group).into(), version: (*version).into() }
            }
            ["api", version, "watch", rest @ ..] if !rest.is_empty() => Self::object("", version, rest).watched(),
            ["apis", group, version, "watch", rest @ ..] if !rest.is_empty() => {
                Self::object(group, version, rest).watched()
            }
            ["api", version, rest @ ..] => Self::object("", version, rest),
            ["apis", group, version, rest @ ..] => Self::object(group, version, rest),
            _ => Self::Unknown,
        }
    }

    fn object(group: &str, version: &str, rest: &[&str]) -> Self {
        let (namespace, rest) = match rest {
            // `/namespaces/NAME` and its two subresources are about the namespace itself.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] if group.is_empty() => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            _ => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(name), None),
            [plural, name, subresource] => (plural, Some(name), Some(subresource)),
            // A path that is too deep names nothing, but it does so below a group.
            [plural, name, subresource, ..] => (plural, Some(name), Some(subresource)),
            [] => return Self::Unknown,
        };
        let deep = rest.len() > 3;
        Self::Object(ObjectPath {
            group: group.into(),
            version: version.into(),
            namespace,
            plural: (*plural).into(),
            name: name.map(|name| (*name).into()),
            subresource: subresource.map(|name| if deep { rest[2..].join("/") } else { (*name).into() }),
            watch: false,
        })
    }

    fn watched(self) -> Self {
        match self {
            Self::Object(path) => Self::Object(ObjectPath { watch: true, ..path }),
            other => other,
        }
    }
}

/// A piece of a path in clear; None when it is no UTF-8.
fn percent_decode(piece: &str) -> Option<Cow<'_, str>> {
    if !piece.contains('%') {
        return Some(Cow::Borrowed(piece));
    }
    let (mut out, bytes) = (Vec::with_capacity(piece.len()), piece.as_bytes());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let hex = piece.get(at + 1..at + 3)?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &str) -> ObjectPath {
        match Route::parse(path) {
            Route::Object(path) => path,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_namespace_is_an_object_and_a_place() {
        let own = object("/api/v1/namespaces/rec");
        assert_eq!((own.plural.as_str(), own.name.as_deref(), own.namespace), ("namespaces", Some("rec"), None));
        let finalize = object("/api/v1/namespaces/rec/finalize");
        assert_eq!(finalize.subresource.as_deref(), Some("finalize"));
        let pods = object("/api/v1/namespaces/rec/pods");
        assert_eq!((pods.plural.as_str(), pods.namespace.as_deref(), pods.name), ("pods", Some("rec"), None));
    }

    #[test]
    fn names_are_decoded_and_deep_paths_name_nothing() {
        let role = object("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode");
        assert_eq!(role.name.as_deref(), Some("system:node"));
        assert_eq!(object("/api/v1/namespaces/a/pods/b/c/d").subresource.as_deref(), Some("c/d"), "no kind has that");
        assert_eq!(Route::parse("/api/v1/namespaces/a/pods/%zz"), Route::Unknown);
        assert_eq!(Route::parse("/api/v1/namespaces/a/pods/%ff"), Route::Unknown);
    }
}
