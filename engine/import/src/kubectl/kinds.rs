//! Kinds by the names that kubectl takes for them: plural, singular, short.

/// A kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Such as `Deployment`.
    pub(crate) name: String,
    /// Whether its objects lie in namespaces.
    pub(crate) namespaced: bool,
}

/// `Kind: plural, short…`; `!` before a kind without namespaces.
const KINDS: [&str; 62] = [
    "Pod pods po",
    "Service services svc",
    "Deployment deployments deploy",
    "ConfigMap configmaps cm",
    "Secret secrets",
    "!Namespace namespaces ns",
    "!Node nodes no",
    "ServiceAccount serviceaccounts sa",
    "ReplicaSet replicasets rs",
    "StatefulSet statefulsets sts",
    "DaemonSet daemonsets ds",
    "Job jobs",
    "CronJob cronjobs cj",
    "Endpoints endpoints ep",
    "EndpointSlice endpointslices",
    "Event events ev",
    "Ingress ingresses ing",
    "!IngressClass ingressclasses",
    "NetworkPolicy networkpolicies netpol",
    "PersistentVolumeClaim persistentvolumeclaims pvc",
    "!PersistentVolume persistentvolumes pv",
    "!StorageClass storageclasses sc",
    "ReplicationController replicationcontrollers rc",
    "ResourceQuota resourcequotas quota",
    "LimitRange limitranges limits",
    "HorizontalPodAutoscaler horizontalpodautoscalers hpa",
    "PodDisruptionBudget poddisruptionbudgets pdb",
    "Role roles",
    "RoleBinding rolebindings",
    "!ClusterRole clusterroles",
    "!ClusterRoleBinding clusterrolebindings",
    "!CustomResourceDefinition customresourcedefinitions crd crds",
    "!MutatingWebhookConfiguration mutatingwebhookconfigurations",
    "!ValidatingWebhookConfiguration validatingwebhookconfigurations",
    "!PriorityClass priorityclasses pc",
    "Lease leases",
    "ServiceEntry serviceentries se",
    "VirtualService virtualservices vs",
    "DestinationRule destinationrules dr",
    "Gateway gateways gw gtw",
    "Sidecar sidecars",
    "EnvoyFilter envoyfilters",
    "WorkloadEntry workloadentries we",
    "WorkloadGroup workloadgroups wg",
    "ProxyConfig proxyconfigs",
    "PeerAuthentication peerauthentications pa",
    "RequestAuthentication requestauthentications ra",
    "AuthorizationPolicy authorizationpolicies ap",
    "Telemetry telemetries telemetry",
    "WasmPlugin wasmplugins",
    "!GatewayClass gatewayclasses gc",
    "HTTPRoute httproutes",
    "TLSRoute tlsroutes",
    "TCPRoute tcproutes",
    "GRPCRoute grpcroutes",
    "ReferenceGrant referencegrants refgrant",
    "BackendTLSPolicy backendtlspolicies",
    "Certificate certificates cert",
    "Issuer issuers",
    "!ClusterIssuer clusterissuers",
    "IstioOperator istiooperators iop io",
    "Application applications app",
];

/// The kind that a name means. A group behind a dot (`deployments.apps`) is taken off.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    let name = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    KINDS.iter().find_map(|row| {
        let (namespaced, row) = row.strip_prefix('!').map_or((true, *row), |row| (false, row));
        let mut words = row.split(' ');
        let kind = words.next()?;
        (kind.eq_ignore_ascii_case(&name) || words.any(|word| word == name))
            .then(|| Kind { name: kind.to_owned(), namespaced })
    })
}

/// The name that `workload:` has for a kind whose pods a program can run in.
pub(crate) fn workload(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Deployment" => "deploy",
        "StatefulSet" => "sts",
        "DaemonSet" => "ds",
        "ReplicaSet" => "rs",
        "Job" => "job",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_every_form() {
        for name in ["svc", "service", "services", "Service"] {
            assert_eq!(kind(name).expect("known").name, "Service", "{name}");
        }
        assert_eq!(kind("gateways.networking.istio.io").expect("known").name, "Gateway");
        assert!(!kind("ns").expect("known").namespaced);
        assert_eq!(kind("thing"), None);
        assert!(KINDS.iter().all(|row| row.split(' ').count() >= 2));
    }
}
