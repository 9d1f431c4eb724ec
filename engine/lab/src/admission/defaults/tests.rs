//! Defaults against recordings of a 1.36 API server.

use serde_json::json;

use super::*;

fn filled(resource: &GroupResource, mut object: Value) -> Value {
    fill(resource, &mut object);
    let once = object.clone();
    fill(resource, &mut object);
    assert_eq!(object, once, "filling in twice changes nothing");
    object
}

#[test]
fn a_deployment_is_as_recorded() {
    let given = json!({"spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
    }});
    let recorded = json!({"spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {
            "containers": [{
                "name": "c", "image": "x", "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": "Always",
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "securityContext": {}, "schedulerName": "default-scheduler",
        }},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }});
    assert_eq!(filled(&GroupResource::DEPLOYMENTS, given), recorded);
}

#[test]
fn a_service_is_as_recorded_but_for_its_address() {
    let given = json!({"spec": {"selector": {"app": "web"}, "ports": [{"name": "a", "port": 80}]}});
    let recorded = json!({"spec": {
        "selector": {"app": "web"},
        "ports": [{"name": "a", "port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    }});
    assert_eq!(filled(&GroupResource::SERVICES, given), recorded);
}

#[test]
fn a_pod_gets_more_than_a_template() {
    let pod = filled(
        &GroupResource::PODS,
        json!({"spec": {
            "serviceAccountName": "sleep",
            "containers": [{
                "name": "c", "image": "repo:5000/curl:8", "resources": {"limits": {"cpu": "1"}},
                "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": 80}},
            }],
            "volumes": [{"name": "v", "configMap": {"name": "c"}}, {"name": "w", "secret": {"defaultMode": 256}}],
        }}),
    );
    let spec = &pod["spec"];
    assert_eq!((&spec["serviceAccount"], &spec["enableServiceLinks"]), (&json!("sleep"), &json!(true)));
    let container = &spec["containers"][0];
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["resources"]["requests"], json!({"cpu": "1"}));
    assert_eq!(container["ports"][0]["protocol"], "TCP");
    assert_eq!(container["readinessProbe"]["periodSeconds"], 10);
    assert_eq!(container["readinessProbe"]["httpGet"]["scheme"], "HTTP");
    assert_eq!(
        (&spec["volumes"][0]["configMap"]["defaultMode"], &spec["volumes"][1]["secret"]["defaultMode"]),
        (&json!(420), &json!(256))
    );
}

#[test]
fn plain_text_of_a_secret_becomes_data() {
    let secret = filled(&GroupResource::SECRETS, json!({"stringData": {"a": "b"}}));
    assert_eq!(secret, json!({"data": {"a": "Yg=="}, "type": "Opaque"}));
}
