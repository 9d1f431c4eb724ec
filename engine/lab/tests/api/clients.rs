//! The real kube client against the lab.

use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event};
use kube::{Client, Discovery, ResourceExt};
use serde_json::json;

use crate::support::{Http, NoPods, client, store};

fn kube(http: &Http) -> Client {
    let service =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build(http.connector.clone());
    Client::new(tower::ServiceExt::map_request(service, with_host), "default")
}

/// kube leaves the authority to its own layer; the pipe needs some.
fn with_host(mut request: http::Request<kube::client::Body>) -> http::Request<kube::client::Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = format!("http://lab{path}").parse().expect("a URI");
    request
}

async fn lab() -> Client {
    let store = store();
    let http = client(&store, Arc::new(NoPods));
    let kube = kube(&http);
    let namespace = serde_json::from_value(json!({"metadata": {"name": "n"}})).expect("a namespace");
    Api::<Namespace>::all(kube.clone()).create(&PostParams::default(), &namespace).await.expect("created");
    kube
}

fn config_map(data: &serde_json::Value) -> Patch<serde_json::Value> {
    Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}))
}

#[tokio::test(start_paused = true)]
async fn apply_owns_conflicts_forces_and_drops() {
    let api: Api<ConfigMap> = Api::namespaced(lab().await, "n");
    let one = PatchParams::apply("one");
    api.patch("c", &one, &config_map(&json!({"a": "1", "b": "1"}))).await.expect("applied");
    let refused =
        api.patch("c", &PatchParams::apply("two"), &config_map(&json!({"a": "2"}))).await.expect_err("a conflict");
    let kube::Error::Api(status) = refused else { panic!("{refused:?}") };
    assert_eq!(
        (status.code, status.message.as_str()),
        (409, "Apply failed with 1 conflict: conflict with \"one\": .data.a")
    );
    api.patch("c", &PatchParams::apply("two").force(), &config_map(&json!({"a": "2"}))).await.expect("forced");
    let dropped = api.patch("c", &one, &config_map(&json!({}))).await.expect("applied");
    let data: Vec<_> = dropped.data.into_iter().flatten().collect();
    assert_eq!(data, [("a".to_owned(), "2".to_owned())], "b went with its owner, a stays with two");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_field_under_apply_is_a_500() {
    let api: Api<Deployment> = Api::namespaced(lab().await, "n");
    let patch = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"nope": 1}});
    let refused = api.patch("d", &PatchParams::apply("one"), &Patch::Apply(patch)).await.expect_err("refused");
    let kube::Error::Api(status) = refused else { panic!("{refused:?}") };
    assert_eq!(status.code, 500);
    assert_eq!(
        status.message,
        "failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.nope: field not declared in schema"
    );
}

#[tokio::test(start_paused = true)]
async fn discovery_finds_built_in_and_custom_kinds() {
    let client = lab().await;
    for discovery in [Discovery::new(client.clone()).run_aggregated().await, Discovery::new(client.clone()).run().await]
    {
        let discovery = discovery.expect("discovered");
        for (group, version, kind) in
            [("", "v1", "Pod"), ("apps", "v1", "Deployment"), ("networking.istio.io", "v1beta1", "ServiceEntry")]
        {
            let gvk = kube::api::GroupVersionKind::gvk(group, version, kind);
            assert!(discovery.resolve_gvk(&gvk).is_some(), "{gvk:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_custom_object_is_served_in_every_version() {
    let client = lab().await;
    let resource = |version: &str| kube::api::ApiResource {
        group: "networking.istio.io".into(),
        version: version.into(),
        api_version: format!("networking.istio.io/{version}"),
        kind: "ServiceEntry".into(),
        plural: "serviceentries".into(),
    };
    let beta: Api<DynamicObject> = Api::namespaced_with(client.clone(), "n", &resource("v1beta1"));
    let entry = json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry", "metadata": {"name": "proxy"},
        "spec": {"hosts": ["p.example"], "ports": [{"number": 3128, "name": "tcp", "protocol": "TCP"}], "resolution": "NONE"},
    });
    beta.patch("proxy", &PatchParams::apply("periplus"), &Patch::Apply(entry)).await.expect("applied");
    let stable: Api<DynamicObject> = Api::namespaced_with(client, "n", &resource("v1"));
    let found = stable.get("proxy").await.expect("there");
    assert_eq!(found.types.as_ref().map(|types| types.api_version.as_str()), Some("networking.istio.io/v1"));
    assert_eq!(found.data["spec"]["ports"][0]["number"], 3128);
    stable.delete("proxy", &DeleteParams::default()).await.expect("deleted");
    assert_eq!(beta.list(&ListParams::default()).await.expect("listed").items.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_what_happens() {
    let api: Api<ConfigMap> = Api::namespaced(lab().await, "n");
    api.patch("c", &PatchParams::apply("one"), &config_map(&json!({"a": "1"}))).await.expect("applied");
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let mut events = pin!(watcher::watcher(api.clone(), config));
        let mut seen = Vec::new();
        while let Some(event) = events.try_next().await.expect("no error") {
            match event {
                Event::Init => seen.push("init".to_owned()),
                Event::InitApply(object) => seen.push(format!("there {}", object.name_any())),
                Event::InitDone => {
                    seen.push("done".to_owned());
                    api.patch("c", &PatchParams::apply("one"), &config_map(&json!({"a": "2"}))).await.expect("applied");
                }
                Event::Apply(object) => {
                    seen.push(format!("changed {}", object.name_any()));
                    let back = config_map(&json!({"a": "1"}));
                    api.patch("c", &PatchParams::apply("one"), &back).await.expect("applied");
                    break;
                }
                Event::Delete(object) => seen.push(format!("gone {}", object.name_any())),
            }
        }
        assert_eq!(seen, ["init", "there c", "done", "changed c"]);
    }
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_table_carry_what_the_client_asks_for() {
    let store = store();
    let http = client(&store, Arc::new(NoPods));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}).to_string();
    http.send("POST", "/api/v1/namespaces", &[], namespace).await;
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let mut seen = Vec::new();
    for include in ["", "?includeObject=Metadata", "?includeObject=Object", "?includeObject=None"] {
        let answer = http.send("GET", &format!("/api/v1/namespaces/n{include}"), &table, "").await.json();
        let object = &answer["rows"][0]["object"];
        seen.push((object["kind"].as_str().map(str::to_owned), object["spec"].is_object()));
    }
    let kind = |kind: &str, whole| (Some(kind.to_owned()), whole);
    let metadata = kind("PartialObjectMetadata", false);
    assert_eq!(seen, [metadata.clone(), metadata, kind("Namespace", true), (None, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_json_patch_that_does_not_fit_is_refused_without_a_reason() {
    let api: Api<ConfigMap> = Api::namespaced(lab().await, "n");
    api.patch("c", &PatchParams::apply("one"), &config_map(&json!({"a": "1"}))).await.expect("applied");
    let test = json!([{"op": "test", "path": "/data/a", "value": "2"}]);
    let patch = Patch::<ConfigMap>::Json(serde_json::from_value(test).expect("a patch"));
    let refused = api.patch("c", &PatchParams::default(), &patch).await.expect_err("refused");
    let kube::Error::Api(status) = refused else { panic!("{refused:?}") };
    assert_eq!(status.code, 422);
    assert_eq!(status.message, "the server rejected our request due to an error in our request");
    assert_eq!(status.details.expect("details").kind, "");
}

#[tokio::test(start_paused = true)]
async fn the_old_document_is_there_in_json_and_in_protobuf_about_nothing() {
    let store = store();
    let http = client(&store, Arc::new(NoPods));
    let form = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    let answer = http.send("GET", "/openapi/v2?timeout=32s", &[("accept", form)], "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    let answer = http.send("GET", "/openapi/v2", &[("accept", "application/json")], "").await;
    let document = answer.json();
    assert_eq!(document["swagger"], "2.0");
    let spec = &document["definitions"]["io.k8s.api.core.v1.Pod"]["properties"]["spec"];
    assert_eq!(spec["$ref"], "#/definitions/io.k8s.api.core.v1.PodSpec");
    let tag = answer.headers["etag"].to_str().expect("text");
    let known = [("accept", "application/json"), ("if-none-match", tag)];
    assert_eq!(http.send("GET", "/openapi/v2", &known, "").await.status, 304);
    assert_eq!(http.send("GET", "/openapi/v2", &[("accept", "text/plain")], "").await.status, 406);
}

#[tokio::test(start_paused = true)]
async fn documents_are_named_by_what_they_describe() {
    let store = store();
    let http = client(&store, Arc::new(NoPods));
    let url = async || {
        let index = http.send("GET", "/openapi/v3", &[], "").await.json();
        index["paths"]["apis/networking.istio.io/v1"]["serverRelativeURL"].as_str().expect("a URL").to_owned()
    };
    let first = url().await;
    assert_eq!(first, url().await);
    let answer = http.send("GET", &first, &[], "").await;
    assert_eq!(answer.headers["cache-control"], "public, immutable");
    let tag = answer.headers["etag"].to_str().expect("text").trim_matches('"').to_owned();
    assert!(first.ends_with(&format!("?hash={tag}")), "{first} {tag}");
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io";
    http.send("DELETE", crd, &[], "").await;
    assert_ne!(first, url().await);
    assert_eq!(http.send("GET", "/openapi/v3/apis/nope/v1", &[], "").await.status, 404);
}
