//! Parameters with their values: from where each came, and whether it is what was declared.
//!
//! All that is wrong is reported at once. The environment and files are asked for through [`Outside`]; nothing here
//! reads them.

mod bind;
mod types;

pub(crate) use bind::check_default;
pub use bind::{Bound, BoundParam, Given, NamedValues, NothingOutside, Outside, ParamSource, bind};
