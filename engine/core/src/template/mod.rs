//! Templates: text with values filled in, and conditions over the same values.
//!
//! One rule: the text is rendered first and parsed afterwards, so that no type is ever guessed. What a template refers
//! to is known when it is read; nothing here knows where a value comes from.

mod condition;
mod helpers;
mod names;
mod parse;
mod parts;
mod place;
mod render;
mod scope;
mod script;
mod shell;
mod syntax;
mod tags;
mod word;

pub use condition::{CONDITION_LIMITS, Condition, EvalError, FUNCTIONS};
pub use helpers::{HELPERS, HelperRow, is_helper};
pub use parse::{Flavour, Problem, Reference, TEMPLATE_LIMITS, Template, TemplateLimits, Templates};
pub use parts::{Expression, Part, ShellPlace};
pub use place::place;
pub use render::{Piece, RenderError};
pub use scope::Scope;
pub use shell::variables as shell_variables;
pub use word::quote as shell_quote;
