//! What follows from changes of roles and of secrets: aggregated roles, and tokens in secrets.
//!
//! Invariant: it acts on changes alone, and writes nothing that is there already.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::aggregate;
use super::door::Access;
use super::rbac::CLUSTER_ROLES;
use crate::store::{Change, ChangeKind, GroupResource, WriteOptions, meta};

/// The type of secrets that are given a token.
const TOKEN_SECRET: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

impl Access {
    /// Follows the store for as long as it is polled.
    pub async fn run(self: Arc<Self>) {
        let mut changes = self.store.subscribe();
        loop {
            match changes.next().await {
                Ok(change) => self.notice(&change),
                Err(_) => {
                    // History was lost: look at everything once.
                    changes = self.store.subscribe();
                    aggregate::refresh(&self.store);
                    for secret in self.store.list(&GroupResource::SECRETS, "").items {
                        self.fill_secret(&secret);
                    }
                }
            }
        }
    }

    fn notice(&self, change: &Change) {
        if change.resource == CLUSTER_ROLES && self.furnished() {
            aggregate::refresh(&self.store);
        } else if change.resource == GroupResource::SECRETS && change.kind != ChangeKind::Deleted {
            self.fill_secret(&change.object);
        }
    }

    /// Puts a token into a secret that asks for one; a secret whose account does not exist goes away.
    fn fill_secret(&self, secret: &Value) {
        let annotation = |key: &str| {
            let all = secret.pointer("/metadata/annotations");
            all.and_then(|all| all.get(key)).and_then(Value::as_str).unwrap_or_default()
        };
        let has = |key: &str| secret.pointer(&format!("/data/{key}")).is_some();
        let is_full = has("token") && has("namespace") && has("ca.crt") && !annotation(ACCOUNT_UID).is_empty();
        if secret["type"] != TOKEN_SECRET || is_full {
            return;
        }
        let (namespace, name) = (meta::namespace(secret), meta::name(secret));
        let Some(account) = self.store.get(&GroupResource::SERVICE_ACCOUNTS, namespace, annotation(ACCOUNT_NAME))
        else {
            // Somebody else may have been faster.
            let _ =
                self.store.delete(&GroupResource::SECRETS, namespace, name, &crate::store::DeleteOptions::default());
            return;
        };
        let root = self.store.get(&GroupResource::CONFIG_MAPS, namespace, "kube-root-ca.crt");
        let root =
            root.as_deref().and_then(|map| map.pointer("/data/ca.crt")).and_then(Value::as_str).unwrap_or_default();
        let token = self.signer.issue_legacy(&account, name);
        let fill = |object: &mut Value| {
            let data = meta::child(object, "data");
            for (key, text) in [("ca.crt", root), ("namespace", namespace), ("token", &token)] {
                data.entry(key).or_insert_with(|| STANDARD.encode(text).into());
            }
            if let Some(annotations) = meta::metadata(object).get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.insert(ACCOUNT_UID.into(), meta::uid(&account).into());
            }
            Ok(())
        };
        let options = WriteOptions::by("kube-controller-manager");
        let _ = self.store.modify(&options, &GroupResource::SECRETS, namespace, name, fill);
    }
}
