//! Label and field selectors.
//!
//! Invariant: parsing accepts what the API server accepts and fails in its words.

mod fields;
mod labels;

use serde_json::Value;

use crate::schema::Resource;
use crate::status::Status;
use fields::FieldTerm;
use labels::Requirement;

/// What a list or a watch is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldTerm>,
}

impl Selector {
    /// From the two parameters.
    pub(super) fn parse(labels: Option<&str>, fields: Option<&str>, resource: &Resource) -> Result<Self, Status> {
        let labels = labels.map_or(Ok(Vec::new()), labels::parse).map_err(Status::bad_request)?;
        let fields =
            fields.map_or(Ok(Vec::new()), |text| fields::parse(text, resource)).map_err(Status::bad_request)?;
        Ok(Self { labels, fields })
    }

    /// Whether an object is selected.
    pub(super) fn matches(&self, object: &Value) -> bool {
        self.labels.iter().all(|requirement| requirement.matches(object))
            && self.fields.iter().all(|term| term.matches(object))
    }

    /// Narrows to one name.
    pub(super) fn select_name(&mut self, name: &str) {
        self.fields.push(FieldTerm::name(name));
    }

    /// Whether everything is selected.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}
