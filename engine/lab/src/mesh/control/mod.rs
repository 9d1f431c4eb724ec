//! The control plane: the mesh's objects and a proxy's identity in, the proxy's configuration out.
//!
//! Invariant: pure. The same objects and identity give the same configuration. It is what Istio's istiod generates, with its names,
//! as far as connections out of a pod and requests on them can tell.

mod clusters;
mod destination_rule;
mod gateway;
mod gateway_config;
mod host;
mod inbound;
mod kube_service;
mod l4;
mod limits;
mod matching;
mod mtls;
mod outbound;
mod protocol;
mod proxy;
mod scope;
mod service;
mod service_entry;
mod sidecar_routes;
mod telemetry;
mod tls;
mod translate;
mod virtual_service;

pub use proxy::Proxy;

use super::config::MeshConfig;
use super::envoy::{Inbound, ProxyConfig};
use super::objects::{MeshObjects, text};
use scope::Scope;

impl ProxyConfig {
    /// The configuration of a proxy.
    #[must_use]
    pub fn build(objects: &MeshObjects, proxy: &Proxy) -> Self {
        let mut scope = Scope::new(objects, proxy, settings(objects, &proxy.revision));
        let mut limits = std::mem::take(&mut scope.limits);
        limits.extend(scope.settings.limits.iter().cloned());
        limits.extend(limits::of_proxy(objects, proxy));
        let logs = telemetry::access_logs(objects, proxy, &scope.settings, &mut limits);
        let mut clusters = clusters::build(&scope);
        let mut inbound = Inbound::default();
        let (listeners, routes, catch_all) = if proxy.gateway {
            let (listeners, routes) = gateway_config::build(&scope, &mut limits);
            (listeners, routes, None)
        } else {
            let listeners = outbound::build(&scope);
            let mut routes = sidecar_routes::build(&scope, listeners.values());
            inbound = inbound::build(&scope, &mut clusters, &mut routes);
            (listeners, routes, Some(outbound::catch_all(&scope)))
        };
        Self {
            gateway: proxy.gateway,
            settings: scope.settings,
            logs,
            listeners,
            catch_all,
            inbound,
            routes,
            clusters,
            limits,
        }
    }
}

/// The settings of a revision: its own ConfigMap, else the one without a revision in its name.
fn settings(objects: &MeshObjects, revision: &str) -> MeshConfig {
    let named = |name: &str| objects.config_maps.iter().find(|map| text(map, "/metadata/name") == name);
    let own = if revision == "default" { None } else { named(&format!("istio-{revision}")) };
    MeshConfig::from_config_map(own.or_else(|| named("istio")).map(|map| &**map))
}
