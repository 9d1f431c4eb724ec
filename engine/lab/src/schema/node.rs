//! A view of one place in a schema, the same for built-in kinds (OpenAPI v3) and custom ones (structural schemas).
//!
//! Invariant: a node borrows; looking at a schema copies nothing.

use serde_json::{Map, Value};

use super::data;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// One place in a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    source: &'a Value,
    /// What stands at the place itself; wins over the referenced schema.
    outer: &'a Map<String, Value>,
    /// The schema that it refers to.
    inner: Option<&'a Map<String, Value>>,
    /// Name of that schema.
    name: &'a str,
    /// An object with `apiVersion`, `kind` and `metadata` that its own schema does not spell out.
    resource: bool,
}

/// What a value at a node may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeType {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
    /// Anything goes, and is treated as what it looks like.
    Any,
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListType<'a> {
    Atomic,
    Set,
    Map(Vec<&'a str>),
}

impl<'a> Node<'a> {
    /// The node of a schema, with its reference resolved. None for a schema that is no object.
    pub(crate) fn new(schema: &'a Value) -> Option<Self> {
        let outer = schema.as_object()?;
        let reference = outer.get("$ref").or_else(|| outer.get("allOf")?.get(0)?.get("$ref"));
        let name =
            reference.and_then(Value::as_str).map_or("", |path| path.trim_start_matches("#/components/schemas/"));
        let inner = if name.is_empty() { None } else { data::schema(name).and_then(Value::as_object) };
        Some(Self { source: schema, outer, inner, name, resource: false })
    }

    /// The root of a built-in kind.
    pub(crate) fn builtin_root(schema: &'a Value, kind: &'a str) -> Option<Self> {
        Some(Self { name: kind, ..Self::new(schema)? })
    }

    /// The root of a custom resource: `apiVersion`, `kind` and `metadata` are known whatever its schema says.
    pub(crate) fn custom_root(schema: &'a Value) -> Option<Self> {
        Some(Self { resource: true, ..Self::new(schema)? })
    }

    /// The node of a schema of the built-in set.
    pub(crate) fn named(name: &'static str) -> Option<Node<'static>> {
        Some(Node { name, ..Node::new(data::schema(name)?)? })
    }

    /// A keyword of the schema.
    pub(crate) fn keyword(&self, key: &str) -> Option<&'a Value> {
        self.outer.get(key).or_else(|| self.inner?.get(key))
    }

    /// A keyword that holds text, or "".
    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.keyword(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A keyword that is set to true.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.keyword(key) == Some(&Value::Bool(true))
    }

    /// Last part of the referenced schema's name, such as `DeploymentSpec`.
    pub(crate) fn type_name(&self) -> &'a str {
        self.name.rsplit('.').next().unwrap_or_default()
    }

    /// The schema of the schemas that stand here beside booleans or lists of schemas.
    pub(super) fn nested_schema(&self) -> Option<Node<'static>> {
        const SCHEMA: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
        let below = self.name.strip_prefix(SCHEMA)?;
        if matches!(below, "OrArray" | "OrBool") { Node::named(SCHEMA) } else { None }
    }

    /// Whether values here are ports of EndpointSlices, whose empty names are written out.
    pub(crate) fn is_endpoint_port(&self) -> bool {
        self.name == "io.k8s.api.discovery.v1.EndpointPort"
    }

    /// Whether values here are resource quantities.
    pub(crate) fn is_quantity(&self) -> bool {
        self.name == "io.k8s.apimachinery.pkg.api.resource.Quantity"
    }

    /// Whether values here are bytes, written in base64.
    pub(crate) fn is_bytes(&self) -> bool {
        self.text("format") == "byte"
    }

    /// What a value here may be.
    pub(crate) fn node_type(&self) -> NodeType {
        if self.flag("x-kubernetes-int-or-string") || self.text("format") == "int-or-string" || self.is_quantity() {
            return NodeType::IntOrString;
        }
        match self.text("type") {
            "object" if self.is_free_form() => NodeType::Any,
            "object" => NodeType::Object,
            "array" => NodeType::Array,
            "string" => NodeType::String,
            "integer" => NodeType::Integer,
            "number" => NodeType::Number,
            "boolean" => NodeType::Boolean,
            _ if self.resource || self.keyword("properties").is_some() => NodeType::Object,
            _ => NodeType::Any,
        }
    }

    /// An object about whose members nothing is said, such as `RawExtension`. Only in built-in schemas does that mean "anything".
    fn is_free_form(&self) -> bool {
        !self.name.is_empty() && self.keyword("properties").is_none() && self.keyword("additionalProperties").is_none()
    }

    /// The members that the schema names.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let named = self.keyword("properties").and_then(Value::as_object);
        named.into_iter().flatten().filter_map(|(name, schema)| Some((name.as_str(), Node::new(schema)?)))
    }

    /// The members that the schema names and that have a default. Built-in schemas have few, so the others are not looked into.
    pub(crate) fn defaulted(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let named = self.keyword("properties").and_then(Value::as_object);
        let defaulted = named.into_iter().flatten().filter(|(_, schema)| schema.get("default").is_some());
        defaulted.filter_map(|(name, schema)| Some((name.as_str(), Node::new(schema)?)))
    }

    /// The member of that name, if the schema names it.
    pub(crate) fn property(&self, name: &str) -> Option<Node<'a>> {
        if self.resource {
            match name {
                "metadata" => return Node::named(OBJECT_META),
                "apiVersion" | "kind" => return Node::new(string_schema()),
                _ => {}
            }
        }
        self.own_property(name)
    }

    /// The member of that name, if the schema itself names it.
    pub(super) fn own_property(&self, name: &str) -> Option<Node<'a>> {
        Self::part(self.keyword("properties")?.get(name)?)
    }

    /// The member of that name, named or not, by the schema itself.
    pub(super) fn own_member(&self, name: &str) -> Option<Node<'a>> {
        self.own_property(name).or_else(|| self.additional())
    }

    fn part(schema: &'a Value) -> Option<Node<'a>> {
        let node = Node::new(schema)?;
        Some(Node { resource: node.flag("x-kubernetes-embedded-resource"), ..node })
    }

    /// Whether this is a whole object with `apiVersion`, `kind` and `metadata`.
    pub(super) fn is_resource(&self) -> bool {
        self.resource
    }

    /// The schema of its metadata, if it is a whole object.
    pub(super) fn object_meta(&self) -> Option<Node<'static>> {
        if self.resource { Node::named(OBJECT_META) } else { None }
    }

    /// The schema as it stands, without what it refers to.
    pub(super) fn schema(&self) -> &'a Value {
        self.source
    }

    /// The members that the schema does not name: their schema, if there may be any.
    pub(crate) fn additional(&self) -> Option<Node<'a>> {
        Self::part(self.keyword("additionalProperties")?)
    }

    /// The member of that name, named or not.
    pub(crate) fn member(&self, name: &str) -> Option<Node<'a>> {
        self.property(name).or_else(|| self.additional())
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<Node<'a>> {
        Self::part(self.keyword("items")?)
    }

    /// How items are told apart.
    pub(crate) fn list_type(&self) -> ListType<'a> {
        match self.text("x-kubernetes-list-type") {
            "set" => ListType::Set,
            "map" => {
                let keys = self.keyword("x-kubernetes-list-map-keys").and_then(Value::as_array);
                ListType::Map(keys.into_iter().flatten().filter_map(Value::as_str).collect())
            }
            _ => ListType::Atomic,
        }
    }

    /// A map or struct that is owned and replaced as a whole.
    pub(crate) fn is_atomic_map(&self) -> bool {
        self.text("x-kubernetes-map-type") == "atomic"
    }

    /// The default value.
    pub(crate) fn default_value(&self) -> Option<&'a Value> {
        self.keyword("default")
    }

    /// A struct that is always written, because Go holds it by value.
    pub(crate) fn is_always_written(&self) -> bool {
        self.default_value().and_then(Value::as_object).is_some_and(Map::is_empty)
    }

    /// Names that must be there.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'a str> {
        self.keyword("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Unknown members are kept.
    pub(crate) fn preserves_unknown(&self) -> bool {
        self.flag("x-kubernetes-preserve-unknown-fields") || self.node_type() == NodeType::Any
    }
}

fn string_schema() -> &'static Value {
    static STRING: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| serde_json::json!({"type": "string"}));
    &STRING
}
