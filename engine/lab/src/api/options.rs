//! The options of lists and watches.
//!
//! Invariant: options are read and judged before anything is looked up.

use super::query::Query;
use crate::status::{Cause, Status};

/// How the revision of a list is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RevisionMatch {
    Exact,
    NotOlderThan,
}

/// Options of a list or a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListOptions {
    /// `resourceVersion`; none when it is not given.
    pub(super) revision: Option<u64>,
    pub(super) revision_match: Option<RevisionMatch>,
    pub(super) limit: Option<usize>,
    pub(super) continue_token: Option<String>,
    /// Seconds; none when it is not given, or no positive number.
    pub(super) timeout: Option<u64>,
    pub(super) bookmarks: bool,
    pub(super) send_initial_events: Option<bool>,
}

impl ListOptions {
    /// Reads and judges the options.
    ///
    /// # Errors
    /// 400 for what can't be read, 422 for combinations that make no sense, in the words of the server.
    pub(super) fn parse(query: &Query, watch: bool) -> Result<Self, Status> {
        let limit = query.integer("limit")?;
        let timeout = query.integer("timeoutSeconds")?;
        let revision = query.get("resourceVersion").unwrap_or_default();
        let matching = query.get("resourceVersionMatch").unwrap_or_default();
        let continue_token = query.get("continue").map(ToOwned::to_owned);
        let send_initial_events = query.has("sendInitialEvents").then(|| query.flag("sendInitialEvents"));
        let resuming = continue_token.is_some();
        let causes = if watch {
            judge_watch(matching, resuming, send_initial_events.is_some())
        } else {
            judge_list(matching, revision, resuming, send_initial_events.is_some())
        };
        if !causes.is_empty() {
            return Err(Status::invalid("meta.k8s.io", "ListOptions", "", causes));
        }
        let revision = match revision {
            "" => None,
            text => Some(parse_revision(text).map_err(|problem| {
                if watch {
                    Status::failure(problem)
                } else {
                    Status::bad_request(format!("invalid resource version: {problem}"))
                }
            })?),
        };
        let revision_match = match matching {
            "Exact" => Some(RevisionMatch::Exact),
            "NotOlderThan" => Some(RevisionMatch::NotOlderThan),
            _ => None,
        };
        Ok(Self {
            revision,
            revision_match,
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0),
            continue_token,
            timeout: timeout.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0),
            bookmarks: query.flag("allowWatchBookmarks"),
            send_initial_events,
        })
    }
}

/// A `resourceVersion` as a number; else what is wrong with it.
pub(super) fn parse_revision(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
    })
}

const MATCH: &str = "resourceVersionMatch";

fn judge_list(matching: &str, revision: &str, resuming: bool, initial: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !matching.is_empty() {
        if revision.is_empty() {
            causes
                .push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        }
        if resuming {
            causes.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            let allowed = ["Exact", "NotOlderThan", ""].map(ToOwned::to_owned);
            causes.push(Cause::not_supported(MATCH, &matching.into(), &allowed));
        }
        if matching == "Exact" && revision == "0" {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(Cause::forbidden(MATCH, detail));
        }
    }
    if initial {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    causes
}

fn judge_watch(matching: &str, resuming: bool, initial: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    if initial && matching != "NotOlderThan" {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        causes.push(Cause::forbidden(MATCH, detail));
    }
    if !matching.is_empty() {
        if !initial {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            causes.push(Cause::forbidden(MATCH, detail));
        }
        if matching != "NotOlderThan" {
            causes.push(Cause::not_supported(MATCH, &matching.into(), &["NotOlderThan".to_owned()]));
        }
    }
    // The server says so of any watch that names a place in a list.
    if resuming {
        causes.push(Cause::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
    }
    causes
}
