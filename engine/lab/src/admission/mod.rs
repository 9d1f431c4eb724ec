//! What the API server does to objects on their way in: defaults, allocation, injection, rules.
//!
//! Invariant: defaults depend on the object alone; everything that looks at other objects happens in `review`.

mod cluster_ip;
mod defaults;
mod inject;
mod ownership;
mod pod;
mod rbac;
mod review;
mod rules;

pub use review::Review;
