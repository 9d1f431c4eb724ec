//! Who may do what: decisions and refusals as a kube-apiserver v1.36.2 gave them.

use std::sync::Arc;

use periplus_lab::access::{Access, User};
use periplus_lab::api::Api;
use periplus_lab::serve::Connector;
use periplus_lab::store::Store;
use serde_json::{Value, json};

use crate::support::{Answer, Http, NoPods, store};

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1";
const JSON: (&str, &str) = ("content-type", "application/json");

/// A cluster with the namespace `n`, the service account `n/bot` and what its admin creates.
struct Cluster {
    http: Http,
    connector: Connector,
}

impl Cluster {
    async fn new() -> Self {
        let store: Store = store();
        let access = Arc::new(Access::new(store.clone(), b"a key"));
        tokio::spawn(Arc::clone(&access).run());
        let connector = Connector::new(Api::new(store, Arc::new(NoPods), access));
        let cluster = Self { http: Http::new(connector.clone()), connector };
        cluster.create("/api/v1/namespaces", &json!({"metadata": {"name": "n"}})).await;
        cluster.create("/api/v1/namespaces/n/serviceaccounts", &json!({"metadata": {"name": "bot"}})).await;
        cluster
    }

    async fn create(&self, path: &str, object: &Value) -> Value {
        let answer = self.http.send("POST", path, &[JSON], object.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        answer.json()
    }

    async fn role(&self, path: &str, name: &str, rules: Value) {
        self.create(&format!("{ROLES}{path}"), &json!({"metadata": {"name": name}, "rules": rules})).await;
    }

    async fn bind(&self, path: &str, name: &str, role: (&str, &str), subject: Value) {
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1});
        let binding = json!({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]});
        self.create(&format!("{ROLES}{path}"), &binding).await;
    }

    /// A request with a user to act as and, if that is no service account, one group.
    async fn as_user(&self, user: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.send(method, path, &[JSON, ("impersonate-user", user)], body).await
    }

    async fn refusal(&self, user: &str, method: &str, path: &str, body: &Value) -> String {
        let answer = self.as_user(user, method, path, body).await;
        assert_eq!(answer.status, 403, "{}", answer.json());
        answer.json()["message"].as_str().expect("a message").to_owned()
    }
}

const BOT: &str = "system:serviceaccount:n:bot";

#[tokio::test(start_paused = true)]
async fn refusals_name_who_what_and_where() {
    let cluster = Cluster::new().await;
    let anonymous = Http::new(cluster.connector.clone().for_user(User::anonymous()));
    for (method, path, message, details) in [
        ("GET", "/", "forbidden: User \"system:anonymous\" cannot get path \"/\"", json!({})),
        (
            "GET",
            "/api/v1/pods",
            "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope",
            json!({"kind": "pods"}),
        ),
        (
            "GET",
            "/api/v1/namespaces/acc/pods/a?watch=1",
            "pods \"a\" is forbidden: User \"system:anonymous\" cannot get resource \"pods\" in API group \"\" in the namespace \"acc\"",
            json!({"name": "a", "kind": "pods"}),
        ),
        (
            "POST",
            "/api/v1/namespaces/acc/pods/a/exec",
            "pods \"a\" is forbidden: User \"system:anonymous\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"acc\"",
            json!({"name": "a", "kind": "pods"}),
        ),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/acc/deployments",
            "deployments.apps is forbidden: User \"system:anonymous\" cannot deletecollection resource \"deployments\" in API group \"apps\" in the namespace \"acc\"",
            json!({"group": "apps", "kind": "deployments"}),
        ),
        (
            "GET",
            "/apis/nope.io/v1/foos/x",
            "foos.nope.io \"x\" is forbidden: User \"system:anonymous\" cannot get resource \"foos\" in API group \"nope.io\" at the cluster scope",
            json!({"name": "x", "group": "nope.io", "kind": "foos"}),
        ),
    ] {
        let answer = anonymous.send(method, path, &[], "").await;
        let wanted = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": "Forbidden", "details": details, "code": 403,
        });
        assert_eq!(answer.json(), wanted);
    }
    for open in ["/healthz", "/livez", "/readyz", "/version"] {
        assert_eq!(anonymous.send("GET", open, &[], "").await.status, 200, "{open}");
    }
    // A credential that does not count is worse than none.
    let wrong = anonymous.send("GET", "/version", &[("authorization", "Bearer bad")], "").await;
    assert_eq!((wrong.status.as_u16(), wrong.json()["message"].clone()), (401, "Unauthorized".into()));
}

#[tokio::test(start_paused = true)]
async fn a_binding_gives_what_its_role_says() {
    let cluster = Cluster::new().await;
    cluster
        .role("/namespaces/n/roles", "reader", json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]))
        .await;
    let bot = json!({"kind": "ServiceAccount", "name": "bot", "namespace": "n"});
    cluster.bind("/namespaces/n/rolebindings", "reader", ("Role", "reader"), bot).await;
    cluster
        .bind("/namespaces/n/rolebindings", "view", ("ClusterRole", "view"), json!({"kind": "User", "name": "jane"}))
        .await;
    cluster
        .bind("/clusterrolebindings", "lost", ("ClusterRole", "nope"), json!({"kind": "User", "name": "lost"}))
        .await;
    let status = async |user: &str, path: &str| cluster.as_user(user, "GET", path, &Value::Null).await.status.as_u16();
    assert_eq!(status(BOT, "/api/v1/namespaces/n/pods").await, 200);
    assert_eq!(status(BOT, "/api/v1/namespaces/other/pods").await, 403);
    assert_eq!(status(BOT, "/api/v1/pods").await, 403);
    assert_eq!(status("jane", "/api/v1/namespaces/n/configmaps").await, 200);
    assert_eq!(status("jane", "/api/v1/namespaces/n/secrets").await, 403);
    assert_eq!(status("jane", "/apis/apps/v1/namespaces/n/deployments").await, 200);
    assert_eq!(
        cluster.refusal("lost", "GET", "/api/v1/nodes", &Value::Null).await,
        "nodes is forbidden: User \"lost\" cannot list resource \"nodes\" in API group \"\" at the cluster scope: RBAC: \
         clusterrole.rbac.authorization.k8s.io \"nope\" not found"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_hands_out_what_they_do_not_have() {
    let cluster = Cluster::new().await;
    cluster
        .bind("/namespaces/n/rolebindings", "admin", ("ClusterRole", "admin"), json!({"kind": "User", "name": "ann"}))
        .await;
    let role = |name: &str, resource: &str| json!({"metadata": {"name": name}, "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["get"]}]});
    let roles = format!("{ROLES}/namespaces/n/roles");
    let created = cluster.as_user("ann", "POST", &roles, &role("r", "pods")).await;
    assert_eq!(created.status, 201, "{}", created.json());
    assert_eq!(
        cluster.refusal("ann", "POST", &roles, &role("s", "nodes")).await,
        "roles.rbac.authorization.k8s.io \"s\" is forbidden: user \"ann\" (groups=[\"system:authenticated\"]) is attempting to \
         grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\"]}"
    );
    for (method, more) in [("PUT", role("r", "nodes")), ("PATCH", json!({"rules": role("r", "nodes")["rules"]}))] {
        let headers = [
            ("impersonate-user", "ann"),
            ("content-type", if method == "PUT" { JSON.1 } else { "application/merge-patch+json" }),
        ];
        let refused = cluster.http.send(method, &format!("{roles}/r"), &headers, more.to_string()).await;
        assert_eq!(refused.status, 403, "{method}: {}", refused.json());
    }
    let bindings = format!("{ROLES}/namespaces/n/rolebindings");
    let binding = |kind: &str, name: &str| json!({"metadata": {"name": "b"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}});
    assert_eq!(
        cluster.refusal("ann", "POST", &bindings, &binding("ClusterRole", "cluster-admin")).await,
        "rolebindings.rbac.authorization.k8s.io \"b\" is forbidden: user \"ann\" (groups=[\"system:authenticated\"]) is \
         attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n\
         {NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"
    );
    let lost = cluster.as_user("ann", "POST", &bindings, &binding("Role", "nope")).await;
    assert_eq!(lost.json()["message"], "rolebindings.rbac.authorization.k8s.io \"nope\" not found");
    assert_eq!(cluster.as_user("ann", "POST", &bindings, &binding("Role", "r")).await.status, 201);
    let patch = json!([{"op": "add", "path": "/metadata/finalizers", "value": ["x.io/y"]}]).to_string();
    let headers = [("impersonate-user", "ann"), ("content-type", "application/json-patch+json")];
    let kept = cluster.http.send("PATCH", &format!("{roles}/r"), &headers, patch).await;
    assert_eq!(kept.status, 200, "{}", kept.json());
}

#[tokio::test(start_paused = true)]
async fn acting_as_somebody_is_a_right_of_its_own() {
    let cluster = Cluster::new().await;
    cluster
        .bind("/namespaces/n/rolebindings", "view", ("ClusterRole", "view"), json!({"kind": "User", "name": "jane"}))
        .await;
    let pods = "/api/v1/namespaces/n/pods";
    let ben = Http::new(cluster.connector.clone().for_user(User::new("ben", [])));
    let as_jane = [("impersonate-user", "jane")];
    let refused = ben.send("GET", pods, &as_jane, "").await.json();
    assert_eq!(
        refused["message"],
        "pods is forbidden: User \"ben\" cannot impersonate-on:user-info:list resource \"pods\" in API group \"\" in the namespace \"n\""
    );
    // Kubernetes' old way: the verb `impersonate` for everything.
    cluster
        .role(
            "/clusterroles",
            "old",
            json!([{"apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"], "verbs": ["impersonate"]}]),
        )
        .await;
    cluster.bind("/clusterrolebindings", "old", ("ClusterRole", "old"), json!({"kind": "User", "name": "ben"})).await;
    assert_eq!(ben.send("GET", pods, &as_jane, "").await.status, 200);
    assert_eq!(ben.send("GET", "/api/v1/nodes", &as_jane, "").await.status, 403);
    // The constrained way: for lists of pods alone.
    let eve = Http::new(cluster.connector.clone().for_user(User::new("eve", [])));
    let rules = json!([
        {"apiGroups": ["authentication.k8s.io"], "resources": ["users"], "verbs": ["impersonate:user-info"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["impersonate-on:user-info:list"]},
    ]);
    cluster.role("/clusterroles", "new", rules).await;
    cluster.bind("/clusterrolebindings", "new", ("ClusterRole", "new"), json!({"kind": "User", "name": "eve"})).await;
    assert_eq!(eve.send("GET", pods, &as_jane, "").await.status, 200);
    assert_eq!(eve.send("GET", &format!("{pods}/x"), &as_jane, "").await.status, 403);
    let review = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}).to_string();
    let headers = [JSON, ("impersonate-user", BOT)];
    let answer =
        cluster.http.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", &headers, review).await.json();
    let groups = json!(["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"]);
    assert_eq!(answer["status"]["userInfo"], json!({"username": BOT, "groups": groups}));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_service_accounts_open_the_door_while_they_count() {
    let cluster = Cluster::new().await;
    let nobody = Http::new(cluster.connector.clone().for_user(User::anonymous()));
    let who = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let review = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}).to_string();
        let headers = [JSON, ("authorization", bearer.as_str())];
        let answer = nobody.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", &headers, review).await;
        (
            answer.status.as_u16(),
            answer.json()["status"]["userInfo"]["username"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let path = "/api/v1/namespaces/n/serviceaccounts/bot/token";
    let request = |spec: Value| json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec});
    let answer = cluster.create(path, &request(json!({"expirationSeconds": 600}))).await;
    assert_eq!(answer["spec"]["audiences"], json!(["https://kubernetes.default.svc.cluster.local"]));
    assert_eq!(answer["status"]["expirationTimestamp"], "2026-01-01T00:10:00Z");
    let token = answer["status"]["token"].as_str().expect("a token").to_owned();
    assert_eq!(who(&token).await, (200 + 1, BOT.to_owned()));
    assert_eq!(who(&format!("{token}x")).await.0, 401);
    let vault = cluster.create(path, &request(json!({"audiences": ["vault"]}))).await;
    let vault = vault["status"]["token"].as_str().expect("a token").to_owned();
    assert_eq!(who(&vault).await.0, 401);
    let review = async |spec: Value| {
        let review = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": spec});
        cluster.create("/apis/authentication.k8s.io/v1/tokenreviews", &review).await["status"].clone()
    };
    assert_eq!(review(json!({"token": vault, "audiences": ["vault", "x"]})).await["audiences"], json!(["vault"]));
    assert_eq!(
        review(json!({"token": token, "audiences": ["x"]})).await["error"],
        "[invalid bearer token, token audiences [\"https://kubernetes.default.svc.cluster.local\"] is invalid for the target \
         audiences [\"x\"]]"
    );
    assert_eq!(review(json!({"token": "bad"})).await, json!({"user": {}, "error": "invalid bearer token"}));
    let short =
        cluster.http.send("POST", path, &[JSON], request(json!({"expirationSeconds": 60})).to_string()).await.json();
    assert_eq!(
        short["message"],
        "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a \
         duration less than 10 minutes"
    );
    tokio::time::sleep(std::time::Duration::from_secs(601)).await;
    assert_eq!(who(&token).await.0, 401);
    // The token in a secret never expires, and goes with the secret.
    let annotations = json!({"kubernetes.io/service-account.name": "bot"});
    let secret =
        json!({"metadata": {"name": "t", "annotations": annotations}, "type": "kubernetes.io/service-account-token"});
    cluster.create("/api/v1/namespaces/n/secrets", &secret).await;
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    let filled = cluster.http.send("GET", "/api/v1/namespaces/n/secrets/t", &[], "").await.json();
    let legacy = filled["data"]["token"].as_str().expect("a token");
    let legacy = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, legacy).expect("base64");
    let legacy = String::from_utf8(legacy).expect("text");
    assert_eq!(who(&legacy).await, (201, BOT.to_owned()));
    cluster.http.send("DELETE", "/api/v1/namespaces/n/secrets/t", &[], "").await;
    assert_eq!(who(&legacy).await.0, 401);
}

#[tokio::test(start_paused = true)]
async fn reviews_answer_as_recorded() {
    let cluster = Cluster::new().await;
    let path = "/apis/authorization.k8s.io/v1";
    let review = async |user: &str, path: &str, kind: &str, spec: Value| {
        let body = json!({"kind": kind, "apiVersion": "authorization.k8s.io/v1", "spec": spec});
        let answer = if user.is_empty() {
            cluster.http.send("POST", path, &[JSON], body.to_string()).await
        } else {
            cluster.as_user(user, "POST", path, &body).await
        };
        let json = answer.json();
        if answer.status == 201 { json["status"].clone() } else { json["message"].clone() }
    };
    let own = format!("{path}/selfsubjectaccessreviews");
    let kind = "SelfSubjectAccessReview";
    let pods = json!({"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "n"}});
    let api = json!({"nonResourceAttributes": {"verb": "get", "path": "/api"}});
    assert_eq!(review("", &own, kind, pods.clone()).await, json!({"allowed": true}));
    assert_eq!(review("jane", &own, kind, pods.clone()).await, json!({"allowed": false}));
    assert_eq!(
        review("jane", &own, kind, api).await,
        json!({
            "allowed": true,
            "reason": "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\"",
        })
    );
    assert_eq!(
        review("", &own, kind, json!({})).await,
        ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of \
         nonResourceAttributes or resourceAttributes must be specified"
    );
    let others = format!("{path}/subjectaccessreviews");
    assert_eq!(
        review("", &others, "SubjectAccessReview", pods.clone()).await,
        ".authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user or group must be specified"
    );
    let masters = json!({"groups": ["system:masters"], "resourceAttributes": pods["resourceAttributes"]});
    assert_eq!(review("", &others, "SubjectAccessReview", masters).await, json!({"allowed": true}));
    let local = format!("{path}/namespaces/n/localsubjectaccessreviews");
    let elsewhere =
        json!({"user": "jane", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "other"}});
    assert_eq!(
        review("", &local, "LocalSubjectAccessReview", elsewhere).await,
        ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"other\": must match \
         metadata.namespace"
    );
    let rules = format!("{path}/selfsubjectrulesreviews");
    assert_eq!(
        review("jane", &rules, "SelfSubjectRulesReview", json!({"namespace": "n"})).await["resourceRules"],
        json!([
            {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
            {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
        ])
    );
    assert_eq!(review("jane", &rules, "SelfSubjectRulesReview", json!({})).await, "no namespace on request");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_role_gathers_the_rules_of_its_parts() {
    let cluster = Cluster::new().await;
    let rule = |verb: &str| json!([{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]);
    let selectors = json!([{"matchLabels": {"x": "y"}}]);
    let gatherer =
        json!({"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": selectors}, "rules": []});
    cluster.create(&format!("{ROLES}/clusterroles"), &gatherer).await;
    for (name, verb) in [("b", "get"), ("a", "list"), ("c", "list")] {
        let part = json!({"metadata": {"name": name, "labels": {"x": "y"}}, "rules": rule(verb)});
        cluster.create(&format!("{ROLES}/clusterroles"), &part).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    let gathered =
        async |name: &str| cluster.http.send("GET", &format!("{ROLES}/clusterroles/{name}"), &[], "").await.json();
    let all = gathered("all").await;
    assert_eq!(all["rules"], json!([rule("list")[0], rule("get")[0]]));
    assert_eq!(all["metadata"]["managedFields"][0]["manager"], "clusterrole-aggregation-controller");
    // A part of the roles that every cluster has.
    let labels = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    let more = json!([{"apiGroups": ["stable.example.com"], "resources": ["crontabs"], "verbs": ["get"]}]);
    cluster
        .create(
            &format!("{ROLES}/clusterroles"),
            &json!({"metadata": {"name": "more", "labels": labels}, "rules": more}),
        )
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    for name in ["view", "edit", "admin"] {
        let rules = gathered(name).await["rules"].clone();
        assert!(rules.as_array().expect("rules").contains(&more[0]), "{name}");
    }
}
