//! The client of the own cluster's API server.

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::Args;

/// Connects lazily: an API server that is away is no error.
///
/// # Errors
/// When there is no usable configuration.
pub(super) async fn client(args: &Args) -> anyhow::Result<Client> {
    let config = config(args).await?;
    tracing::info!(server = %config.cluster_url, "the api server of the cluster");
    Client::try_from(config)
        .context("no client for the API server; check the certificates in the kubeconfig")
}

async fn config(args: &Args) -> anyhow::Result<Config> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = &args.kubeconfig {
        let said = || format!("--kubeconfig {}", path.display());
        let kubeconfig = Kubeconfig::read_from(path).with_context(said)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        return config.with_context(said);
    }
    if let Some(context) = &args.context {
        let config = Config::from_kubeconfig(&options).await;
        return config.with_context(|| format!("--context {context}"));
    }
    let inferred = Config::infer().await;
    inferred.context("no configuration of the API server; give --kubeconfig PATH, or run in a pod with a service account")
}
