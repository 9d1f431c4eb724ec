//! Pages made from runbooks.

pub mod commands;
