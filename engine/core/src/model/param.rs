//! Parameters as declared.

use crate::source::{Span, Spanned};

/// A value that the user supplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// What is accepted.
    pub kind: ParamType,
    /// What it is, for the reader.
    pub description: Option<String>,
    /// The value where none is given, as written. A list has several.
    pub default: Option<Spanned<Vec<String>>>,
    /// The environment variable that may supply it.
    pub env: Option<String>,
    /// Whether it may be left out; it is then empty.
    pub optional: bool,
    /// A regular expression that the whole value must match.
    pub pattern: Option<Spanned<String>>,
    /// Whether its value must never be shown or journaled.
    pub secret: bool,
    /// Where it is declared.
    pub span: Span,
}

/// What a parameter accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// One value.
    Scalar(ScalarType),
    /// One of these words.
    Enum(Vec<String>),
    /// Several values, given comma-separated or as a YAML list.
    List(ScalarType),
}

/// The type of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarType {
    /// Any text.
    String,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A DNS name.
    Host,
    /// An address with a prefix length.
    Cidr,
    /// 1 to 65535.
    Port,
    /// An absolute URL with a host.
    Url,
    /// The name of a Kubernetes object (RFC 1123 subdomain).
    Name,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Such as `30s`.
    Duration,
    /// The path of a file that can be read.
    File,
}

impl ScalarType {
    /// All types, by the name the file gives them.
    pub const TABLE: [(&'static str, Self); 12] = [
        ("string", Self::String),
        ("ip", Self::Ip),
        ("host", Self::Host),
        ("cidr", Self::Cidr),
        ("port", Self::Port),
        ("url", Self::Url),
        ("name", Self::Name),
        ("int", Self::Int),
        ("number", Self::Number),
        ("bool", Self::Bool),
        ("duration", Self::Duration),
        ("file", Self::File),
    ];

    /// The name the file gives it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::TABLE.iter().find(|(_, kind)| *kind == self).map_or("string", |(name, _)| name)
    }
}
