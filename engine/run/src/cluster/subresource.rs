//! Parts of a pod that have no method of their own here.

use serde::de::DeserializeOwned;

use super::client::Cluster;
use super::error::ClusterError;
use super::request::{Call, segment};

impl Cluster {
    /// Reads a subresource of a pod, as JSON.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NotFound`] where there is no such pod, or pods have no such part; whatever stood in the way of asking.
    pub async fn pod_part<T: DeserializeOwned>(
        &self,
        namespace: &str,
        pod: &str,
        part: &str,
        query: &[(&'static str, &str)],
    ) -> Result<T, ClusterError> {
        let path = format!("/api/v1/namespaces/{}/pods/{}/{}", segment(namespace)?, segment(pod)?, segment(part)?);
        let call = Call::get(path).about(format!("pods/{part}"), Some(namespace));
        self.ask(query.iter().fold(call, |call, (key, value)| call.query(key, *value))).await
    }
}
