//! The environment and the command line of a container.
//!
//! Invariant: what cannot be resolved yet is an error that says what is missing; nothing is left out silently.

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde_json::Value;

use super::node::{NODE_ADDRESS, NODE_NAME};
use super::resources::resource_field;
use crate::image::Image;
use crate::store::{GroupResource, Store, meta};

/// Why a container cannot be configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConfigError {
    /// Something that may still come, in the kubelet's words.
    #[error("{0}")]
    Missing(String),
    /// Something that the lab lacks.
    #[error("not simulated: {0}")]
    NotSimulated(String),
}

/// What variables are made from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) store: &'a Store,
    pub(super) pod: &'a Value,
    pub(super) address: Option<IpAddr>,
}

/// The variables of a container, in the order in which they are set; later ones may refer to earlier ones as `$(NAME)`.
pub(super) fn variables(sources: Sources<'_>, container: &Value) -> Result<IndexMap<String, String>, ConfigError> {
    let services = service_variables(sources);
    let mut variables = IndexMap::new();
    for source in list(container, "envFrom") {
        variables.extend(whole_source(sources, source)?);
    }
    for entry in list(container, "env") {
        let Some(name) = entry.get("name").and_then(Value::as_str) else { continue };
        let value = match entry.get("valueFrom") {
            Some(from) if from.get("resourceFieldRef").is_some() => {
                Some(resource_field(sources.pod, Some(container), &from["resourceFieldRef"])?)
            }
            Some(from) => value_from(sources, from)?,
            None => {
                let text = entry.get("value").and_then(Value::as_str).unwrap_or_default();
                Some(expand(text, |name| variables.get(name).or_else(|| services.get(name)).cloned()))
            }
        };
        if let Some(value) = value {
            variables.insert(name.to_owned(), value);
        }
    }
    for (name, value) in services {
        variables.entry(name).or_insert(value);
    }
    Ok(variables)
}

/// The argument list: the pod's command and arguments, or the image's.
pub(super) fn command(container: &Value, image: &Image, variables: &IndexMap<String, String>) -> Vec<String> {
    let given = |key: &str| -> Option<Vec<String>> {
        let words = container.get(key)?.as_array()?;
        let expanded =
            words.iter().filter_map(Value::as_str).map(|word| expand(word, |name| variables.get(name).cloned()));
        Some(expanded.collect())
    };
    let (command, args) = (given("command"), given("args"));
    let mut argv = match &command {
        Some(command) => command.clone(),
        None => image.entrypoint(),
    };
    match args {
        Some(args) => argv.extend(args),
        None if command.is_none() => argv.extend(image.command()),
        None => {}
    }
    argv
}

/// Replaces `$(NAME)` where the name is known; `$$` is a dollar sign.
fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')'))
            && let Some(value) = value(name)
        {
            expanded.push_str(&value);
            rest = tail;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    expanded
}

fn list<'a>(object: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    object.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn is_optional(reference: &Value) -> bool {
    reference.get("optional").and_then(Value::as_bool) == Some(true)
}

/// The data of a ConfigMap or Secret; `None` if it is absent and may be.
pub(super) fn data(
    store: &Store,
    namespace: &str,
    kind: &str,
    name: &str,
    optional: bool,
) -> Result<Option<BTreeMap<String, Vec<u8>>>, ConfigError> {
    let resource = if kind == "secret" { GroupResource::SECRETS } else { GroupResource::CONFIG_MAPS };
    let Some(object) = store.get(&resource, namespace, name) else {
        let missing = ConfigError::Missing(format!("{kind} {name:?} not found"));
        return if optional { Ok(None) } else { Err(missing) };
    };
    let members = |key: &str| object.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    let decode = |value: Value| STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    let mut data = BTreeMap::new();
    for (key, value) in members("data") {
        let bytes =
            if kind == "secret" { decode(value) } else { value.as_str().unwrap_or_default().as_bytes().to_vec() };
        data.insert(key, bytes);
    }
    for (key, value) in members("binaryData") {
        data.insert(key, decode(value));
    }
    Ok(Some(data))
}

fn whole_source(sources: Sources<'_>, source: &Value) -> Result<Vec<(String, String)>, ConfigError> {
    let namespace = meta::namespace(sources.pod);
    let prefix = text(source, "prefix");
    for (key, kind) in [("configMapRef", "configmap"), ("secretRef", "secret")] {
        if let Some(reference) = source.get(key) {
            let data = data(sources.store, namespace, kind, text(reference, "name"), is_optional(reference))?;
            let pairs = data.unwrap_or_default().into_iter();
            return Ok(pairs.map(|(key, value)| (format!("{prefix}{key}"), lossy(&value))).collect());
        }
    }
    Err(ConfigError::NotSimulated("this kind of envFrom".to_owned()))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn value_from(sources: Sources<'_>, from: &Value) -> Result<Option<String>, ConfigError> {
    let namespace = meta::namespace(sources.pod);
    for (member, kind, shown) in [("configMapKeyRef", "configmap", "ConfigMap"), ("secretKeyRef", "secret", "Secret")] {
        let Some(reference) = from.get(member) else { continue };
        let (name, key) = (text(reference, "name"), text(reference, "key"));
        let optional = is_optional(reference);
        let value = data(sources.store, namespace, kind, name, optional)?.and_then(|mut data| data.remove(key));
        return match value {
            Some(value) => Ok(Some(lossy(&value))),
            None if optional => Ok(None),
            None => Err(ConfigError::Missing(format!("couldn't find key {key} in {shown} {namespace}/{name}"))),
        };
    }
    match from.get("fieldRef") {
        Some(reference) => field(sources, text(reference, "fieldPath")).map(Some),
        None => Err(ConfigError::NotSimulated("this kind of valueFrom".to_owned())),
    }
}

/// A field of the pod, as the downward API names it.
pub(super) fn field(sources: Sources<'_>, path: &str) -> Result<String, ConfigError> {
    let pod = sources.pod;
    let address = || sources.address.map(|address| address.to_string()).unwrap_or_default();
    Ok(match path {
        "metadata.name" => meta::name(pod).to_owned(),
        "metadata.namespace" => meta::namespace(pod).to_owned(),
        "metadata.uid" => meta::uid(pod).to_owned(),
        "metadata.labels" => all(pod, "labels"),
        "metadata.annotations" => all(pod, "annotations"),
        "spec.nodeName" => NODE_NAME.to_owned(),
        "spec.serviceAccountName" => {
            pod.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        "status.podIP" | "status.podIPs" => address(),
        "status.hostIP" | "status.hostIPs" => NODE_ADDRESS.to_owned(),
        _ => {
            let one = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
            match (one("metadata.labels['"), one("metadata.annotations['")) {
                (Some(key), _) => meta::label(pod, key).unwrap_or_default().to_owned(),
                (_, Some(key)) => meta::annotation(pod, key).unwrap_or_default().to_owned(),
                _ => return Err(ConfigError::NotSimulated(format!("the field {path} of the downward API"))),
            }
        }
    })
}

/// Labels or annotations, one quoted pair a line, as the downward API writes them.
fn all(pod: &Value, which: &str) -> String {
    let members = pod.get("metadata").and_then(|meta| meta.get(which)).and_then(Value::as_object);
    let pairs: BTreeMap<_, _> = members.into_iter().flatten().collect();
    let lines: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    lines.join("\n")
}

/// The variables that tell of Services: those of the namespace if the pod wants links, and `kubernetes` always.
fn service_variables(sources: Sources<'_>) -> IndexMap<String, String> {
    let mut variables = IndexMap::new();
    let links = sources.pod.pointer("/spec/enableServiceLinks").and_then(Value::as_bool).unwrap_or(true);
    let mut services =
        sources.store.get(&GroupResource::SERVICES, "default", "kubernetes").into_iter().collect::<Vec<_>>();
    if links {
        services.extend(sources.store.list(&GroupResource::SERVICES, meta::namespace(sources.pod)).items);
    }
    for service in services {
        let Some(address) = service.pointer("/spec/clusterIP").and_then(Value::as_str).filter(|ip| *ip != "None")
        else {
            continue;
        };
        let prefix = meta::name(&service).to_uppercase().replace('-', "_");
        variables.insert(format!("{prefix}_SERVICE_HOST"), address.to_owned());
        for (index, port) in list(&service["spec"], "ports").enumerate() {
            let number = port.get("port").and_then(Value::as_u64).unwrap_or_default();
            let protocol = text(port, "protocol").to_lowercase();
            let url = format!("{protocol}://{address}:{number}");
            if index == 0 {
                variables.insert(format!("{prefix}_SERVICE_PORT"), number.to_string());
                variables.insert(format!("{prefix}_PORT"), url.clone());
            }
            if !text(port, "name").is_empty() {
                let name = text(port, "name").to_uppercase().replace('-', "_");
                variables.insert(format!("{prefix}_SERVICE_PORT_{name}"), number.to_string());
            }
            let stem = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
            variables.insert(stem.clone(), url);
            variables.insert(format!("{stem}_PROTO"), protocol);
            variables.insert(format!("{stem}_PORT"), number.to_string());
            variables.insert(format!("{stem}_ADDR"), address.to_owned());
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::store::WriteOptions;

    #[tokio::test(start_paused = true)]
    async fn variables_come_from_everywhere() {
        let store = Store::new(Clock::fixed(Clock::virtual_epoch()), 1);
        let namespace = json!({"metadata": {"name": "n"}});
        store.create(&WriteOptions::default(), &GroupResource::NAMESPACES, namespace).unwrap();
        let map = json!({"metadata": {"name": "m", "namespace": "n"}, "data": {"k": "v"}});
        store.create(&WriteOptions::default(), &GroupResource::CONFIG_MAPS, map).unwrap();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"k": "dw=="}});
        store.create(&WriteOptions::default(), &GroupResource::SECRETS, secret).unwrap();
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"app": "x"}}, "spec": {}});
        let sources = Sources { store: &store, pod: &pod, address: Some("10.244.0.2".parse().unwrap()) };
        let container = json!({
            "envFrom": [{"prefix": "M_", "configMapRef": {"name": "m"}}],
            "env": [
                {"name": "A", "value": "one"},
                {"name": "B", "value": "$(A) $$(A) $(NO) $(M_k)"},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "F", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": true}}},
            ],
        });
        let variables = variables(sources, &container).unwrap();
        let expected =
            [("M_k", "v"), ("A", "one"), ("B", "one $(A) $(NO) v"), ("C", "w"), ("D", "x"), ("E", "10.244.0.2")];
        let actual: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(actual, expected);
        let missing = json!({"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k"}}}]});
        let error = super::variables(sources, &missing).unwrap_err();
        assert_eq!(error, ConfigError::Missing("configmap \"none\" not found".to_owned()));
    }

    #[test]
    fn command_and_arguments_replace_those_of_the_image() {
        let image = Image::lookup("curlimages/curl:8.16.0").unwrap();
        let variables = IndexMap::from([("N".to_owned(), "5".to_owned())]);
        let argv = |container: Value| command(&container, &image, &variables);
        assert_eq!(argv(json!({})), ["/entrypoint.sh", "curl"]);
        assert_eq!(argv(json!({"args": ["-v"]})), ["/entrypoint.sh", "-v"]);
        assert_eq!(argv(json!({"command": ["/bin/sleep", "$(N)"]})), ["/bin/sleep", "5"]);
    }
}
