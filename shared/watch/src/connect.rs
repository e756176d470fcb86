//! From the arguments that all programs share to a client.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be used.
    #[error(
        "cannot use the kubeconfig: {0}; give one with --kubeconfig PATH or KUBECONFIG, and check --context"
    )]
    Kubeconfig(#[from] KubeconfigError),
    /// There is no configuration at all.
    #[error(
        "there is no kubeconfig and this is no pod: {0}; give one with --kubeconfig PATH or KUBECONFIG"
    )]
    Nothing(#[from] kube::config::InferConfigError),
    /// The configuration makes no client.
    #[error("cannot make a client of the configuration: {0}")]
    Client(#[from] kube::Error),
}

/// A client for the API server that a kubeconfig names; without one, `KUBECONFIG`, `~/.kube/config` or the configuration
/// of the pod. Nothing is sent yet: an API server that is away is no error here.
///
/// # Errors
/// When there is no configuration, or it cannot be used.
pub async fn connect(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<Client, ConnectError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = match kubeconfig {
        Some(path) => {
            Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?
        }
        None if context.is_some() => Config::from_kubeconfig(&options).await?,
        None => Config::infer().await?,
    };
    Ok(Client::try_from(config)?)
}
