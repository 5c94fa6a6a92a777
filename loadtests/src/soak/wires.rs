//! The wires between the servers and what they stand on, each server's own.

use std::path::PathBuf;

use super::proxy::{Passage, Proxy};
use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
};

/// What a wire leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum To {
    Postgres,
    Redis,
}

/// The wires of a server.
pub(crate) struct Wires {
    postgres: Proxy,
    redis: Proxy,
}

impl Wires {
    pub(crate) async fn lay(cluster: &Cluster) -> Outcome<Self> {
        let (folder, port) = cluster.socket_of_servers()?;
        let postgres = folder.join(format!(".s.PGSQL.{port}"));
        let url = cluster.redis_url();
        let redis = url.strip_prefix("redis+unix://").unwrap_or(&url);
        Ok(Self {
            postgres: Proxy::start(postgres).await?,
            redis: Proxy::start(PathBuf::from(redis)).await?,
        })
    }

    /// The settings of a server that uses them.
    pub(crate) fn settings(&self) -> [(&'static str, String); 3] {
        let postgres = self.postgres.address();
        let login = |login| format!("postgresql://{login}@{postgres}/{DATABASE}?sslmode=disable");
        [
            ("DEALGRAPH_DATABASE_URL", login("dealgraph_app")),
            ("DEALGRAPH_SYSTEM_DATABASE_URL", login("dealgraph_system")),
            (
                "DEALGRAPH_REDIS_URL",
                format!("redis://{}", self.redis.address()),
            ),
        ]
    }

    pub(crate) fn set(&self, to: To, passage: Passage) {
        self.to(to).set(passage);
    }

    pub(crate) fn cut(&self, to: To) {
        self.to(to).cut();
    }

    pub(crate) fn mend(&self) {
        for to in [To::Postgres, To::Redis] {
            self.set(to, Passage::Through);
        }
    }

    fn to(&self, to: To) -> &Proxy {
        match to {
            To::Postgres => &self.postgres,
            To::Redis => &self.redis,
        }
    }
}
