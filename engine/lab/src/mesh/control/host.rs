//! Host names with wildcards, as the control plane compares them.
//!
//! Invariant: only a leading `*` is a wildcard.

use std::net::IpAddr;

/// Whether a name begins with a wildcard.
pub(super) fn is_wild(name: &str) -> bool {
    name.starts_with('*')
}

/// Whether every name that `inner` stands for is one of `outer`'s.
pub(super) fn subset_of(inner: &str, outer: &str) -> bool {
    match (inner.strip_prefix('*'), outer.strip_prefix('*')) {
        (Some(a), Some(b)) => a.len() >= b.len() && a.ends_with(b),
        (Some(_), None) => false,
        (None, Some(b)) => inner.ends_with(b),
        (None, None) => inner == outer,
    }
}

/// Whether two names overlap.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    subset_of(a, b) || subset_of(b, a)
}

/// The full name of a host in an object of this namespace: a name without a dot is a Service beside it.
pub(super) fn full(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.is_empty() || host == "*" || host.contains('.') || host.parse::<IpAddr>().is_ok() {
        return host;
    }
    format!("{host}.{namespace}.svc.cluster.local")
}

/// The full name, `NAMESPACE/NAME`, of a gateway that an object of this namespace names.
pub(super) fn gateway(name: &str, namespace: &str) -> String {
    match name.split_once('/') {
        Some((".", name)) => format!("{namespace}/{name}"),
        Some(_) => name.to_owned(),
        None if name == "mesh" => name.to_owned(),
        None => format!("{namespace}/{name}"),
    }
}

/// Other names by which a pod of `namespace` may call a Service.
pub(super) fn alternatives(host: &str, namespace: &str) -> Vec<String> {
    let mut names = vec![format!("{host}.")];
    let Some(inner) = host.strip_suffix(".svc.cluster.local") else { return names };
    let Some((service, own)) = inner.split_once('.') else { return names };
    if own == namespace {
        names.extend([service.to_owned(), format!("{inner}.svc"), inner.to_owned()]);
    } else {
        names.extend([inner.to_owned(), format!("{inner}.svc")]);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_as_the_control_plane_compares_them() {
        // (inner, outer, subset, overlap)
        let cases = [
            ("a.com", "a.com", true, true),
            ("a.com", "*.com", true, true),
            ("*.com", "a.com", false, true),
            ("*.a.com", "*.com", true, true),
            ("*.com", "*", true, true),
            ("a.com", "b.com", false, false),
            ("com", "*.com", false, false),
        ];
        for (inner, outer, subset, overlaps) in cases {
            assert_eq!((subset_of(inner, outer), overlap(inner, outer)), (subset, overlaps), "{inner} {outer}");
        }
    }

    #[test]
    fn short_names_are_services_of_their_namespace() {
        assert_eq!(full("Reviews", "prod"), "reviews.prod.svc.cluster.local");
        assert_eq!(full("reviews.prod", "other"), "reviews.prod");
        assert_eq!((full("*", "prod"), full("10.0.0.1", "prod")), ("*".to_owned(), "10.0.0.1".to_owned()));
        assert_eq!(gateway("gw", "prod"), "prod/gw");
        assert_eq!(gateway("./gw", "prod"), "prod/gw");
        assert_eq!((gateway("a/gw", "prod"), gateway("mesh", "prod")), ("a/gw".to_owned(), "mesh".to_owned()));
    }

    #[test]
    fn a_service_has_short_names() {
        let host = "reviews.prod.svc.cluster.local";
        assert_eq!(
            alternatives(host, "prod"),
            ["reviews.prod.svc.cluster.local.", "reviews", "reviews.prod.svc", "reviews.prod"]
        );
        assert_eq!(alternatives(host, "x")[1..], ["reviews.prod", "reviews.prod.svc"]);
        assert_eq!(alternatives("a.example.org", "x"), ["a.example.org."]);
    }
}
