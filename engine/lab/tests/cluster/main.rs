//! Labs seen from the outside, by an ordinary Kubernetes client.

mod faults;
mod hostile;
mod pods;
mod support;
mod tutorial;
