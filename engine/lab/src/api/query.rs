//! The parameters of a request's URL.
//!
//! Invariant: parameters keep their order and may repeat; an unknown one is ignored, as the API server does.

use crate::status::{Cause, Status};

/// Decoded parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// From the part of a URL after `?`.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self { pairs: pairs.into_owned().collect() }
    }

    /// The first value of a parameter, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// A parameter that is set and not false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, value)| key == name && !matches!(value.as_str(), "0" | "false"))
    }

    /// A whole number.
    ///
    /// # Errors
    /// 400 in the words of Go's `strconv`.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Status> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
    }

    /// `dryRun=All`.
    ///
    /// # Errors
    /// 422 for any other value.
    pub(crate) fn dry_run(&self, options_kind: &str) -> Result<bool, Status> {
        let values = self.all("dryRun");
        match values.iter().find(|value| !value.is_empty() && *value != "All") {
            None => Ok(values.iter().any(|value| value == "All")),
            Some(_) => {
                let list: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
                let message = format!("Unsupported value: [{}]: supported values: \"All\"", list.join(","));
                let cause = Cause::new("FieldValueNotSupported", "dryRun", message);
                Err(Status::invalid("meta.k8s.io", options_kind, "", vec![cause]))
            }
        }
    }
}
