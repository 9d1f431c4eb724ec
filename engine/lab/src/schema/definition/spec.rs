//! Validation of `spec`: group, scope, names, versions, conversion.
//!
//! Invariant: what all versions have in common is named once, as a field of `spec`, because the API server's inner form holds it so.

use serde_json::{Value, json};

use super::schema::check_schema;
use super::versions::{check_columns, check_deprecation, check_names, check_selectable, check_subresources};
use crate::schema::names::{label_1035_problem, subdomain_problem};
use crate::status::{Cause, Status};

/// The versions of a definition.
pub(super) fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// What all versions share under `key`; none when they differ.
fn shared<'a>(crd: &'a Value, key: &str) -> Option<Option<&'a Value>> {
    let mut all = versions(crd).map(|version| version.get(key));
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// Checks `spec`, and on an update that nothing immutable changed.
///
/// # Errors
/// 501 for a validation rule that the lab can't read.
pub(super) fn check_spec(new: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) -> Result<(), Status> {
    check_group(text(new, "/spec/group"), causes);
    check_one_of("spec.scope", new.pointer("/spec/scope"), &["Cluster", "Namespaced"], causes);
    let schemas = shared(new, "schema");
    for (index, version) in versions(new).enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            causes.push(Cause::required(format!("spec.versions[{index}].schema.openAPIV3Schema"), ""));
        }
    }
    for (index, version) in versions(new).enumerate() {
        check_version(new, old, version, &format!("spec.versions[{index}]"), causes)?;
    }
    check_version_list(new, causes);
    if let Some((name, problem)) =
        versions(new).next().map(|first| text(first, "/name")).and_then(|name| Some((name, label_1035_problem(name)?)))
    {
        causes.push(Cause::invalid("spec.version", &name.into(), &problem));
    }
    for name in ["plural", "singular", "kind", "listKind"] {
        if text(new, &format!("/spec/names/{name}")).is_empty() {
            causes.push(Cause::required(format!("spec.names.{name}"), ""));
        }
    }
    check_names(new.pointer("/spec/names"), "spec.names", causes);
    if let Some(Some(schema)) = schemas {
        let unchanged = old.is_some_and(|old| shared(old, "schema") == schemas);
        check_schema(schema, has_status(new, None), unchanged, "spec.validation", causes)?;
    }
    if let Some(Some(subresources)) = shared(new, "subresources") {
        check_subresources(subresources, "spec.subresources", causes);
    }
    if let Some(Some(columns)) = shared(new, "additionalPrinterColumns") {
        check_columns(columns, "spec.additionalPrinterColumns", causes);
    }
    if let (Some(Some(fields)), Some(version)) = (shared(new, "selectableFields"), versions(new).next()) {
        check_selectable(fields, version, "spec.selectableFields", causes);
    }
    check_conversion(new.pointer("/spec/conversion"), causes);
    if let Some(old) = old {
        check_immutable(new, old, causes);
    }
    Ok(())
}

fn has_status(crd: &Value, version: Option<&Value>) -> bool {
    let has = |version: &Value| version.pointer("/subresources/status").is_some();
    version.map_or_else(|| versions(crd).any(has), has)
}

fn check_version(
    crd: &Value,
    old: Option<&Value>,
    version: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) -> Result<(), Status> {
    let name = text(version, "/name");
    if let Some(problem) = label_1035_problem(name) {
        causes.push(Cause::invalid(format!("{path}.name"), &name.into(), &problem));
    }
    check_deprecation(version, path, causes);
    if let (None, Some(schema)) = (shared(crd, "schema"), version.get("schema")) {
        let before = old.and_then(|old| versions(old).find(|old| text(old, "/name") == name));
        let unchanged = before.is_some_and(|old| old.get("schema") == Some(schema));
        check_schema(schema, has_status(crd, Some(version)), unchanged, &format!("{path}.schema"), causes)?;
    }
    if let (None, Some(subresources)) = (shared(crd, "subresources"), version.get("subresources")) {
        check_subresources(subresources, &format!("{path}.subresources"), causes);
    }
    if let (None, Some(columns)) = (shared(crd, "additionalPrinterColumns"), version.get("additionalPrinterColumns")) {
        check_columns(columns, &format!("{path}.additionalPrinterColumns"), causes);
    }
    if let (None, Some(fields)) = (shared(crd, "selectableFields"), version.get("selectableFields")) {
        if shared(crd, "schema").is_some() {
            // The server's own slip: a schema that all versions share does not count as the version's.
            let detail = "may only be set when `version.schema.openAPIV3Schema` is not included";
            causes.push(Cause::invalid(format!("{path}.selectableFields"), &"".into(), detail));
            return Ok(());
        }
        check_selectable(fields, version, &format!("{path}.selectableFields"), causes);
    }
    Ok(())
}

fn check_group(group: &str, causes: &mut Vec<Cause>) {
    let field = "spec.group";
    if group.is_empty() {
        causes.push(Cause::required(field, ""));
    } else if let Some(problem) = subdomain_problem(group) {
        causes.push(Cause::invalid(field, &group.into(), &problem));
    } else if !group.contains('.') {
        causes.push(Cause::invalid(field, &group.into(), "should be a domain with at least one dot"));
    }
}

fn check_one_of(field: &str, value: Option<&Value>, allowed: &[&str], causes: &mut Vec<Cause>) {
    let value = value.and_then(Value::as_str).unwrap_or_default();
    if value.is_empty() {
        causes.push(Cause::required(field, ""));
    } else if !allowed.contains(&value) {
        let allowed: Vec<String> = allowed.iter().map(|one| (*one).to_owned()).collect();
        causes.push(Cause::not_supported(field, &value.into(), &allowed));
    }
}

fn check_version_list(crd: &Value, causes: &mut Vec<Cause>) {
    let names: Vec<&str> = versions(crd).map(|version| text(version, "/name")).collect();
    let shown: Value = versions(crd).map(|version| internal_form(crd, version)).collect();
    if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
        causes.push(Cause::invalid_struct("spec.versions", &shown, "must contain unique version names"));
    }
    let stored = versions(crd).filter(|version| version.get("storage") == Some(&Value::Bool(true))).count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid_struct("spec.versions", &shown, detail));
    }
}

/// A version as the API server's inner form holds it: without what all versions share.
fn internal_form(crd: &Value, version: &Value) -> Value {
    let own = |key: &str| match shared(crd, key) {
        Some(_) => Value::Null,
        None => version.get(key).cloned().unwrap_or_default(),
    };
    let or = |key: &str, otherwise: Value| version.get(key).cloned().unwrap_or(otherwise);
    json!({
        "Name": or("name", "".into()),
        "Served": or("served", false.into()),
        "Storage": or("storage", false.into()),
        "Deprecated": or("deprecated", false.into()),
        "DeprecationWarning": or("deprecationWarning", Value::Null),
        "Schema": own("schema"),
        "Subresources": own("subresources"),
        "AdditionalPrinterColumns": own("additionalPrinterColumns"),
        "SelectableFields": own("selectableFields"),
    })
}

fn check_conversion(conversion: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(conversion) = conversion else { return };
    check_one_of("spec.conversion.strategy", conversion.get("strategy"), &["None", "Webhook"], causes);
    let webhook = conversion.get("webhook");
    let config = webhook.and_then(|webhook| webhook.get("clientConfig"));
    let reviews = webhook.and_then(|webhook| webhook.get("conversionReviewVersions")).and_then(Value::as_array);
    let field = |name: &str| format!("spec.conversion.{name}");
    if text(conversion, "/strategy") != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if config.is_some() {
            causes.push(Cause::forbidden(field("webhookClientConfig"), detail));
        }
        if reviews.is_some_and(|reviews| !reviews.is_empty()) {
            causes.push(Cause::forbidden(field("conversionReviewVersions"), detail));
        }
        return;
    }
    match config {
        None => {
            let detail = "required when strategy is set to Webhook";
            causes.push(Cause::required(field("webhookClientConfig"), detail));
        }
        Some(config) if config.get("url").is_some() == config.get("service").is_some() => {
            let detail = "exactly one of url or service is required";
            causes.push(Cause::required(field("webhookClientConfig"), detail));
        }
        Some(_) => {}
    }
    match reviews.filter(|reviews| !reviews.is_empty()) {
        None => causes.push(Cause::required(field("conversionReviewVersions"), "")),
        Some(reviews) if !reviews.iter().any(|version| version == "v1" || version == "v1beta1") => {
            let shown = Value::Array(reviews.clone());
            let detail = "must include at least one of v1, v1beta1";
            causes.push(Cause::invalid(field("conversionReviewVersions"), &shown, detail));
        }
        Some(_) => {}
    }
}

fn check_immutable(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let established =
        super::condition(old, "Established").is_some_and(|condition| text(condition, "/status") == "True");
    let always = ["group", "names/plural"];
    let once_served = ["scope", "names/kind"];
    for path in once_served.iter().filter(|_| established).chain(&always) {
        let at = |crd: &Value| crd.pointer(&format!("/spec/{path}")).cloned().unwrap_or_default();
        if at(new) != at(old) {
            let field = format!("spec.{}", path.replace('/', "."));
            causes.push(Cause::invalid(field, &at(new), "field is immutable"));
        }
    }
}
