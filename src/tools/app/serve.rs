//! Running, and shutting down without losing a request.
//!
//! A shutdown has three steps. First the server says that it is not ready and goes on serving, until whoever balances
//! requests has noticed. Then it takes no connection any more, lets requests end, and closes sockets and event streams,
//! each at another moment, so that the servers they come back to are not flooded. At last it sends what waits (mails,
//! audit entries) and closes its connections.

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::App;
use crate::{
    data::figures,
    db::journal::idempotency,
    jobs,
    organization::{members::reassignment, webhooks},
    platform::{
        server::{self, ServerLimits, Shutdown},
        telemetry::metrics::ConnectionMetrics,
    },
};

/// Connections to the operators' listener at a time; Prometheus and probes need a few.
const OPERATOR_CONNECTIONS: usize = 100;

/// What a server listens on.
pub struct Listeners {
    /// For clients.
    pub public: TcpListener,
    /// For operators, if there is to be one.
    pub operator: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    /// For clients alone.
    fn from(public: TcpListener) -> Self {
        Self {
            public,
            operator: None,
        }
    }
}

/// How a server shuts down.
#[derive(Debug, Clone, Copy, Default)]
pub struct Drain {
    /// How long it goes on serving after it has said not to be ready, for whoever balances requests to notice.
    pub wait: Duration,
}

impl App {
    /// Serves until it is to stop, then drains: see the module's page.
    ///
    /// # Errors
    /// A listener broke.
    pub async fn serve(
        self,
        listeners: impl Into<Listeners>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let Listeners { public, operator } = listeners.into();
        let (tasks, after) = (TaskTracker::new(), CancellationToken::new());
        self.spawn_tasks(&tasks, &after);
        if let Some(listener) = operator {
            let limits = ServerLimits {
                max_connections: OPERATOR_CONNECTIONS,
                max_connections_per_ip: OPERATOR_CONNECTIONS,
                ..self.server.clone()
            };
            let routes = self.operator_routes();
            let until = after.clone();
            tasks.spawn(async move {
                let counted = ConnectionMetrics::default();
                let served = server::serve(listener, routes, limits, counted, until.into());
                if let Err(error) = served.await {
                    tracing::error!(%error, "the operators' listener broke");
                }
            });
        }
        tasks.close();
        let shutdown = Shutdown::default();
        let routes = self.routes();
        let counted = self.metrics.connections.clone();
        let drain = async {
            stop.cancelled().await;
            self.health.drain();
            shutdown.last_requests.cancel();
            tokio::time::sleep(self.drain.wait).await;
            shutdown.stop.cancel();
            self.api.close().await;
        };
        let serve = server::serve(public, routes, self.server, counted, shutdown.clone());
        let (served, ()) = tokio::join!(serve, drain);
        after.cancel();
        tasks.wait().await;
        self.accounts.finish().await;
        self.sending.finish().await;
        self.recording.finish().await;
        self.db.close().await;
        served
    }

    /// What goes on beside requests, until `after`.
    fn spawn_tasks(&self, tasks: &TaskTracker, after: &CancellationToken) {
        let (hub, until) = (Arc::clone(&self.hub), after.clone());
        tasks.spawn(async move { hub.run(&until).await });
        let (presences, until) = (Arc::clone(&self.presences), after.clone());
        tasks.spawn(async move { presences.run(&until).await });
        let (health, until) = (Arc::clone(&self.health), after.clone());
        tasks.spawn(async move { health.run(&until).await });
        tasks.spawn(Arc::clone(&self.worker).run(after.clone()));
        tasks.spawn(reassignment::run(self.db.clone(), after.clone()));
        let db = self.db.clone();
        tasks.spawn(jobs::keep(db, after.clone(), "jobs", jobs::forget));
        let db = self.db.clone();
        tasks.spawn(jobs::keep(
            db,
            after.clone(),
            "webhook deliveries",
            webhooks::deliveries::forget,
        ));
        tasks.spawn(self.db.clone().watch_replica(after.clone()));
        tasks.spawn(idempotency::run(self.db.clone(), after.clone()));
        tasks.spawn(figures::run(
            self.db.clone(),
            Arc::clone(&self.metrics),
            after.clone(),
        ));
        let (access, until) = (Arc::clone(&self.access), after.clone());
        tasks.spawn(async move { access.run(until).await });
        tasks.spawn(Arc::clone(&self.accounts).sweep(after.clone()));
    }
}
