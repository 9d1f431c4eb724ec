//! The way in: who asks, as whom, and whether they may.
//!
//! Invariant: without a credential nobody is more than anonymous, and a credential that does not count is a 401, never a smaller
//! right.

use std::sync::{Arc, Once};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::attributes::Attributes;
use super::escalation::{self, Grant};
use super::rbac::{Decision, authorize, rules_for};
use super::rule::Rule;
use super::token::{ISSUER, Signer, TokenRequest};
use super::user::User;
use super::{bootstrap, impersonate};
use crate::status::Status;
use crate::store::Store;

/// Authentication and authorization of one lab.
pub struct Access {
    pub(super) store: Store,
    pub(super) signer: Signer,
    furnish: Once,
}

impl Access {
    /// Over the roles, bindings and accounts of `store`; tokens are signed with `key`, which should be secret and the lab's own.
    pub fn new(store: Store, key: &[u8]) -> Self {
        Self { store, signer: Signer::new(key), furnish: Once::new() }
    }

    /// Who a request with these headers comes from; `otherwise` when it carries no credential.
    ///
    /// # Errors
    /// 401 for a credential that does not count.
    pub(crate) fn authenticate(&self, headers: &HeaderMap, otherwise: &Arc<User>) -> Result<Arc<User>, Status> {
        let Some(token) = bearer(headers) else { return Ok(Arc::clone(otherwise)) };
        match self.signer.check(&self.store, token) {
            Ok(shown) if shown.audiences.iter().any(|one| one == ISSUER) => Ok(Arc::new(shown.user)),
            _ => Err(Status::unauthorized()),
        }
    }

    /// Lets a request in, or not. Answers who it acts as.
    ///
    /// # Errors
    /// 403, or 400 for headers that make no sense.
    pub(crate) fn admit(
        &self,
        caller: &Arc<User>,
        headers: &HeaderMap,
        asked: impl FnOnce() -> Attributes,
    ) -> Result<Arc<User>, Status> {
        let acts = impersonate::is_wanted(headers);
        if caller.is_master() && !acts {
            return Ok(Arc::clone(caller));
        }
        self.furnish();
        let asked = asked();
        let user = match impersonate::wanted(headers)? {
            Some(wanted) => Arc::new(impersonate::impersonate(&self.store, caller, &wanted, &asked)?),
            None => Arc::clone(caller),
        };
        let decision = self.decide(&user, &asked);
        if decision.allowed { Ok(user) } else { Err(asked.forbidden(&user, &decision.reason)) }
    }

    /// Whether somebody may do something.
    pub(crate) fn decide(&self, user: &User, asked: &Attributes) -> Decision {
        if user.is_master() {
            return Decision { allowed: true, reason: String::new() };
        }
        self.furnish();
        authorize(&self.store, user, asked)
    }

    /// All rules that apply to somebody in a namespace, and what could not be read.
    pub(crate) fn rules(&self, user: &User, namespace: &str) -> (Vec<Rule>, Option<String>) {
        self.furnish();
        rules_for(&self.store, user, namespace)
    }

    /// Refuses to store a role or binding that gives more than `user` has.
    ///
    /// # Errors
    /// 403, or 404 for a binding to a role that is not there.
    pub(crate) fn check_grant(&self, user: &User, grant: &Grant<'_>) -> Result<(), Status> {
        escalation::check(&self.store, user, grant)
    }

    /// A new token for a service account, and when it expires.
    pub(crate) fn issue(&self, request: &TokenRequest<'_>) -> (String, Timestamp) {
        self.signer.issue(&self.store, request)
    }

    /// Whose token it is, if it is good for one of `audiences`, and for which of them.
    ///
    /// # Errors
    /// What a `TokenReview` says about it.
    pub(crate) fn review(&self, token: &str, audiences: &[String]) -> Result<(User, Vec<String>), String> {
        const INVALID: &str = "invalid bearer token";
        let shown = self.signer.check(&self.store, token).map_err(|why| match why {
            None => INVALID.to_owned(),
            Some(why) => format!("[{INVALID}, {why}]"),
        })?;
        let meant: Vec<String> = audiences.iter().filter(|one| shown.audiences.contains(one)).cloned().collect();
        if meant.is_empty() {
            let list = super::rule::quoted;
            let (own, wanted) = (list(&shown.audiences), list(audiences));
            return Err(format!("[{INVALID}, token audiences {own} is invalid for the target audiences {wanted}]"));
        }
        Ok((shown.user, meant))
    }

    /// Makes sure that the roles of every cluster are there.
    pub(crate) fn furnish(&self) {
        self.furnish.call_once(|| bootstrap::create(&self.store));
    }

    /// Whether they are there.
    pub(super) fn furnished(&self) -> bool {
        self.furnish.is_completed()
    }
}

/// The token of a bearer; none for another scheme or an empty one, as the real server sees it.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
