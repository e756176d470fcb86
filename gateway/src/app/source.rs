//! Where the objects come from: a directory, or an API server.

use anyhow::Context as _;
use mcwan_telemetry::admin::Pages;
use mcwan_watch::Pace;
use tokio::sync::watch;

use super::Args;
use crate::cluster::bind::Home;
use crate::cluster::{self, Cluster, Parts};
use crate::standalone::status::Status;
use crate::standalone::{self, Standalone};

/// What publishes the tables. Dropping it ends that; the last table stays.
#[derive(Debug)]
pub(super) enum Source {
    Standalone(Standalone),
    Cluster(Cluster),
}

impl Source {
    /// Starts what the arguments ask for. From a directory the first table is there when this returns; an API server may
    /// be away, and is waited for in the background.
    pub(super) async fn start(args: &Args, parts: Parts) -> anyhow::Result<Self> {
        if let Some(gateway) = &args.gateway {
            let kubeconfig = args.kubeconfig.as_deref();
            let client = mcwan_watch::connect(kubeconfig, args.context.as_deref()).await?;
            let settings = cluster::Settings {
                gateway: gateway.clone(),
                bind: args.bind.unwrap_or_default(),
                cluster: args.cluster.clone(),
                pace: Pace::default(),
            };
            return Ok(Self::Cluster(Cluster::start(client, settings, parts)?));
        }
        let settings = standalone::Settings {
            dir: args
                .clusterset
                .clone()
                .context("neither --clusterset nor --gateway")?,
            cluster: args
                .cluster
                .clone()
                .context("--clusterset without --cluster")?,
        };
        let parts = standalone::Parts {
            live: parts.live,
            observer: parts.observer,
            readiness: parts.readiness,
            metrics: parts.metrics,
        };
        Ok(Self::Standalone(Standalone::start(&settings, parts)?))
    }

    /// What is wrong with files and objects.
    pub(super) const fn status(&self) -> &Status {
        match self {
            Self::Standalone(standalone) => standalone.status(),
            Self::Cluster(cluster) => cluster.status(),
        }
    }

    /// Where the Gateway is, which is where the admin server belongs; None where only an argument says so.
    pub(super) fn home(&self) -> Option<watch::Receiver<Home>> {
        match self {
            Self::Standalone(_) => None,
            Self::Cluster(cluster) => Some(cluster.home()),
        }
    }

    /// Adds the pages that only this source has.
    pub(super) fn pages(&self, pages: Pages) -> Pages {
        match self {
            Self::Standalone(_) => pages,
            Self::Cluster(cluster) => cluster.pages(pages),
        }
    }
}
