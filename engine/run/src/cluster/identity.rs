//! Who is asked and who asks: what a run puts at its head, and what `resume` and `undo` compare.
//!
//! What the user may not see is absent, never guessed.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Cluster;
use super::error::ClusterError;
use super::request::Call;

/// A cluster and the user in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The kubeconfig context, or `in-cluster`. Absent for a cluster reached over a connector.
    pub context: Option<String>,
    /// URL of the API server.
    pub server: String,
    /// UID of namespace `kube-system`, which no two clusters share. Absent where it may not be read.
    pub uid: Option<String>,
    /// The user as the server sees them. Absent where the server does not say.
    pub user: Option<String>,
    /// The server's version, such as `v1.36.2`.
    pub version: String,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "gitVersion")]
    git_version: String,
}

impl Cluster {
    /// Asks the server who it is and who we are. The first request of a run: it also shows whether the server answers.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Unreachable`], [`ClusterError::Unauthorized`] and the like; a refusal to tell the UID or the
    /// user is no error.
    pub async fn identity(&self) -> Result<Identity, ClusterError> {
        let version: Version = self.ask(Call::get("/version")).await?;
        let (namespace, review) = futures::join!(
            self.ask::<Value>(Call::get("/api/v1/namespaces/kube-system").about("namespaces", None)),
            self.ask::<Value>(
                Call::new(Method::POST, "create", "/apis/authentication.k8s.io/v1/selfsubjectreviews")
                    .json(&json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}))
            ),
        );
        let text = |answer: Result<Value, ClusterError>, pointer: &str| match answer {
            Ok(object) => Ok(object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)),
            Err(ClusterError::Forbidden { .. } | ClusterError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        };
        Ok(Identity {
            context: self.context().map(str::to_owned),
            server: self.server().to_owned(),
            uid: text(namespace, "/metadata/uid")?,
            user: text(review, "/status/userInfo/username")?,
            version: version.git_version,
        })
    }
}
