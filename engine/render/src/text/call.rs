//! Why a call went where it went: proxies, what the call passed in each, and its end.

use periplus_core::call::Call;

use crate::style::{Role, Theme};
use crate::text::page::Page;

/// One call as `periplus lab explain` shows it.
#[must_use]
pub fn call(call: &Call, theme: Theme) -> String {
    let mut page = Page::new(theme);
    write(&mut page, 0, call);
    page.into_text()
}

pub(crate) fn write(page: &mut Page, indent: usize, call: &Call) {
    page.line(indent, Role::Strong, &call.call);
    for stage in &call.stages {
        page.line(indent + 2, Role::Plain, &stage.proxy);
        for hop in &stage.hops {
            page.line(indent + 4, Role::Dim, hop);
        }
        if stage.end != call.end {
            page.hanging(indent + 4, "= ", Role::Plain, &stage.end);
        }
    }
    page.hanging(indent + 2, "= ", Role::Plain, &call.end);
    if let Some(now) = &call.now {
        let since = "the configuration has changed since; a change takes a moment to reach each proxy. The same call would now be";
        page.hanging(indent + 2, "! ", Role::Doubt, &format!("{since}: {now}"));
    }
}
