//! The API as its clients see it, over the in-memory door.

mod access;
mod built_in;
mod cat;
mod clients;
mod custom;
mod hostile;
mod loopback;
mod replay;
mod streams;
mod support;
