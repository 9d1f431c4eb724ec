//! Kinds as people type them, and as kubectl prints them.

/// What is known of a kind without asking a cluster.
struct Known {
    kind: &'static str,
    group: &'static str,
    namespaced: bool,
}

const fn row(kind: &'static str, group: &'static str) -> Known {
    Known { kind, group, namespaced: true }
}

const fn cluster(kind: &'static str, group: &'static str) -> Known {
    Known { kind, group, namespaced: false }
}

const ISTIO: &str = "networking.istio.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// The kinds of Kubernetes and Istio whose name alone leaves no doubt.
const KNOWN: [Known; 51] = [
    row("Pod", ""),
    row("Service", ""),
    row("ConfigMap", ""),
    row("Secret", ""),
    cluster("Namespace", ""),
    cluster("Node", ""),
    row("ServiceAccount", ""),
    row("Event", ""),
    row("Endpoints", ""),
    row("LimitRange", ""),
    row("ResourceQuota", ""),
    row("ReplicationController", ""),
    cluster("PersistentVolume", ""),
    row("PersistentVolumeClaim", ""),
    row("Deployment", "apps"),
    row("ReplicaSet", "apps"),
    row("StatefulSet", "apps"),
    row("DaemonSet", "apps"),
    row("ControllerRevision", "apps"),
    row("Job", "batch"),
    row("CronJob", "batch"),
    row("HorizontalPodAutoscaler", "autoscaling"),
    row("PodDisruptionBudget", "policy"),
    row("Ingress", "networking.k8s.io"),
    cluster("IngressClass", "networking.k8s.io"),
    row("NetworkPolicy", "networking.k8s.io"),
    row("EndpointSlice", "discovery.k8s.io"),
    row("Lease", "coordination.k8s.io"),
    row("Role", RBAC),
    row("RoleBinding", RBAC),
    cluster("ClusterRole", RBAC),
    cluster("ClusterRoleBinding", RBAC),
    cluster("StorageClass", "storage.k8s.io"),
    cluster("PriorityClass", "scheduling.k8s.io"),
    cluster("CustomResourceDefinition", "apiextensions.k8s.io"),
    cluster("APIService", "apiregistration.k8s.io"),
    cluster("MutatingWebhookConfiguration", "admissionregistration.k8s.io"),
    cluster("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"),
    row("ServiceEntry", ISTIO),
    row("VirtualService", ISTIO),
    row("DestinationRule", ISTIO),
    row("Sidecar", ISTIO),
    row("EnvoyFilter", ISTIO),
    row("WorkloadEntry", ISTIO),
    row("WorkloadGroup", ISTIO),
    row("ProxyConfig", ISTIO),
    row("PeerAuthentication", "security.istio.io"),
    row("RequestAuthentication", "security.istio.io"),
    row("AuthorizationPolicy", "security.istio.io"),
    row("Telemetry", "telemetry.istio.io"),
    row("WasmPlugin", "extensions.istio.io"),
];

fn known(kind: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.kind == kind)
}

/// The group of an `apiVersion`; empty for the core group.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The resource as kubectl is told it: lower case, with its group where the kind alone could mean another.
pub(super) fn resource(kind: &str, api_version: Option<&str>) -> String {
    let lower = kind.to_lowercase();
    match (api_version.map(group), known(kind)) {
        (Some(group), Some(known)) if known.group == group => lower,
        (None | Some(""), _) => lower,
        (Some(group), _) => format!("{lower}.{group}"),
    }
}

/// The resource as kubectl prints it before a name, such as `deployment.apps`; `None` where the group is not known.
pub(super) fn printed(kind: &str, api_version: Option<&str>) -> Option<String> {
    let group = match api_version {
        Some(version) => group(version),
        None => known(kind)?.group,
    };
    let lower = kind.to_lowercase();
    Some(if group.is_empty() { lower } else { format!("{lower}.{group}") })
}

/// Whether objects of a kind stand outside all namespaces, as far as that is known.
pub(super) fn is_cluster_wide(kind: &str, api_version: Option<&str>) -> bool {
    known(kind)
        .is_some_and(|known| !known.namespaced && api_version.is_none_or(|version| group(version) == known.group))
}

/// Whether objects of a kind roll out.
pub(super) fn rolls_out(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_where_the_kind_alone_leaves_a_doubt() {
        assert_eq!(resource("ConfigMap", None), "configmap");
        assert_eq!(resource("Deployment", Some("apps/v1")), "deployment");
        assert_eq!(resource("ServiceEntry", Some("networking.istio.io/v1beta1")), "serviceentry");
        assert_eq!(resource("Service", Some("serving.knative.dev/v1")), "service.serving.knative.dev");
        assert_eq!(resource("Gateway", Some("gateway.networking.k8s.io/v1")), "gateway.gateway.networking.k8s.io");
        assert_eq!(resource("Widget", None), "widget");
        assert_eq!(printed("Deployment", None).as_deref(), Some("deployment.apps"));
        assert_eq!(printed("ConfigMap", Some("v1")).as_deref(), Some("configmap"));
        assert_eq!(printed("Widget", None), None);
        assert!(is_cluster_wide("Namespace", Some("v1")) && !is_cluster_wide("Pod", None));
    }
}
