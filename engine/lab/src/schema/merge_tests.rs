//! The merge engine: server-side apply over real schemas, and strategic merge patch.

use serde_json::{Value, json};

use super::{ApplyRequest, Catalog, Decoded, Ownership, Resource, apply, show, strategic_merge, track_update};
use crate::status::Status;

fn owner<'a>(manager: &'a str, now: &'a str) -> Ownership<'a> {
    Ownership { manager, api_version: "apps/v1", subresource: "", now, without_status: true }
}

fn deployments() -> std::sync::Arc<Resource> {
    Catalog::default().find("apps", "v1", "deployments").expect("built in")
}

fn deployment(containers: &Value) -> Value {
    json!({"metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": containers}}}})
}

fn containers(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"]
}

/// Applies `configs` one after the other, each by its manager.
fn applied(configs: &[(&str, &Value, bool)]) -> Result<Value, Status> {
    let resource = deployments();
    let mut live = json!({});
    for (index, (manager, config, force)) in configs.iter().enumerate() {
        let request = ApplyRequest { owner: owner(manager, "2026-01-01T00:00:00Z"), force: *force };
        live = apply(resource.node(), &live, index > 0, config, &request)?;
    }
    Ok(live)
}

#[test]
fn list_items_merge_by_key_and_keep_their_other_owners() {
    let one = deployment(&json!([{"name": "a", "image": "a:1", "ports": [{"containerPort": 80, "name": "web"}]}]));
    let two = deployment(&json!([
        {"name": "b", "image": "b:1"},
        {"name": "a", "ports": [{"containerPort": 80, "protocol": "UDP"}]},
    ]));
    let merged = applied(&[("one", &one, false), ("two", &two, false)]).expect("no conflict");
    let wanted = json!([
        {"name": "b", "image": "b:1"},
        {"name": "a", "image": "a:1", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 80, "protocol": "UDP"}]},
    ]);
    assert_eq!(containers(&merged), &wanted, "a port without a protocol is keyed as TCP");
    // Each takes away only what is its own.
    let less = applied(&[("one", &one, false), ("two", &two, false), ("one", &deployment(&json!([])), false)]);
    let wanted = json!([
        {"name": "b", "image": "b:1"},
        {"name": "a", "ports": [{"containerPort": 80, "protocol": "UDP"}]},
    ]);
    assert_eq!(containers(&less.expect("no conflict")), &wanted);
}

#[test]
fn a_conflict_names_field_and_owner_and_force_takes_it() {
    let (first, second) =
        (deployment(&json!([{"name": "a", "image": "1"}])), deployment(&json!([{"name": "a", "image": "2"}])));
    let refused = applied(&[("one", &first, false), ("two", &second, false)]).expect_err("a conflict");
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"one\": .spec.template.spec.containers[name=\"a\"].image"
    );
    let mut forced = applied(&[("one", &first, false), ("two", &second, true)]).expect("forced");
    show(&mut forced);
    let owners: Vec<&Value> = forced["metadata"]["managedFields"].as_array().expect("booked").iter().collect();
    let image = "/fieldsV1/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"a\"}/f:image";
    assert_eq!(owners.iter().map(|entry| entry.pointer(image).is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn the_same_value_is_shared_and_an_update_owns_what_it_changes() {
    let config = deployment(&json!([{"name": "a", "image": "1"}]));
    let shared = applied(&[("one", &config, false), ("two", &config, false)]).expect("no conflict");
    assert_eq!(shared["metadata"]["managedFields"].as_array().map(Vec::len), Some(2));
    let mut updated = shared.clone();
    updated["spec"]["template"]["spec"]["containers"][0]["image"] = "9".into();
    track_update(deployments().node(), &shared, &mut updated, &owner("kubectl-edit", "2026-01-01T00:00:05Z"));
    let request = ApplyRequest { owner: owner("one", "2026-01-01T00:00:09Z"), force: false };
    let refused = apply(deployments().node(), &updated, true, &config, &request).expect_err("a conflict");
    assert!(refused.message.contains("conflict with \"kubectl-edit\" using apps/v1: "), "{}", refused.message);
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let config = deployment(&json!([{"name": "a", "image": "1"}]));
    let once = applied(&[("one", &config, false)]).expect("applied");
    let request = ApplyRequest { owner: owner("one", "2027-01-01T00:00:00Z"), force: false };
    assert_eq!(apply(deployments().node(), &once, true, &config, &request).expect("applied"), once);
}

#[test]
fn atomic_maps_have_one_owner_and_are_replaced() {
    let selector = |app: &str| json!({"spec": {"selector": {"matchLabels": {app: "1"}}}});
    let (first, second) = (selector("a"), selector("b"));
    let refused = applied(&[("one", &first, false), ("two", &second, false)]).expect_err("a conflict");
    assert!(refused.message.ends_with(": .spec.selector"), "{}", refused.message);
    let forced = applied(&[("one", &first, false), ("two", &second, true)]).expect("forced");
    assert_eq!(forced["spec"]["selector"], second["spec"]["selector"]);
}

fn patched(object: &Value, patch: &Value) -> Value {
    let mut out = object.clone();
    strategic_merge(deployments().node(), &mut out, patch).expect("a good patch");
    out
}

#[test]
fn strategic_patches_merge_lists_by_key_and_obey_directives() {
    let object = deployment(&json!([{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]));
    let image = patched(&object, &deployment(&json!([{"name": "b", "image": "2"}, {"name": "c"}])));
    assert_eq!(
        containers(&image),
        &json!([{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "2"}, {"name": "c"}])
    );
    let gone = patched(&object, &deployment(&json!([{"name": "a", "$patch": "delete"}])));
    assert_eq!(containers(&gone), &json!([{"name": "b", "image": "1"}]));
    let replaced = patched(&object, &deployment(&json!([{"$patch": "replace"}, {"name": "z"}])));
    assert_eq!(containers(&replaced), &json!([{"name": "z"}]));
    let atomic = patched(&object, &deployment(&json!([{"name": "a", "args": ["y"]}])));
    assert_eq!(containers(&atomic)[0]["args"], json!(["y"]));
    let null = patched(&object, &deployment(&json!([{"name": "a", "image": null}])));
    assert_eq!(containers(&null)[0], json!({"name": "a", "args": ["x"]}));
    let order =
        json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}}});
    assert_eq!(containers(&patched(&object, &order))[0]["name"], "b");
    let strategy = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let recreate = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(patched(&strategy, &recreate)["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[test]
fn a_bad_strategic_patch_is_refused() {
    let cases =
        [(json!([]), 400), (json!({"$patch": "dance"}), 500), (deployment(&json!([{"image": "no name"}])), 500)];
    for (patch, code) in cases {
        let refused = strategic_merge(deployments().node(), &mut deployment(&json!([])), &patch).expect_err("refused");
        assert_eq!(refused.code, code, "{patch}");
    }
}

#[test]
fn decoding_drops_what_go_omits_and_names_what_is_unknown() {
    let resource = deployments();
    let node = resource.node().expect("a schema");
    let mut object = deployment(&json!([{"name": "a", "env": [], "tty": false, "command": null, "nope": 1}]));
    let decoded = Decoded::builtin(node, &mut object);
    assert_eq!(decoded.unknown, ["spec.template.spec.containers[0].nope"]);
    assert_eq!(containers(&object), &json!([{"name": "a", "resources": {}}]));
    let again = object.clone();
    assert_eq!(Decoded::builtin(node, &mut object), Decoded::default());
    assert_eq!(object, again);
    let mut wrong = json!({"spec": {"replicas": "3"}});
    let problem = Decoded::builtin(node, &mut wrong).mistyped;
    let wanted = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
    assert_eq!(problem.as_deref(), Some(wanted));
}
