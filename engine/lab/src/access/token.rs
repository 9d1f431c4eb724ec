//! Tokens of service accounts: JSON Web Tokens with the claims of a real API server.
//!
//! Invariant: a token counts only while its account, and what it is bound to, exist with the uids that it names. Tokens are signed
//! with a key that one lab holds in memory (HS256), so those of another lab or cluster are worth nothing here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::{Map, Value, json};

use super::user::{User, service_account_name};
use crate::store::{GroupResource, Store, meta};

/// Issuer, and audience of the API itself.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Issuer of tokens that live in secrets.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

const LEGACY: &str = "kubernetes.io/serviceaccount/";

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// How far ahead of the lab's clock a token may have been issued.
const LEEWAY: i64 = 60;

/// Signs and checks tokens.
pub(super) struct Signer {
    key: hmac::Key,
}

/// What a token is asked for.
pub(crate) struct TokenRequest<'a> {
    /// The service account.
    pub(crate) account: &'a Value,
    /// Who should accept it.
    pub(crate) audiences: &'a [String],
    /// How long it is good for, in seconds.
    pub(crate) seconds: i64,
    /// Kind, in lower case, name and uid of an object without which it counts no more.
    pub(crate) bound: Option<(&'a str, &'a str, &'a str)>,
}

/// Whose token it is and for whom it is meant.
pub(super) struct Shown {
    pub(super) user: User,
    pub(super) audiences: Vec<String>,
}

impl Signer {
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// A new token and the time at which it expires.
    pub(super) fn issue(&self, store: &Store, request: &TokenRequest<'_>) -> (String, Timestamp) {
        let (namespace, name) = (meta::namespace(request.account), meta::name(request.account));
        let now = store.clock().now();
        let expires = now.checked_add(SignedDuration::from_secs(request.seconds)).unwrap_or(Timestamp::MAX);
        let mut private = Map::new();
        private.insert("namespace".into(), namespace.into());
        if let Some((kind, name, uid)) = request.bound {
            private.insert(kind.into(), json!({"name": name, "uid": uid}));
        }
        private.insert("serviceaccount".into(), json!({"name": name, "uid": meta::uid(request.account)}));
        let claims = json!({
            "aud": request.audiences,
            "exp": expires.as_second(),
            "iat": now.as_second(),
            "iss": ISSUER,
            "jti": store.new_uid(),
            "kubernetes.io": private,
            "nbf": now.as_second(),
            "sub": service_account_name(namespace, name),
        });
        (self.sign(&claims), expires)
    }

    /// The token that lives in a secret and never expires.
    pub(super) fn issue_legacy(&self, account: &Value, secret: &str) -> String {
        let (namespace, name) = (meta::namespace(account), meta::name(account));
        self.sign(&json!({
            "iss": LEGACY_ISSUER,
            (format!("{LEGACY}namespace")): namespace,
            (format!("{LEGACY}secret.name")): secret,
            (format!("{LEGACY}service-account.name")): name,
            (format!("{LEGACY}service-account.uid")): meta::uid(account),
            "sub": service_account_name(namespace, name),
        }))
    }

    fn sign(&self, claims: &Value) -> String {
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Checks a token.
    ///
    /// # Errors
    /// Why it counts for nothing; no reason when it is none of this lab's.
    pub(super) fn check(&self, store: &Store, token: &str) -> Result<Shown, Option<String>> {
        let claims = self.verified(token).ok_or(None)?;
        if text(&claims, "iss") == LEGACY_ISSUER {
            check_legacy(store, token, &claims)
        } else {
            check_bound(store, &claims)
        }
    }

    fn verified(&self, token: &str) -> Option<Value> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, signed.as_bytes(), &signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

fn text<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn invalidated() -> Option<String> {
    Some("service account token has been invalidated".to_owned())
}

fn check_bound(store: &Store, claims: &Value) -> Result<Shown, Option<String>> {
    let now = store.clock().now().as_second();
    let at = |key: &str| claims.get(key).and_then(Value::as_i64).unwrap_or_default();
    if at("exp") < now {
        return Err(Some("service account token has expired".to_owned()));
    }
    if at("nbf") > now + LEEWAY {
        return Err(Some("service account token is not valid yet".to_owned()));
    }
    let private = &claims["kubernetes.io"];
    let namespace = text(private, "namespace");
    let mut user = account(store, namespace, &private["serviceaccount"])?;
    for (kind, resource, within) in [
        ("pod", GroupResource::PODS, namespace),
        ("secret", GroupResource::SECRETS, namespace),
        ("node", GroupResource::NODES, ""),
    ] {
        let Some(bound) = private.get(kind) else { continue };
        let there = store.get(&resource, within, text(bound, "name"));
        if there.is_none_or(|object| meta::uid(&object) != text(bound, "uid")) {
            return Err(invalidated());
        }
        if kind != "secret" {
            for part in ["name", "uid"] {
                user.extra
                    .insert(format!("authentication.kubernetes.io/{kind}-{part}"), vec![text(bound, part).to_owned()]);
            }
        }
    }
    let id = format!("JTI={}", text(claims, "jti"));
    user.extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![id]);
    let audiences =
        claims["aud"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Shown { user, audiences })
}

fn check_legacy(store: &Store, token: &str, claims: &Value) -> Result<Shown, Option<String>> {
    let claim = |key: &str| text(claims, &format!("{LEGACY}{key}")).to_owned();
    let namespace = claim("namespace");
    let named = json!({"name": claim("service-account.name"), "uid": claim("service-account.uid")});
    let user = account(store, &namespace, &named)?;
    let secret = store.get(&GroupResource::SECRETS, &namespace, &claim("secret.name")).ok_or_else(invalidated)?;
    let stored = secret.pointer("/data/token").and_then(Value::as_str).unwrap_or_default();
    if stored != base64::engine::general_purpose::STANDARD.encode(token) {
        return Err(invalidated());
    }
    Ok(Shown { user, audiences: vec![ISSUER.to_owned()] })
}

fn account(store: &Store, namespace: &str, named: &Value) -> Result<User, Option<String>> {
    let (name, uid) = (text(named, "name"), text(named, "uid"));
    let account = store
        .get(&GroupResource::SERVICE_ACCOUNTS, namespace, name)
        .ok_or_else(|| Some(format!("serviceaccounts {name:?} not found")))?;
    let real = meta::uid(&account);
    if real != uid {
        return Err(Some(format!("service account UID ({real}) does not match claim ({uid})")));
    }
    Ok(User { uid: uid.to_owned(), ..User::service_account(namespace, name) })
}
