//! `requires:` — looked at before the first change, all of it at once.

use periplus_core::model::{Requirement, Step};
use periplus_core::outcome;
use serde_json::Value;

use crate::bench::{Bench, Located};
use crate::broken::Broken;
use crate::cluster::{Access, ClusterError, ObjectAddress, PodsOf};

/// Namespace of Istio's control plane.
const ISTIO_SYSTEM: &str = "istio-system";

/// Looks at every requirement.
pub(crate) async fn check(bench: &Bench) -> Vec<outcome::Requirement> {
    let mut found = Vec::new();
    for requirement in &bench.plan.runbook.requires {
        let (what, met) = match requirement {
            Requirement::Object(object) => object_exists(bench, object).await,
            Requirement::Serves { kind, api_version } => {
                let what = format!("the cluster serves {}/{}", api_version.raw, kind.raw);
                (what, serves(bench, kind, api_version).await)
            }
            Requirement::Sidecar { selector, namespace, .. } => {
                let what = format!("the pods with {} have an Istio sidecar", selector.raw);
                (what, sidecar(bench, selector, namespace.as_ref()).await)
            }
            Requirement::AccessLog(encoding) => {
                let what = format!("the mesh writes an access log as {}", encoding.value);
                (what, access_log(bench, &encoding.value).await)
            }
            Requirement::Can(can) => {
                let what = format!("you may {} {}", can.verb.raw, can.resource.raw);
                (what, may(bench, can).await)
            }
        };
        let unmet = met.err().map(|broken| {
            let advice: Vec<String> = std::iter::once(broken.failure.summary).chain(broken.failure.advice).collect();
            advice.join(". ")
        });
        found.push(outcome::Requirement { what, unmet });
    }
    found
}

fn unmet(what: impl Into<String>) -> Broken {
    Broken::failed(outcome::FailureKind::Target, what)
}

/// The runbook's own namespace stands in where a requirement names none.
fn default_namespace(bench: &Bench, own: Option<&periplus_core::model::Text>) -> Result<String, Broken> {
    match own.or(bench.plan.runbook.namespace.as_ref()) {
        Some(text) => bench.text(text),
        None => Err(unmet("nothing says in which namespace")),
    }
}

async fn object_exists(bench: &Bench, object: &periplus_core::model::ObjectRef) -> (String, Result<(), Broken>) {
    let shown = |bench: &Bench| {
        let (periplus_core::model::Which::Name(which) | periplus_core::model::Which::Selector(which)) = &object.which;
        let name = bench.text(which).unwrap_or_else(|_| which.raw.clone());
        format!("{} {name}", object.kind.raw)
    };
    let step: Option<&Step> = bench.plan.runbook.steps.first();
    let Some(step) = step else { return (shown(bench), Ok(())) };
    let look = async {
        let located = bench.locate(step, object).await?;
        let (there, wanted) = match &located {
            Located::One(address) => (bench.cluster.find(address).await?.is_some(), address.key().to_string()),
            Located::Some { resource, namespace, selector } => {
                let listed = bench.cluster.list(resource, namespace.as_deref(), selector).await?;
                (!listed.items.is_empty(), format!("{} with {}", resource.kind, selector.labels))
            }
        };
        if there { Ok(()) } else { Err(unmet(format!("there is no {wanted}"))) }
    };
    (format!("{} exists", shown(bench)), look.await)
}

async fn serves(
    bench: &Bench,
    kind: &periplus_core::model::Text,
    api_version: &periplus_core::model::Text,
) -> Result<(), Broken> {
    bench.cluster.resolve(Some(&bench.text(api_version)?), &bench.text(kind)?).await?;
    Ok(())
}

async fn sidecar(
    bench: &Bench,
    selector: &periplus_core::model::Text,
    namespace: Option<&periplus_core::model::Text>,
) -> Result<(), Broken> {
    let namespace = default_namespace(bench, namespace)?;
    let selector = bench.text(selector)?;
    let pods = bench.cluster.pods(&namespace, &PodsOf::Selector(selector.clone())).await?;
    let has_sidecar = |pod: &Value| {
        ["/spec/containers", "/spec/initContainers"].iter().any(|list| {
            let containers = pod.pointer(list).and_then(Value::as_array);
            containers.into_iter().flatten().any(|container| container["name"] == "istio-proxy")
        })
    };
    if pods.is_empty() {
        return Err(unmet(format!("no pod in namespace {namespace} has the labels {selector}")));
    }
    match pods.iter().find(|pod| !has_sidecar(pod)) {
        None => Ok(()),
        Some(pod) => {
            let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            Err(unmet(format!("pod {namespace}/{name} has no container istio-proxy"))
                .advise("Label its namespace with istio-injection=enabled (or istio.io/rev) and restart the workload"))
        }
    }
}

/// The mesh's configuration: of the revision that the runbook names by a parameter, else the default one.
async fn access_log(bench: &Bench, encoding: &str) -> Result<(), Broken> {
    let named = bench.scope().get("MESH_CONFIG").and_then(Value::as_str).map(str::to_owned);
    let name = named.unwrap_or_else(|| "istio".to_owned());
    let resource = bench.cluster.resolve(Some("v1"), "ConfigMap").await?;
    let address = ObjectAddress { resource, namespace: Some(ISTIO_SYSTEM.to_owned()), name };
    let Some(config) = bench.cluster.find(&address).await? else {
        return Err(unmet(format!("there is no {}, so no mesh", address.key())));
    };
    let text = config.pointer("/data/mesh").and_then(Value::as_str).unwrap_or_default();
    let mesh = periplus_core::yaml_edit::parse(text)
        .map_err(|error| unmet(format!("{} holds no valid YAML: {error}", address.key())))?;
    let file = mesh["accessLogFile"].as_str().unwrap_or_default();
    let written = mesh["accessLogEncoding"].as_str().unwrap_or("TEXT");
    if file.is_empty() {
        return Err(unmet(format!("{} sets no accessLogFile, so the sidecars write no access log", address.key()))
            .advise("Set `accessLogFile: /dev/stdout` in the mesh configuration"));
    }
    if !written.eq_ignore_ascii_case(encoding) {
        return Err(unmet(format!("{} writes the access log as {written}", address.key())));
    }
    if encoding == "text" && mesh["accessLogFormat"].as_str().is_some_and(|format| !format.is_empty()) {
        return Err(unmet(format!("{} sets an accessLogFormat of its own", address.key()))
            .advise("The runbook's log patterns are written for Istio's default format"));
    }
    Ok(())
}

async fn may(bench: &Bench, can: &periplus_core::model::Can) -> Result<(), Broken> {
    let resource = bench.text(&can.resource)?;
    let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
    let access = Access {
        verb: bench.text(&can.verb)?,
        group: can.group.as_ref().map(|group| bench.text(group)).transpose()?.unwrap_or_default(),
        resource: resource.to_owned(),
        subresource: subresource.to_owned(),
        namespace: default_namespace(bench, can.namespace.as_ref()).ok(),
        name: None,
    };
    match bench.cluster.can(&access).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(unmet("RBAC does not allow it").advise("Ask for a Role that does, or run with another context"))
        }
        // Without the right to ask, the action itself will tell.
        Err(ClusterError::Forbidden { .. } | ClusterError::NotFound(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
