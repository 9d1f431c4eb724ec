//! Requests as they go out, and every kind of refusal as it is classified.

use serde_json::{Value, json};

use super::server::{Seen, cluster, json, text};
use crate::cluster::{
    Access, ApplyOptions, Cluster, ClusterError, DeleteOptions, Deleted, FieldError, FieldOwner, ObjectAddress, Patch,
    Resolved, Selector,
};

fn config_map(name: &str) -> ObjectAddress {
    let resource = Resolved {
        group: String::new(),
        version: "v1".into(),
        kind: "ConfigMap".into(),
        plural: "configmaps".into(),
        namespaced: true,
        verbs: Vec::new(),
    };
    ObjectAddress { resource, namespace: Some("rec".into()), name: name.into() }
}

/// What a GET of a ConfigMap comes to when the server answers so.
async fn refused(code: u16, body: &str) -> ClusterError {
    let body = body.to_owned();
    let (cluster, _) = cluster(move |_| text(code, &body));
    cluster.get(&config_map("a")).await.unwrap_err()
}

fn status(code: u16, reason: &str, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code})
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_apart() {
    let not_found = refused(404, &status(404, "NotFound", "configmaps \"a\" not found")).await;
    assert_eq!(not_found, ClusterError::NotFound("configmaps \"a\" not found".into()));
    assert!(not_found.is_not_found() && !not_found.transient());

    let no_path = refused(404, "404 page not found\n").await;
    assert_eq!(no_path, ClusterError::NotFound("/api/v1/namespaces/rec/configmaps/a is not served".into()));

    let unauthorized = refused(401, &status(401, "Unauthorized", "Unauthorized")).await;
    assert_eq!(
        unauthorized,
        ClusterError::Unauthorized { server: "http://test".into(), message: "Unauthorized".into() }
    );

    let message = "configmaps \"a\" is forbidden: User \"jane\" cannot get resource \"configmaps\" in API group \"\" \
         in the namespace \"rec\"";
    let forbidden = refused(403, &status(403, "Forbidden", message)).await;
    assert_eq!(forbidden.to_string(), "user jane may not get configmaps in namespace rec");
    assert_eq!(
        forbidden.hint().unwrap(),
        "Ask for the permission, then check it with `kubectl auth can-i get configmaps -n rec`."
    );

    let lacking = refused(500, &status(500, "InternalError", "not simulated: field spec.x of ConfigMap")).await;
    assert_eq!(lacking, ClusterError::NotSimulated("field spec.x of ConfigMap".into()));

    assert!(matches!(refused(200, "{nope").await, ClusterError::Malformed { .. }));
}

#[tokio::test(start_paused = true)]
async fn only_what_may_pass_by_itself_is_transient() {
    for (code, reason, message, transient) in [
        (429, "TooManyRequests", "too many requests", true),
        (503, "ServiceUnavailable", "apiserver is shutting down", true),
        (504, "Timeout", "request did not complete", true),
        (500, "InternalError", "etcdserver: leader changed", true),
        (500, "InternalError", "Internal error occurred: boom", false),
        (400, "BadRequest", "no", false),
        (410, "Expired", "too old resource version", false),
    ] {
        assert_eq!(refused(code, &status(code, reason, message)).await.transient(), transient, "{code} {message}");
    }
    assert_eq!(refused(502, "<html>Bad Gateway</html>").await.to_string(), "<html>Bad Gateway</html> (HTTP 502)");
    assert!(refused(502, "<html>Bad Gateway</html>").await.transient());
}

#[tokio::test(start_paused = true)]
async fn conflicts_name_the_owners_and_invalid_objects_their_fields() {
    let body = json!({"kind": "Status", "status": "Failure", "code": 409, "reason": "Conflict",
    "message": "Apply failed with 1 conflict: conflict with \"one\": .data.m",
    "details": {"causes": [
        {"reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".data.m"}
    ]}});
    let conflict = refused(409, &body.to_string()).await;
    let ClusterError::Conflict { owners, .. } = &conflict else { panic!("{conflict:?}") };
    assert_eq!(owners, &[FieldOwner { manager: "one".into(), field: ".data.m".into() }]);
    assert!(!conflict.transient());
    assert!(conflict.hint().unwrap().contains("These fields belong to one"));

    let stale = refused(409, &status(409, "Conflict", "the object has been modified")).await;
    assert!(stale.transient());
    let exists = refused(409, &status(409, "AlreadyExists", "configmaps \"a\" already exists")).await;
    assert_eq!(exists, ClusterError::AlreadyExists("configmaps \"a\" already exists".into()));

    let body = json!({"kind": "Status", "status": "Failure", "code": 422, "reason": "Invalid", "message": "is invalid",
        "details": {"causes": [{"reason": "FieldValueRequired", "message": "Required value", "field": "spec.hosts"}]}});
    let invalid = refused(422, &body.to_string()).await;
    let ClusterError::Invalid { causes, .. } = &invalid else { panic!("{invalid:?}") };
    assert_eq!(causes, &[FieldError { field: "spec.hosts".into(), message: "Required value".into() }]);
    // As the server words an unknown field under apply, and under strict decoding.
    for (code, message) in [
        (500, "failed to create typed patch object (rec/a; /v1, Kind=ConfigMap): .dta: field not declared in schema"),
        (
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dta\"",
        ),
    ] {
        assert!(matches!(refused(code, &status(code, "", message)).await, ClusterError::Invalid { .. }), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_a_timeout_and_a_missing_one_unreachable() {
    let silent = super::server::serve(|_| Box::pin(std::future::pending()));
    let error = silent.get(&config_map("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "get /api/v1/namespaces/rec/configmaps/a: no answer within 30 s");
    assert!(error.transient() && error.perhaps_done());

    let refusing = tower::service_fn(|_: http::Uri| {
        std::future::ready(Err::<super::server::Pipe, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)))
    });
    let missing = Cluster::over(refusing, &http::Uri::from_static("http://test"), "test/1").unwrap();
    let error = missing.get(&config_map("a")).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot reach http://test: connection refused");
    assert!(error.transient());
}

#[tokio::test(start_paused = true)]
async fn writes_say_who_writes_and_hand_on_warnings() {
    let (cluster, log) = cluster(|_| {
        let mut reply = json(200, &json!({"metadata": {"name": "a"}}));
        reply.headers_mut().append("warning", r#"299 - "unknown field \"dta\"""#.parse().unwrap());
        reply.headers_mut().append("warning", r#"299 - "deprecated""#.parse().unwrap());
        reply
    });
    let (at, object) = (config_map("a"), json!({"data": {}}));
    let written = cluster.apply(&at, &object, ApplyOptions { force: true }).await.unwrap();
    assert_eq!(written.warnings, ["unknown field \"dta\"", "deprecated"]);
    cluster.patch(&at, &Patch::Merge(json!({}))).await.unwrap();
    cluster.patch(&at, &Patch::Json(json!([]))).await.unwrap();
    cluster.patch(&at, &Patch::Strategic(json!({}))).await.unwrap();
    cluster.create(&at, &object).await.unwrap();
    cluster.replace(&at, &object).await.unwrap();

    let one = "/api/v1/namespaces/rec/configmaps/a";
    let all = "/api/v1/namespaces/rec/configmaps";
    let expected = [
        ("PATCH", one, "application/apply-patch+yaml", "fieldManager=periplus&force=true&fieldValidation=Strict"),
        ("PATCH", one, "application/merge-patch+json", "fieldManager=periplus&fieldValidation=Strict"),
        ("PATCH", one, "application/json-patch+json", "fieldManager=periplus&fieldValidation=Strict"),
        ("PATCH", one, "application/strategic-merge-patch+json", "fieldManager=periplus&fieldValidation=Strict"),
        ("POST", all, "application/json", "fieldManager=periplus&fieldValidation=Strict"),
        ("PUT", one, "application/json", "fieldManager=periplus"),
    ];
    let seen = log.lock().unwrap();
    let seen: Vec<_> = seen.iter().map(|s| (&*s.method, &*s.path, &*s.content_type, &*s.query)).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_never_writes_for_real() {
    let (cluster, log) = cluster(|_| json(200, &json!({"metadata": {}})));
    let (dry, at, object) = (cluster.dry_run(), config_map("a"), json!({"data": {}}));
    dry.apply(&at, &object, ApplyOptions::default()).await.unwrap();
    dry.create(&at, &object).await.unwrap();
    dry.replace(&at, &object).await.unwrap();
    dry.patch(&at, &Patch::Merge(json!({}))).await.unwrap();
    dry.delete(&at, &DeleteOptions::default()).await.unwrap();
    let seen = log.lock().unwrap();
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|request| request.query("dryRun").as_deref() == Some("All")), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn deletions_carry_their_conditions_and_tell_gone_from_going() {
    let (cluster, log) = cluster(|seen: &Seen| {
        if seen.path.ends_with("/held") {
            json(200, &json!({"metadata": {"name": "held", "deletionTimestamp": "2026-01-01T00:00:00Z"}}))
        } else {
            json(200, &json!({"kind": "Status", "status": "Success", "details": {"name": "a"}}))
        }
    });
    let options = DeleteOptions { uid: Some("7".into()), ..DeleteOptions::default() };
    assert_eq!(cluster.delete(&config_map("a"), &options).await.unwrap(), Deleted::Gone);
    assert!(matches!(cluster.delete(&config_map("held"), &options).await.unwrap(), Deleted::Started(_)));
    let body: Value = serde_json::from_str(&log.lock().unwrap()[0].body).unwrap();
    assert_eq!(
        body,
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "preconditions": {"uid": "7"}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_put_together_from_its_pages() {
    let (cluster, log) = cluster(|seen: &Seen| match seen.query("continue").as_deref() {
        None => json(
            200,
            &json!({"kind": "ConfigMapList", "apiVersion": "v1",
            "metadata": {"resourceVersion": "5", "continue": "more"}, "items": [{"metadata": {"name": "a"}}]}),
        ),
        _ => json(
            200,
            &json!({"kind": "ConfigMapList", "apiVersion": "v1",
            "metadata": {"resourceVersion": "5"}, "items": [{"metadata": {"name": "b"}}]}),
        ),
    });
    let listed = cluster.list(&config_map("").resource, Some("rec"), &Selector::labels("t=1")).await.unwrap();
    assert_eq!(
        listed.items,
        ["a", "b"].map(|name| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}))
    );
    assert_eq!(listed.resource_version, "5");
    let seen = log.lock().unwrap();
    assert!(seen.iter().all(|request| request.query("labelSelector").as_deref() == Some("t=1")));
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_looked_for_once_more_before_it_is_unknown() {
    let (cluster, log) = cluster(|seen: &Seen| {
        let resource = |kind: &str, plural: &str| {
            json!({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind},
                "scope": "Namespaced", "singularResource": "", "verbs": ["get"]})
        };
        let list = |items: Value| json!({"kind": "APIGroupDiscoveryList", "metadata": {}, "items": items});
        json(
            200,
            &match seen.path.as_str() {
                "/api" => list(json!([{"metadata": {}, "versions": [
                {"version": "v1", "resources": [resource("Pod", "pods"), resource("Event", "events")]}]}])),
                _ => list(json!([
                    {"metadata": {"name": "events.k8s.io"}, "versions": [
                        {"version": "v1", "resources": [resource("Event", "events")]}]},
                    {"metadata": {"name": "networking.istio.io"}, "versions": [
                        {"version": "v1", "resources": [resource("ServiceEntry", "serviceentries")]},
                        {"version": "v1beta1", "resources": [resource("ServiceEntry", "serviceentries")]}]},
                ])),
            },
        )
    });
    let found = cluster.resolve(None, "ServiceEntry").await.unwrap();
    assert_eq!(
        (found.api_version().as_str(), found.full_plural().as_str()),
        ("networking.istio.io/v1", "serviceentries.networking.istio.io")
    );
    let found = cluster.resolve(Some("networking.istio.io/v1beta1"), "ServiceEntry").await.unwrap();
    assert_eq!(found.version, "v1beta1");
    assert_eq!(cluster.resolve(None, "Event").await.unwrap().group, "", "the core group comes first");
    assert_eq!(log.lock().unwrap().len(), 2, "one list for all");

    let unknown = cluster.resolve(Some("networking.istio.io/v1alpha3"), "ServiceEntry").await.unwrap_err();
    assert_eq!(unknown.to_string(), "the cluster does not serve kind ServiceEntry in networking.istio.io/v1alpha3");
    assert_eq!(unknown.hint().unwrap(), "Did you mean networking.istio.io/v1/ServiceEntry?");
    assert_eq!(log.lock().unwrap().len(), 4, "and a fresh one for what is not in it");
    let unknown = cluster.resolve(None, "Pods").await.unwrap_err();
    assert_eq!(unknown.hint().unwrap(), "Did you mean v1/Pod?");
    assert!(cluster.resolve(None, "Zebra").await.unwrap_err().hint().unwrap().contains("kubectl api-resources"));
}

#[tokio::test(start_paused = true)]
async fn servers_without_aggregated_discovery_are_asked_group_by_group() {
    let (cluster, _) = cluster(|seen: &Seen| match seen.path.as_str() {
        "/api" => json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/api/v1" => json(
            200,
            &json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
            {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get"]},
            {"name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"]}]}),
        ),
        "/apis" => json(
            200,
            &json!({"kind": "APIGroupList", "groups": [
            {"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1", "version": "v1"}]},
            {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}]}),
        ),
        "/apis/apps/v1" => json(
            200,
            &json!({"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
            {"name": "deployments", "singularName": "", "namespaced": true, "kind": "Deployment", "verbs": ["get"]}]}),
        ),
        _ => text(503, "service unavailable"),
    });
    assert_eq!(cluster.resolve(None, "Deployment").await.unwrap().api_version(), "apps/v1");
    assert_eq!(cluster.resolve(None, "Pod").await.unwrap().plural, "pods");
}

#[tokio::test(start_paused = true)]
async fn identity_leaves_out_what_may_not_be_read() {
    let answer = |allowed: bool| {
        move |seen: &Seen| match seen.path.as_str() {
            "/version" => json(200, &json!({"gitVersion": "v1.36.2"})),
            _ if !allowed => text(403, &status(403, "Forbidden", "no")),
            "/api/v1/namespaces/kube-system" => json(200, &json!({"metadata": {"uid": "u-1"}})),
            _ => json(201, &json!({"status": {"userInfo": {"username": "jane"}}})),
        }
    };
    let identity = cluster(answer(true)).0.identity().await.unwrap();
    assert_eq!((identity.uid.as_deref(), identity.user.as_deref()), (Some("u-1"), Some("jane")));
    assert_eq!((identity.server.as_str(), identity.version.as_str()), ("http://test", "v1.36.2"));
    let identity = cluster(answer(false)).0.identity().await.unwrap();
    assert_eq!((identity.uid, identity.user), (None, None));
}

#[tokio::test(start_paused = true)]
async fn access_is_asked_about_in_full() {
    let (cluster, log) = cluster(|seen: &Seen| {
        let allowed = seen.body.contains("\"verb\":\"get\"");
        json(201, &json!({"status": {"allowed": allowed}}))
    });
    let get = Access { verb: "get".into(), resource: "pods".into(), ..Access::default() };
    assert!(cluster.can(&get).await.unwrap());
    let exec = Access {
        verb: "create".into(),
        resource: "pods".into(),
        subresource: "exec".into(),
        namespace: Some("n".into()),
        name: Some("p".into()),
        ..Access::default()
    };
    assert!(!cluster.can(&exec).await.unwrap());
    let body: Value = serde_json::from_str(&log.lock().unwrap()[1].body).unwrap();
    assert_eq!(
        body["spec"]["resourceAttributes"],
        json!({"verb": "create", "group": "", "resource": "pods", "subresource": "exec", "namespace": "n", "name": "p"})
    );
}
