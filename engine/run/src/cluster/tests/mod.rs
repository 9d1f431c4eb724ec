//! The client against API servers that say exactly what a test wants: real HTTP over an in-memory pipe.

mod answers;
mod connect;
mod exec;
mod logs;
mod server;
mod watch;
