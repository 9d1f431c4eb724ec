//! Processes of a container: what a program sees, how it is started, and how it ends.
//!
//! Invariant: a program reaches nothing but what its [`Process`] holds: no file, socket, clock or variable of the machine.

mod console;
mod container;
mod context;
mod exit;
mod fd;
mod launch;
mod pipe;
mod server;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use console::Console;
pub use container::{Container, ContainerSpec, ProcessInfo};
pub use context::Process;
pub use exit::{Exit, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGTERM};
pub use fd::{Fd, IoError};
pub use launch::Located;
pub use terminal::{Terminal, Typed};
