//! Choosing what a lab is made of.
//!
//! Invariant: building has no effect outside the lab.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::boot;
use super::error::LabError;
use super::handle::Lab;
use crate::net::Uplink;
use crate::world::{Params, Renderer, World, substitute};

/// Collects what a [`Lab`] is made of.
#[must_use]
pub struct LabBuilder {
    pub(super) world: World,
    pub(super) overrides: BTreeMap<String, String>,
    pub(super) virtual_time: bool,
    pub(super) uplink: Option<Arc<dyn Uplink>>,
    pub(super) renderer: Renderer,
}

impl Default for LabBuilder {
    fn default() -> Self {
        Self {
            world: World::default(),
            overrides: BTreeMap::new(),
            virtual_time: false,
            uplink: None,
            renderer: Arc::new(substitute),
        }
    }
}

impl LabBuilder {
    /// What the lab starts with. Default: nothing but what every cluster has.
    pub fn world(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    /// Values that win over the world's. One for a parameter that points at a pod gives that pod this address.
    pub fn params(mut self, overrides: BTreeMap<String, String>) -> Self {
        self.overrides = overrides;
        self
    }

    /// With virtual time the lab's clock starts at the world's epoch; the runtime should be paused, so that time jumps whenever
    /// nothing can move. Without, it starts at the present moment. Default: without.
    pub fn virtual_time(mut self, virtual_time: bool) -> Self {
        self.virtual_time = virtual_time;
        self
    }

    /// A way out to real hosts, for what neither the cluster nor the world has. Default: none. With virtual time there can be none,
    /// for real hosts do not wait.
    pub fn uplink(mut self, uplink: Arc<dyn Uplink>) -> Self {
        self.uplink = Some(uplink);
        self
    }

    /// Fills parameters into the world's texts. Default: [`substitute`], which knows `{{NAME}}` alone.
    pub fn renderer(
        mut self,
        renderer: impl Fn(&str, &Params) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        self.renderer = Arc::new(renderer);
        self
    }

    /// Builds the lab and waits until its pods are ready, which takes no lab time unless a fault delays them. A pod that is not
    /// ready after a minute of lab time is left as it is; see [`Lab::unready`].
    ///
    /// Call it on the current-thread runtime that clients of the lab will use too.
    ///
    /// # Errors
    /// See [`LabError`].
    pub async fn build(self) -> Result<Lab, LabError> {
        boot::boot(self).await
    }
}
