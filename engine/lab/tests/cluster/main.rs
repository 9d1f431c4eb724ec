//! Labs seen from the outside, by an ordinary Kubernetes client.

mod faults;
mod hostile;
mod leaks;
mod pods;
mod runtime;
mod support;
mod tutorial;
