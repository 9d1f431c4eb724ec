//! One run of a runbook on a cluster at a time: a `Lease` that the run holds.
//!
//! A holder renews it; one that stopped renewing is taken over once its time has passed, by the clock of whoever looks.
//! Every write carries the version that was read, so two that look at once cannot both win. A lease that is given up is
//! deleted: a run leaves nothing behind.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::client::Cluster;
use super::error::ClusterError;
use super::objects::{ObjectAddress, Selector};
use super::write::DeleteOptions;

/// Which lease, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSpec {
    /// Namespace of the lease.
    pub namespace: String,
    /// The runbook that is run.
    pub runbook: String,
    /// Who holds it, for people: such as `alice@host run external-https-proxy-20260101-120000-1f2e`.
    pub holder: String,
    /// How long it is held without being renewed. Counted in whole seconds, at least one.
    pub duration: Duration,
}

/// Why a lease is not held.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LeaseError {
    /// Someone else holds it.
    #[error("{holder} holds lease {namespace}/{name} since {since}, last renewed {renewed}")]
    Held {
        /// Namespace of the lease.
        namespace: String,
        /// Name of the lease.
        name: String,
        /// Who.
        holder: String,
        /// Since when, or `an unknown time`.
        since: String,
        /// When it was last renewed, or `an unknown time`.
        renewed: String,
    },
    /// It was taken away: not renewed in time, or deleted by hand.
    #[error("lease {namespace}/{name} was lost{}", to(.holder.as_deref()))]
    Lost {
        /// Namespace of the lease.
        namespace: String,
        /// Name of the lease.
        name: String,
        /// Who holds it now; `None` where it is gone.
        holder: Option<String>,
    },
    /// The cluster could not be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

fn to(holder: Option<&str>) -> String {
    holder.map_or_else(String::new, |holder| format!(" to {holder}"))
}

/// A lease that is held.
#[derive(Debug)]
pub struct Lease {
    cluster: Cluster,
    at: ObjectAddress,
    spec: LeaseSpec,
    object: Value,
}

impl LeaseSpec {
    /// Name of the lease.
    #[must_use]
    pub fn name(&self) -> String {
        lease_name(&self.runbook)
    }

    fn seconds(&self) -> u64 {
        self.duration.as_secs().max(1)
    }
}

/// Name of a runbook's lease.
pub(crate) fn lease_name(runbook: &str) -> String {
    format!("periplus-{runbook}")
}

impl Cluster {
    /// Deletes the leases of this name, in all namespaces, whose holder ends with `holder`.
    ///
    /// # Errors
    ///
    /// Whatever stood in the way. A lease that changed hands meanwhile is left alone, and is no error.
    pub(crate) async fn drop_leases(&self, name: &str, holder: &str) -> Result<(), ClusterError> {
        let resource = self.resolve(Some("coordination.k8s.io/v1"), "Lease").await?;
        let named = Selector { fields: format!("metadata.name={name}"), ..Selector::default() };
        for lease in self.list(&resource, None, &named).await?.items {
            let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            if !text("/spec/holderIdentity").is_some_and(|held| held.ends_with(holder)) {
                continue;
            }
            let at = ObjectAddress {
                resource: resource.clone(),
                namespace: text("/metadata/namespace"),
                name: name.to_owned(),
            };
            let options = DeleteOptions {
                uid: text("/metadata/uid"),
                resource_version: text("/metadata/resourceVersion"),
                ..DeleteOptions::default()
            };
            match self.delete(&at, &options).await {
                Ok(_) | Err(ClusterError::NotFound(_) | ClusterError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes a lease: a free one, one that ran out, or one that `spec.holder` already holds.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Held`] with holder and time where someone else holds it.
    pub async fn acquire_lease(&self, spec: &LeaseSpec, now: Timestamp) -> Result<Lease, LeaseError> {
        let resource = self.resolve(Some("coordination.k8s.io/v1"), "Lease").await?;
        let at = ObjectAddress { resource, namespace: Some(spec.namespace.clone()), name: spec.name() };
        let written = match self.find(&at).await? {
            None => self.create(&at, &fresh(spec, now)).await,
            Some(held) => {
                if !is_free(&held, &spec.holder, now) {
                    return Err(held_by(&held, spec));
                }
                self.replace(&at, &taken(held, spec, now)).await
            }
        };
        match written {
            Ok(written) => Ok(Lease { cluster: self.clone(), at, spec: spec.clone(), object: written.object }),
            // Someone was faster between looking and writing.
            Err(ClusterError::AlreadyExists(_) | ClusterError::Conflict { .. }) => {
                Err(held_by(&self.find(&at).await?.unwrap_or_default(), spec))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Lease {
    /// How often to renew: three times within its duration.
    #[must_use]
    pub fn renew_every(&self) -> Duration {
        Duration::from_secs(self.spec.seconds()) / 3
    }

    /// Says that the holder is still there.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Lost`] where someone else took it; [`LeaseError::Cluster`] where it could not be renewed now.
    pub async fn renew(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        let mut object = self.object.clone();
        object["spec"]["renewTime"] = json!(micro_time(now));
        match self.cluster.replace(&self.at, &object).await {
            Ok(written) => {
                self.object = written.object;
                Ok(())
            }
            Err(ClusterError::Conflict { .. }) => match self.cluster.find(&self.at).await? {
                // A label or the like was written by someone else; the lease is still ours.
                Some(live) if holder(&live) == self.spec.holder => {
                    self.object = live;
                    Ok(())
                }
                other => Err(self.lost(other.as_ref())),
            },
            Err(ClusterError::NotFound(_)) => Err(self.lost(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the lease up. One that someone else took meanwhile is left alone.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Cluster`] where it could not be deleted: it runs out by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let options = DeleteOptions {
            uid: text("/metadata/uid"),
            resource_version: text("/metadata/resourceVersion"),
            ..DeleteOptions::default()
        };
        match self.cluster.delete(&self.at, &options).await {
            Ok(_) | Err(ClusterError::NotFound(_) | ClusterError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn lost(&self, live: Option<&Value>) -> LeaseError {
        LeaseError::Lost {
            namespace: self.spec.namespace.clone(),
            name: self.spec.name(),
            holder: live.map(holder).filter(|holder| !holder.is_empty()).map(str::to_owned),
        }
    }
}

fn fresh(spec: &LeaseSpec, now: Timestamp) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": spec.name(), "namespace": spec.namespace},
        "spec": {
            "holderIdentity": spec.holder,
            "leaseDurationSeconds": spec.seconds(),
            "acquireTime": micro_time(now),
            "renewTime": micro_time(now),
            "leaseTransitions": 0,
        },
    })
}

/// The lease in new hands. What else is in the object stays, its version above all.
fn taken(mut lease: Value, spec: &LeaseSpec, now: Timestamp) -> Value {
    let transitions = lease.pointer("/spec/leaseTransitions").and_then(Value::as_i64).unwrap_or(0);
    let changed = holder(&lease) != spec.holder;
    lease["spec"] = fresh(spec, now)["spec"].take();
    lease["spec"]["leaseTransitions"] = json!(transitions + i64::from(changed));
    lease
}

/// Whether `me` may take the lease: it is nobody's, mine, or ran out.
fn is_free(lease: &Value, me: &str, now: Timestamp) -> bool {
    let holder = holder(lease);
    if holder.is_empty() || holder == me {
        return true;
    }
    let seconds = lease.pointer("/spec/leaseDurationSeconds").and_then(Value::as_i64).unwrap_or(0);
    let renewed: Option<Timestamp> = time(lease, "renewTime").and_then(|text| text.parse().ok());
    let until = renewed.and_then(|renewed| renewed.checked_add(SignedDuration::from_secs(seconds)).ok());
    until.is_none_or(|until| until < now)
}

fn held_by(lease: &Value, spec: &LeaseSpec) -> LeaseError {
    let known = |field: &str| time(lease, field).unwrap_or("an unknown time").to_owned();
    let holder = Some(holder(lease)).filter(|holder| !holder.is_empty());
    LeaseError::Held {
        namespace: spec.namespace.clone(),
        name: spec.name(),
        holder: holder.unwrap_or("someone").to_owned(),
        since: known("acquireTime"),
        renewed: known("renewTime"),
    }
}

fn holder(lease: &Value) -> &str {
    lease.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default()
}

fn time<'a>(lease: &'a Value, field: &str) -> Option<&'a str> {
    lease["spec"][field].as_str()
}

/// Kubernetes' `MicroTime`: exactly six digits after the point.
fn micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(holder: &str) -> LeaseSpec {
        LeaseSpec {
            namespace: "default".into(),
            runbook: "book".into(),
            holder: holder.into(),
            duration: Duration::from_secs(30),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::new(second, 123_456_789).unwrap()
    }

    #[test]
    fn a_lease_is_free_once_its_time_has_passed() {
        let lease = fresh(&spec("alice"), at(100));
        assert!(!is_free(&lease, "bob", at(129)));
        assert!(is_free(&lease, "bob", at(131)));
        assert!(is_free(&lease, "alice", at(100)));
        let mut given_up = lease.clone();
        given_up["spec"]["holderIdentity"] = json!("");
        assert!(is_free(&given_up, "bob", at(100)));
        let mut never_renewed = lease;
        never_renewed["spec"]["renewTime"] = Value::Null;
        assert!(is_free(&never_renewed, "bob", at(100)));
    }

    #[test]
    fn times_have_six_digits() {
        assert_eq!(micro_time(at(0)), "1970-01-01T00:00:00.123456Z");
        assert_eq!(micro_time(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_lease_changes_hands_and_keeps_its_version() {
        let mut lease = fresh(&spec("alice"), at(0));
        lease["metadata"]["resourceVersion"] = json!("7");
        let taken = taken(lease, &spec("bob"), at(90));
        assert_eq!(holder(&taken), "bob");
        assert_eq!(taken["spec"]["leaseTransitions"], 1);
        assert_eq!(taken["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn a_refusal_names_the_holder_and_since_when() {
        let lease = fresh(&spec("alice@host run 1"), at(0));
        assert_eq!(
            held_by(&lease, &spec("bob")).to_string(),
            "alice@host run 1 holds lease default/periplus-book since 1970-01-01T00:00:00.123456Z, \
             last renewed 1970-01-01T00:00:00.123456Z"
        );
    }
}
