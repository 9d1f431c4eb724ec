//! One run of a runbook on a cluster at a time: a lease in the cluster, renewed while the run goes on.

use std::time::Duration;

use periplus_core::event::{RunStarted, Target};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::cluster::{Cluster, LeaseError, LeaseSpec, lease_name};

/// How long a lease is held without being renewed: after a crash another run may start then.
const DURATION: Duration = Duration::from_secs(60);

/// A lease that is renewed until it is released.
pub(crate) struct Held {
    release: oneshot::Sender<()>,
    renewing: AbortOnDropHandle<()>,
}

impl Held {
    /// Takes the lease of a runbook.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another run holds it.
    pub(crate) async fn take(
        cluster: &Cluster,
        namespace: &str,
        started: &RunStarted,
        clock: Clock,
    ) -> Result<Self, LeaseError> {
        let who = match &started.target {
            Target::Cluster { user: Some(user), .. } => format!("{user} "),
            _ => String::new(),
        };
        let spec = LeaseSpec {
            namespace: namespace.to_owned(),
            runbook: started.runbook.name.clone(),
            holder: format!("{who}{}", holder(started)),
            duration: DURATION,
        };
        let mut lease = cluster.acquire_lease(&spec, clock.now()).await?;
        let (release, mut released) = oneshot::channel();
        let renewing = tokio::spawn(async move {
            let every = lease.renew_every();
            loop {
                tokio::select! {
                    biased;
                    _ = &mut released => break,
                    () = tokio::time::sleep(every) => {}
                }
                // A lease that could not be renewed now may be renewed next time; one that was lost stays lost, and the
                // run that took it found this one silent for its whole duration.
                if let Err(LeaseError::Lost { .. }) = lease.renew(clock.now()).await {
                    return;
                }
            }
            // One that cannot be given up runs out by itself.
            drop(lease.release().await);
        });
        Ok(Self { release, renewing: AbortOnDropHandle::new(renewing) })
    }

    /// Gives the lease up.
    pub(crate) async fn release(self) {
        self.release.send(()).ok();
        // The renewing task ends by itself; that it died would only leave a lease that runs out.
        drop(self.renewing.await);
    }
}

/// The part of a holder's name that tells runs apart.
fn holder(started: &RunStarted) -> String {
    format!("run {}", started.run)
}

/// Removes the lease that a run left behind when it was killed, in whichever namespace. One that may not be looked for,
/// or not be removed, runs out by itself.
pub(crate) async fn sweep(cluster: &Cluster, started: &RunStarted) {
    drop(cluster.drop_leases(&lease_name(&started.runbook.name), &holder(started)).await);
}
