//! The lab's one node.
//!
//! Invariant: it is always ready and never full.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::rfc3339_seconds;

/// Name of the node.
pub const NODE_NAME: &str = "lab";

/// Address of the node.
pub const NODE_ADDRESS: &str = "172.18.0.2";

/// Labels of the node, which node selectors may name.
const LABELS: [(&str, &str); 5] = [
    ("beta.kubernetes.io/arch", "amd64"),
    ("beta.kubernetes.io/os", "linux"),
    ("kubernetes.io/arch", "amd64"),
    ("kubernetes.io/hostname", NODE_NAME),
    ("kubernetes.io/os", "linux"),
];

/// The Node object.
pub fn node(now: Timestamp) -> Value {
    let now = rfc3339_seconds(now);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": now,
            "reason": reason, "message": message,
        })
    };
    let labels: serde_json::Map<String, Value> =
        LABELS.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let amounts = json!({
        "cpu": "8", "ephemeral-storage": "100Gi", "hugepages-1Gi": "0", "hugepages-2Mi": "0", "memory": "16Gi", "pods": "1000",
    });
    json!({
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": NODE_NAME, "labels": labels},
        "spec": {"podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"], "providerID": "lab://lab"},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "addresses": [{"type": "InternalIP", "address": NODE_ADDRESS}, {"type": "Hostname", "address": NODE_NAME}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "simulated", "osImage": "periplus lab",
                "containerRuntimeVersion": "containerd://2.1.0", "kubeletVersion": "v1.36.2", "kubeProxyVersion": "",
                "operatingSystem": "linux", "architecture": "amd64",
            },
        },
    })
}
