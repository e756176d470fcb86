//! Clusters as the user's kubeconfig knows them.

pub(crate) mod api;
pub(crate) mod identity;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// Which cluster a command is about.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    #[command(flatten)]
    pub kubeconfig: KubeconfigArgs,
    /// Context of the kubeconfig; its current one by default
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Where contexts are looked up.
#[derive(Debug, Args)]
pub(crate) struct KubeconfigArgs {
    /// The kubeconfig file; by default KUBECONFIG, then ~/.kube/config, then that of the Pod
    #[arg(long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,
}

/// A kubeconfig, or a context of it, that is of no use: wrong usage.
#[derive(Debug)]
pub(crate) enum ContextError {
    /// No such file, or not a kubeconfig.
    Unreadable(String),
    /// No such context.
    NoContext(String, Vec<String>),
    /// A context that names nothing to connect to.
    Incomplete(String, String),
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(
                f,
                "no usable kubeconfig: {why}; name one with --kubeconfig PATH"
            ),
            Self::NoContext(name, known) if known.is_empty() => {
                write!(
                    f,
                    "no context {name:?}: the kubeconfig has none; name another with --kubeconfig PATH"
                )
            }
            Self::NoContext(name, known) => {
                write!(
                    f,
                    "no context {name:?} in the kubeconfig; there is {}",
                    known.join(", ")
                )
            }
            Self::Incomplete(name, why) => write!(f, "context {name:?} cannot be used: {why}"),
        }
    }
}

impl std::error::Error for ContextError {}

/// The contexts of a kubeconfig.
#[derive(Debug)]
pub(crate) struct Contexts {
    /// None: there is no kubeconfig, and the only cluster is the one that this program runs in.
    kubeconfig: Option<Kubeconfig>,
}

/// A cluster, and how its API server is reached.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// Context.
    pub context: String,
    /// URL of the API server, as the kubeconfig has it.
    pub server: String,
    /// The client.
    pub client: Client,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.context, self.server)
    }
}

impl Contexts {
    /// Reads the kubeconfig: the given one, or the one that the environment names. Without either, the only cluster is the
    /// one around this program's Pod.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, ContextError> {
        let unreadable = |e: KubeconfigError| ContextError::Unreadable(innermost(&e));
        let kubeconfig = match path {
            Some(path) => Some(Kubeconfig::read_from(path).map_err(|e| {
                ContextError::Unreadable(format!("{}: {}", path.display(), innermost(&e)))
            })?),
            None if std::env::var_os("KUBECONFIG").is_none()
                && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() =>
            {
                None
            }
            None => Some(Kubeconfig::read().map_err(unreadable)?),
        };
        Ok(Self { kubeconfig })
    }

    /// The cluster entry of a context.
    pub(crate) fn entry(&self, context: &str) -> Result<&kube::config::Cluster, ContextError> {
        let kubeconfig = self.kubeconfig.as_ref();
        let contexts = || kubeconfig.into_iter().flat_map(|k| &k.contexts);
        let found = contexts().find(|c| c.name == context);
        let Some(found) = found.and_then(|c| c.context.as_ref()) else {
            let known = contexts().map(|c| c.name.clone()).collect();
            return Err(ContextError::NoContext(context.to_owned(), known));
        };
        let clusters = || kubeconfig.into_iter().flat_map(|k| &k.clusters);
        let named = clusters().find(|c| c.name == found.cluster);
        named.and_then(|c| c.cluster.as_ref()).ok_or_else(|| {
            let why = format!(
                "it names cluster {:?}, which is not in the kubeconfig",
                found.cluster
            );
            ContextError::Incomplete(context.to_owned(), why)
        })
    }

    /// A client for a context, or for the current one. Nothing is sent yet.
    ///
    /// # Errors
    /// When the context cannot be used.
    pub(crate) async fn connect(&self, context: Option<&str>) -> anyhow::Result<Cluster> {
        let (name, config) = match &self.kubeconfig {
            Some(kubeconfig) => {
                let name = context
                    .map(str::to_owned)
                    .or_else(|| kubeconfig.current_context.clone());
                let name = name.ok_or_else(|| {
                    ContextError::Unreadable(
                        "it has no current context; choose one with --context".to_owned(),
                    )
                })?;
                self.entry(&name)?;
                let options = KubeConfigOptions {
                    context: Some(name.clone()),
                    ..KubeConfigOptions::default()
                };
                let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await;
                let config =
                    config.map_err(|e| ContextError::Incomplete(name.clone(), innermost(&e)))?;
                (name, config)
            }
            None => (
                "in-cluster".to_owned(),
                Config::incluster().context("no configuration in this Pod")?,
            ),
        };
        Cluster::of(name, config)
    }
}

impl Cluster {
    /// A client of a configuration.
    ///
    /// # Errors
    /// When the configuration cannot be used, e.g. because of a broken certificate.
    pub(crate) fn of(context: String, mut config: Config) -> anyhow::Result<Self> {
        // Two TLS implementations could be linked in one day; the choice is made here, once. A second call changes nothing.
        let _already_chosen = rustls::crypto::ring::default_provider()
            .install_default()
            .is_err();
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(ANSWER);
        config.write_timeout = Some(ANSWER);
        let server = config
            .cluster_url
            .to_string()
            .trim_end_matches('/')
            .to_owned();
        let client = Client::try_from(config)
            .map_err(|e| ContextError::Incomplete(context.clone(), innermost(&e)))?;
        Ok(Self {
            context,
            server,
            client,
        })
    }

    /// An error of this cluster's API server as one line with what to do next.
    pub(crate) fn explain(&self, what: &str, error: &kube::Error) -> anyhow::Error {
        anyhow::anyhow!(
            "{what} (context {}, {}): {}",
            self.context,
            self.server,
            cause(error)
        )
    }
}

/// What an API server, or the way to it, complains about.
pub(crate) fn cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => match status.code {
            401 => "the API server does not know these credentials; log in again, or renew the kubeconfig".to_owned(),
            _ if status.message.is_empty() => format!("the API server answered {}", status.code),
            _ => status.message.clone(),
        },
        other => {
            let said = innermost(other);
            format!("{said}; is the API server up, and is this its address from here?")
        }
    }
}

/// The innermost cause: what the layers around it say is only that there was one.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Whether a connection failed because the API server does not prove to be who it should be.
pub(crate) fn is_certificate_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if inner.is::<rustls::Error>() {
            return true;
        }
        // An I/O error names as its source that of what it wraps, and so hides the thing itself.
        let wrapped = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    false
}

/// A runtime for commands that talk to clusters.
///
/// # Errors
/// When the operating system refuses one.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
