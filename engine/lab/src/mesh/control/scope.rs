//! What one proxy gets to see: services, VirtualServices, DestinationRules, and the policy for everything else.
//!
//! Invariant: of services with one host name, only those of one namespace are seen, and each such name is one service for clusters.

use super::destination_rule::DestinationRules;
use super::host;
use super::proxy::Proxy;
use super::service::{MeshService, Resolution};
use super::virtual_service::{self, VirtualService};
use super::{kube_service, service_entry};
use crate::mesh::config::{MeshConfig, OutboundPolicy};
use crate::mesh::objects::{MeshObjects, ROOT_NAMESPACE, exported, list, named, selects, text, text_map, unknown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a proxy sees.
pub(super) struct Scope<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) objects: &'a MeshObjects,
    pub(super) settings: MeshConfig,
    /// Oldest first; a host may stand here more than once, with different addresses or ports.
    pub(super) services: Vec<MeshService>,
    /// One service for each host.
    pub(super) by_host: BTreeMap<String, MeshService>,
    pub(super) virtual_services: Vec<VirtualService>,
    pub(super) rules: DestinationRules,
    pub(super) policy: OutboundPolicy,
    pub(super) limits: Vec<String>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(objects: &'a MeshObjects, proxy: &'a Proxy, settings: MeshConfig) -> Self {
        let mut services: Vec<MeshService> =
            objects.of_kind("ServiceEntry").into_iter().flat_map(|entry| service_entry::services_of(entry)).collect();
        services.extend(kube_service::services_of(objects));
        services.sort_by(|a, b| a.age.cmp(&b.age));
        services.retain(|service| exported(&service.export_to, &service.namespace, &proxy.namespace));
        name_aliases(&mut services);
        let mut scope = Self {
            proxy,
            objects,
            policy: settings.policy,
            settings,
            services,
            by_host: BTreeMap::new(),
            virtual_services: virtual_service::visible(objects, &proxy.namespace),
            rules: DestinationRules::read(objects),
            limits: Vec::new(),
        };
        let all = scope.services.clone();
        if !proxy.gateway {
            if let Some(sidecar) = sidecar_of(objects, proxy) {
                scope.restrict(sidecar);
            }
            scope.keep_one_namespace();
        }
        scope.join(&all);
        scope
    }

    /// Applies a Sidecar resource.
    fn restrict(&mut self, sidecar: &Value) {
        let name = named(sidecar);
        let spec = sidecar.get("spec").unwrap_or(&Value::Null);
        let known = ["workloadSelector", "egress", "outboundTrafficPolicy"];
        self.limits.extend(unknown(spec, "spec", &known).into_iter().map(|field| format!("{name}: {field}")));
        if let Some(policy) = spec.get("outboundTrafficPolicy").filter(|policy| !policy.is_null()) {
            let lacking = unknown(policy, "spec.outboundTrafficPolicy", &["mode"]);
            self.limits.extend(lacking.into_iter().map(|field| format!("{name}: {field}")));
            match text(policy, "/mode") {
                "ALLOW_ANY" => self.policy = OutboundPolicy::AllowAny,
                "" | "REGISTRY_ONLY" => self.policy = OutboundPolicy::RegistryOnly,
                other => self.limits.push(format!("{name}: spec.outboundTrafficPolicy.mode {other}")),
            }
        }
        let mut imports = Imports::default();
        let mut any = false;
        for listener in list(spec, "/egress") {
            any = true;
            let lacking = unknown(listener, "spec.egress", &["hosts"]);
            self.limits.extend(lacking.into_iter().map(|field| format!("{name}: {field}")));
            for entry in list(listener, "/hosts").filter_map(Value::as_str) {
                imports.add(entry, &self.proxy.namespace);
            }
        }
        if any {
            self.services.retain(|service| imports.service(service));
            self.virtual_services.retain(|service| imports.virtual_service(service));
        }
    }

    /// Of services with one host name in several namespaces, keeps those of the proxy's own, else of the oldest one's, where a
    /// Service of Kubernetes goes before a ServiceEntry.
    fn keep_one_namespace(&mut self) {
        let own = &self.proxy.namespace;
        let mut chosen: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for service in &self.services {
            let this = (service.namespace.as_str(), service.kubernetes);
            let entry = chosen.entry(&service.host).or_insert(this);
            let better = !entry.1 && service.kubernetes && (this.0 == own || entry.0 != own);
            if this.0 == own || better {
                *entry = this;
            }
        }
        let keep: Vec<bool> =
            self.services.iter().map(|service| chosen[service.host.as_str()].0 == service.namespace).collect();
        let mut keep = keep.into_iter();
        self.services.retain(|_| keep.next().unwrap_or(true));
    }

    /// Makes one service of each host: the oldest, a Service of Kubernetes before a ServiceEntry, with the ports and endpoints of
    /// the others in its namespace. Destinations of VirtualServices are there even if they are not imported.
    fn join(&mut self, all: &[MeshService]) {
        let mut by_host = BTreeMap::new();
        for service in &self.services {
            add(&mut by_host, service);
        }
        if !self.proxy.gateway {
            let mut wanted: Vec<String> = Vec::new();
            for service in &self.virtual_services {
                wanted.extend(super::translate::destinations(service));
            }
            let missing: Vec<String> = wanted.into_iter().filter(|host| !by_host.contains_key(host)).collect();
            for host in missing {
                let mut found: Vec<&MeshService> = all.iter().filter(|service| service.host == host).collect();
                found.sort_by_key(|service| (service.namespace != self.proxy.namespace, service.namespace.clone()));
                if let Some(service) = found.first() {
                    add(&mut by_host, service);
                }
            }
        }
        self.by_host = by_host;
    }

    /// The service of this host name.
    pub(super) fn service(&self, host: &str) -> Option<&MeshService> {
        self.by_host.get(host)
    }
}

fn add(by_host: &mut BTreeMap<String, MeshService>, service: &MeshService) {
    let Some(old) = by_host.get_mut(&service.host) else {
        by_host.insert(service.host.clone(), service.clone());
        return;
    };
    if !old.kubernetes && service.kubernetes {
        *old = service.clone();
        return;
    }
    if old.kubernetes || old.namespace != service.namespace {
        return;
    }
    for endpoint in &service.endpoints {
        let twin = old.endpoints.iter_mut().find(|one| one.address == endpoint.address);
        match twin {
            Some(twin) => twin.ports.extend(endpoint.ports.iter().map(|(k, v)| (*k, *v))),
            None => old.endpoints.push(endpoint.clone()),
        }
    }
    if old.resolution == service.resolution && old.export_to == service.export_to {
        for port in &service.ports {
            if old.port(port.number).is_none() {
                old.ports.push(port.clone());
            }
        }
    }
    old.limits.extend(service.limits.iter().filter(|limit| !old.limits.contains(limit)).cloned().collect::<Vec<_>>());
}

/// Tells each service of the other names that Services of type ExternalName give it.
fn name_aliases(services: &mut [MeshService]) {
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for service in services.iter() {
        if let Resolution::Alias(target) = &service.resolution {
            aliases.entry(target.clone()).or_default().push(service.host.clone());
        }
    }
    for service in services.iter_mut().filter(|service| !matches!(service.resolution, Resolution::Alias(_))) {
        if let Some(names) = aliases.get(&service.host) {
            service.aliases.clone_from(names);
        }
    }
}

/// The Sidecar resource for a proxy: of its namespace, one that selects it before one for all; else that of the root namespace.
fn sidecar_of<'a>(objects: &'a MeshObjects, proxy: &Proxy) -> Option<&'a Arc<Value>> {
    let all = objects.of_kind("Sidecar");
    let selector = |sidecar: &Value| {
        let selector = sidecar.pointer("/spec/workloadSelector").filter(|selector| !selector.is_null());
        selector.map(|selector| text_map(selector, "/labels"))
    };
    let of = |namespace: &str| {
        let namespace = namespace.to_owned();
        all.iter().copied().filter(move |sidecar| text(sidecar, "/metadata/namespace") == namespace)
    };
    of(&proxy.namespace)
        .find(|sidecar| selector(sidecar).is_some_and(|wanted| selects(&wanted, &proxy.labels)))
        .or_else(|| of(&proxy.namespace).find(|sidecar| selector(sidecar).is_none()))
        .or_else(|| of(ROOT_NAMESPACE).find(|sidecar| selector(sidecar).is_none()))
}

/// The hosts that a Sidecar resource imports, by namespace; `*` is every namespace.
#[derive(Default)]
struct Imports {
    wanted: BTreeMap<String, Vec<String>>,
    excluded: BTreeMap<String, Vec<String>>,
}

impl Imports {
    fn add(&mut self, entry: &str, own: &str) {
        let Some((namespace, name)) = entry.split_once('/') else { return };
        let (namespace, into) = match namespace.strip_prefix('~') {
            Some("") => ("*", &mut self.excluded),
            Some(rest) => (rest, &mut self.excluded),
            None => (namespace, &mut self.wanted),
        };
        let namespace = if namespace == "." { own } else { namespace };
        into.entry(namespace.to_owned()).or_default().push(name.to_ascii_lowercase());
    }

    fn any(map: &BTreeMap<String, Vec<String>>, namespace: &str, fits: impl Fn(&str) -> bool) -> bool {
        [namespace, "*"].iter().filter_map(|key| map.get(*key)).flatten().any(|name| fits(name))
    }

    fn service(&self, service: &MeshService) -> bool {
        let inside = |name: &str| host::subset_of(&service.host, name);
        Self::any(&self.wanted, &service.namespace, inside) && !Self::any(&self.excluded, &service.namespace, inside)
    }

    fn virtual_service(&self, service: &VirtualService) -> bool {
        service.hosts.iter().any(|own| {
            Self::any(&self.wanted, &service.namespace, |name| host::overlap(own, name))
                && !Self::any(&self.excluded, &service.namespace, |name| host::subset_of(own, name))
        })
    }
}
