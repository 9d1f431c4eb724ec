//! The flags of the subcommands that an import reads, from kubectl's own definitions.
//!
//! A row is `name`, `name=` where it takes a value, `name?` where a value may only be joined by `=`; a letter before
//! `|` is the short form.

/// Flags of every subcommand.
const GLOBAL: &str = "n|namespace= context= kubeconfig= cluster= user= as= as-group= as-uid= s|server= token= \
    request-timeout= cache-dir= certificate-authority= client-certificate= client-key= tls-server-name= profile= \
    profile-output= v|v= vmodule= username= password= insecure-skip-tls-verify match-server-version \
    warnings-as-errors disable-compression h|help";

/// Flags that choose objects by files.
const FILES: &str = "f|filename= k|kustomize= R|recursive";

/// Flags of printing.
const PRINT: &str = "o|output= template= allow-missing-template-keys show-managed-fields";

/// Flags of the `create` family.
const CREATE: &str = "dry-run? save-config validate? field-manager= edit raw= windows-line-endings l|selector=";

/// The subcommands, longest first, each with the flags of its own.
const SUBCOMMANDS: [(&str, &str); 41] = [
    ("rollout status", "w|watch revision= timeout= l|selector="),
    ("rollout restart", "l|selector= field-manager="),
    ("rollout undo", "to-revision= dry-run? l|selector="),
    ("rollout history", "revision= l|selector="),
    ("rollout pause", "l|selector= field-manager="),
    ("rollout resume", "l|selector= field-manager="),
    ("create namespace", ""),
    ("create ns", ""),
    ("create configmap", "from-literal= from-file= from-env-file= append-hash"),
    ("create cm", "from-literal= from-file= from-env-file= append-hash"),
    ("create secret generic", "from-literal= from-file= from-env-file= append-hash type="),
    ("create secret tls", "cert= key= append-hash"),
    (
        "create secret docker-registry",
        "docker-server= docker-username= docker-password= docker-email= from-file= append-hash",
    ),
    ("create serviceaccount", ""),
    ("create sa", ""),
    ("create deployment", "image= r|replicas= port="),
    ("create deploy", "image= r|replicas= port="),
    ("create", ""),
    (
        "apply",
        "all force force-conflicts server-side grace-period= overwrite openapi-patch prune prune-allowlist= \
        prune-whitelist= timeout= wait cascade? subresource=",
    ),
    ("replace", "force force-conflicts grace-period= timeout= wait cascade? subresource="),
    (
        "delete",
        "all A|all-namespaces force grace-period= ignore-not-found now timeout= wait cascade? \
        field-selector= l|selector= i|interactive raw= dry-run?",
    ),
    ("patch", "p|patch= patch-file= type= local subresource= dry-run? field-manager= record"),
    (
        "label",
        "all A|all-namespaces overwrite list local l|selector= field-selector= resource-version= dry-run? \
        field-manager= record",
    ),
    (
        "annotate",
        "all A|all-namespaces overwrite list local l|selector= field-selector= resource-version= dry-run? \
        field-manager= record",
    ),
    ("exec", "c|container= i|stdin t|tty q|quiet pod-running-timeout="),
    (
        "logs",
        "c|container= f|follow p|previous since= since-time= tail= timestamps all-containers all-pods prefix \
        l|selector= limit-bytes= max-log-requests= ignore-errors pod-running-timeout= \
        insecure-skip-tls-verify-backend",
    ),
    ("log", "c|container= f|follow p|previous since= since-time= tail= timestamps all-containers l|selector="),
    (
        "get",
        "A|all-namespaces w|watch watch-only output-watch-events l|selector= L|label-columns= field-selector= \
        sort-by= show-labels show-kind no-headers ignore-not-found raw= chunk-size= subresource= server-print",
    ),
    ("describe", "A|all-namespaces l|selector= show-events chunk-size="),
    ("wait", "for= timeout= all A|all-namespaces l|selector= field-selector= local"),
    ("scale", "replicas= current-replicas= resource-version= timeout= all l|selector= dry-run?"),
    (
        "run",
        "image= port= env= l|labels= restart= command rm i|stdin t|tty dry-run? expose overrides= \
        override-type= image-pull-policy= annotations= q|quiet attach pod-running-timeout= privileged",
    ),
    ("expose", "port= target-port= type= name= protocol= l|selector= labels= external-ip= dry-run?"),
    ("port-forward", "address= pod-running-timeout="),
    ("auth can-i", "A|all-namespaces q|quiet list no-headers subresource="),
    ("api-resources", "api-group= namespaced? no-headers o|output= verbs= sort-by= cached categories="),
    ("api-versions", ""),
    ("explain", "api-version= recursive"),
    ("cluster-info", ""),
    ("version", "client"),
    ("config", "current minify flatten raw merge? embed-certs? all"),
];

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// A value, also as the next argument.
    Value,
    /// A value only behind `=`.
    Joined,
}

/// The subcommand that words start with.
pub(super) fn subcommand(words: &[&str]) -> Option<&'static str> {
    SUBCOMMANDS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.split(' ').count() <= words.len() && name.split(' ').zip(words).all(|(a, b)| a == *b))
}

/// A flag of a subcommand: its long name, and what it takes.
pub(super) fn flag(subcommand: &str, wanted: &str, short: bool) -> Option<(&'static str, Takes)> {
    let own = SUBCOMMANDS.iter().find(|(name, _)| *name == subcommand).map_or("", |(_, flags)| flags);
    let create =
        if subcommand.starts_with("create") || matches!(subcommand, "apply" | "replace") { CREATE } else { "" };
    [own, create, FILES, PRINT, GLOBAL].iter().flat_map(|list| list.split_whitespace()).find_map(|row| {
        let (letter, rest) = match row.split_once('|') {
            Some((letter, rest)) => (letter, rest),
            None => ("", row),
        };
        let (name, takes) = match (rest.strip_suffix('='), rest.strip_suffix('?')) {
            (Some(name), _) => (name, Takes::Value),
            (_, Some(name)) => (name, Takes::Joined),
            _ => (rest, Takes::Nothing),
        };
        (wanted == if short { letter } else { name } && !wanted.is_empty()).then_some((name, takes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_subcommand_is_taken() {
        assert_eq!(subcommand(&["rollout", "status", "x"]), Some("rollout status"));
        assert_eq!(subcommand(&["create", "ns", "x"]), Some("create ns"));
        assert_eq!(subcommand(&["create"]), Some("create"));
        assert_eq!(subcommand(&["krew"]), None);
    }

    #[test]
    fn flags_are_known_by_both_names() {
        assert_eq!(flag("exec", "c", true), Some(("container", Takes::Value)));
        assert_eq!(flag("exec", "namespace", false), Some(("namespace", Takes::Value)));
        assert_eq!(flag("apply", "dry-run", false), Some(("dry-run", Takes::Joined)));
        assert_eq!(flag("logs", "f", true), Some(("follow", Takes::Nothing)));
        assert_eq!(flag("apply", "f", true), Some(("filename", Takes::Value)));
        assert_eq!(flag("exec", "x", true), None);
    }
}
