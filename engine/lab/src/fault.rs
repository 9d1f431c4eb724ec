//! Faults that a world declares, and the counters that decide when each strikes.
//!
//! Invariant: a fault strikes by counting what it matches, never by chance, so that the same requests meet the same faults.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::status::Status;
use crate::world::{DurationText, PodSelector, WorldError};

/// One item of a world's `faults`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum FaultSpec {
    /// Requests to the API are refused.
    Api(ApiFault),
    /// An exec's connection breaks without a closing handshake.
    ExecCut(ExecCut),
    /// A watch ends after some events.
    WatchDrop(WatchDrop),
    /// A pod's containers take longer to start.
    SlowPod(SlowPod),
    /// A container's main process dies once.
    Restart(Restart),
    /// Lines of a container's log appear later.
    LateLog(LateLog),
}

/// Refused requests: those that match all that is given.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApiFault {
    /// The HTTP status: 429, 409, 500 or 503.
    pub status: u16,
    /// Kubernetes verb, such as `patch`. Default: any.
    pub verb: Option<String>,
    /// Resource in the plural, such as `configmaps`. Default: any.
    pub resource: Option<String>,
    /// Namespace. Default: any.
    pub namespace: Option<String>,
    /// Name of the object. Default: any.
    pub name: Option<String>,
    /// How many matching requests pass first. Default: 0.
    #[serde(default)]
    pub after: u32,
    /// How many are then refused. Default: 1.
    #[serde(default = "once")]
    pub count: u32,
    /// Seconds that a 429 or 503 asks to wait. Default: 1.
    #[serde(default = "once")]
    pub retry_after: u32,
}

/// An exec that is cut off.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecCut {
    /// The pods. Default: all.
    pub pod: Option<SelectorText>,
    /// Bytes of output that still get through. Default: 0.
    #[serde(default)]
    pub after_bytes: u64,
    /// How many matching commands run whole first. Default: 0.
    #[serde(default)]
    pub after: u32,
    /// How many are then cut off. Default: 1.
    #[serde(default = "once")]
    pub count: u32,
}

/// A watch that ends early.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WatchDrop {
    /// Resource in the plural. Default: any.
    pub resource: Option<String>,
    /// Events that still get through. Default: 0.
    #[serde(default)]
    pub after_events: u32,
    /// How many matching watches end so. Default: 1.
    #[serde(default = "once")]
    pub count: u32,
}

/// A pod that starts slowly, each time.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SlowPod {
    /// The pods.
    pub pod: SelectorText,
    /// How much longer each container takes to start.
    pub delay: DurationText,
}

/// A main process that dies.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// The pods.
    pub pod: SelectorText,
    /// The container.
    pub container: String,
    /// How long after its first start. Default: 0.
    #[serde(default)]
    pub after: DurationText,
}

/// A log that lags.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LateLog {
    /// The pods.
    pub pod: SelectorText,
    /// The container.
    pub container: String,
    /// How much later its lines appear.
    pub delay: DurationText,
}

/// A [`PodSelector`] as a world writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorText(pub PodSelector);

impl<'de> Deserialize<'de> for SelectorText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PodSelector::parse(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

fn once() -> u32 {
    1
}

impl FaultSpec {
    /// Refuses what the lab cannot cause. `place` names the item.
    pub(crate) fn check(&self, place: &str) -> Result<(), WorldError> {
        match self {
            Self::Api(fault) if !matches!(fault.status, 409 | 429 | 500 | 503) => Err(WorldError::invalid(
                place,
                format!("status is {}; 409, 429, 500 or 503 are possible", fault.status),
            )),
            Self::LateLog(_) => {
                Err(WorldError::NotSimulated { place: place.to_owned(), what: "the fault late-log".to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// A request as faults see it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApiCall<'a> {
    /// Kubernetes verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'a str,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Resource in the plural.
    pub resource: &'a str,
    /// Namespace, or "".
    pub namespace: &'a str,
    /// Name, or "".
    pub name: &'a str,
}

/// The faults of one lab with their counters.
#[derive(Default)]
pub struct Faults {
    specs: Vec<FaultSpec>,
    matched: Mutex<Vec<u32>>,
}

impl Faults {
    /// Faults that have not struck yet.
    pub fn new(specs: Vec<FaultSpec>) -> Self {
        let matched = Mutex::new(vec![0; specs.len()]);
        Self { specs, matched }
    }

    /// The refusal that this request meets, if any.
    pub fn api(&self, call: &ApiCall<'_>) -> Option<Status> {
        self.first(|spec| match spec {
            FaultSpec::Api(fault) if fault.matches(call) => Some((fault.after, fault.count, fault)),
            _ => None,
        })
        .map(|fault| fault.refusal(call))
    }

    /// After how many bytes of output the connection of this command breaks; none for a whole one.
    pub fn exec_cut(&self, pod: &Value) -> Option<u64> {
        self.first(|spec| match spec {
            FaultSpec::ExecCut(fault) if fault.pod.as_ref().is_none_or(|text| text.0.matches(pod)) => {
                Some((fault.after, fault.count, fault.after_bytes))
            }
            _ => None,
        })
    }

    /// After how many events this watch ends; none for one that lasts.
    pub fn watch_drop(&self, resource: &str) -> Option<u32> {
        self.first(|spec| match spec {
            FaultSpec::WatchDrop(fault) if fault.resource.as_ref().is_none_or(|name| name == resource) => {
                Some((0, fault.count, fault.after_events))
            }
            _ => None,
        })
    }

    /// How much longer the containers of this pod take to start.
    pub fn start_delay(&self, pod: &Value) -> Duration {
        let delay = |spec: &FaultSpec| match spec {
            FaultSpec::SlowPod(fault) if fault.pod.0.matches(pod) => Some(fault.delay.0),
            _ => None,
        };
        self.specs.iter().filter_map(delay).sum()
    }

    /// When, after its first start, the main process of this container dies.
    pub fn restart_after(&self, pod: &Value, container: &str) -> Option<Duration> {
        self.specs.iter().find_map(|spec| match spec {
            FaultSpec::Restart(fault) if fault.container == container && fault.pod.0.matches(pod) => {
                Some(fault.after.0)
            }
            _ => None,
        })
    }

    /// Counts a match on every fault that `matching` knows (as skip, count, effect) and returns the first effect that is due.
    fn first<'a, T>(&'a self, matching: impl Fn(&'a FaultSpec) -> Option<(u32, u32, T)>) -> Option<T> {
        if self.specs.is_empty() {
            return None;
        }
        let mut matched = self.matched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = None;
        for (spec, matched) in self.specs.iter().zip(matched.iter_mut()) {
            let Some((after, count, effect)) = matching(spec) else { continue };
            let before = *matched;
            *matched = before.saturating_add(1);
            if due.is_none() && before >= after && before - after < count {
                due = Some(effect);
            }
        }
        due
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.specs).finish()
    }
}

impl ApiFault {
    fn matches(&self, call: &ApiCall<'_>) -> bool {
        let fits = |wanted: &Option<String>, actual: &str| wanted.as_ref().is_none_or(|wanted| wanted == actual);
        fits(&self.verb, call.verb)
            && fits(&self.resource, call.resource)
            && fits(&self.namespace, call.namespace)
            && fits(&self.name, call.name)
    }

    fn refusal(&self, call: &ApiCall<'_>) -> Status {
        match self.status {
            409 => {
                let why = "the object has been modified; please apply your changes to the latest version and try again";
                Status::conflict(call.group, call.resource, call.name, why)
            }
            429 => Status::too_many_requests("too many requests, please try again later", self.retry_after),
            503 => Status::unavailable("apiserver is shutting down"),
            _ => Status::internal("etcdserver: request timed out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(value: Value) -> Faults {
        Faults::new(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn an_api_fault_counts_what_it_matches() {
        let faults = faults(json!([{"api": {"status": 429, "verb": "patch", "after": 1, "count": 2}}]));
        let patch = ApiCall { verb: "patch", resource: "configmaps", ..ApiCall::default() };
        let codes: Vec<_> = (0..5).map(|_| faults.api(&patch).map(|status| status.code)).collect();
        assert_eq!(codes, [None, Some(429), Some(429), None, None]);
        assert!(faults.api(&ApiCall { verb: "get", ..patch }).is_none());
    }

    #[test]
    fn pods_are_chosen_by_namespace_and_label() {
        let faults = faults(json!([
            {"slow-pod": {"pod": "corp/app=squid", "delay": "20s"}},
            {"exec-cut": {"pod": "default/app=sleep", "after-bytes": 10}},
        ]));
        let squid = json!({"metadata": {"namespace": "corp", "labels": {"app": "squid"}}});
        let sleep = json!({"metadata": {"namespace": "default", "labels": {"app": "sleep"}}});
        assert_eq!(faults.start_delay(&squid), Duration::from_secs(20));
        assert_eq!(faults.start_delay(&sleep), Duration::ZERO);
        assert_eq!((faults.exec_cut(&squid), faults.exec_cut(&sleep), faults.exec_cut(&sleep)), (None, Some(10), None));
    }

    #[test]
    fn what_cannot_be_caused_is_refused() {
        let spec: FaultSpec = serde_json::from_value(json!({"api": {"status": 418}})).unwrap();
        assert!(spec.check("faults[0]").is_err());
        let late = json!({"late-log": {"pod": "a/b=c", "container": "x", "delay": "1s"}});
        let spec: FaultSpec = serde_json::from_value(late).unwrap();
        assert_eq!(spec.check("faults[0]").unwrap_err().to_string(), "faults[0]: not simulated: the fault late-log");
    }
}
