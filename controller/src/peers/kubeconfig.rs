//! The kubeconfig of a peer: a URL, an authority, a token or a client certificate, all of them in the text itself.
//!
//! A kubeconfig can also run programs and read files of the machine that uses it. One that comes out of a Secret must not: it
//! would hand this controller's machine to whoever may write that Secret.

use std::net::IpAddr;

use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::Pace;

/// Largest kubeconfig.
const MAX_BYTES: usize = 64 * 1024;

/// Why a kubeconfig is not used: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

const HINT: &str = "make a kubeconfig with `mcwanctl link`, or one with the certificates and the token in the text itself";

fn refused(message: impl Into<String>) -> Refused {
    Refused {
        message: message.into(),
        hint: HINT,
    }
}

/// A client for the peer.
///
/// # Errors
/// When the kubeconfig cannot be read, or says what it must not.
pub(super) async fn client(text: &[u8], pace: Pace) -> Result<Client, Refused> {
    let kubeconfig = sanitized(text)?;
    let options = KubeConfigOptions::default();
    // kube's messages may repeat what they could not read, which is secret.
    let unusable = |what: &str| refused(format!("the kubeconfig has {what}"));
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|_secret| unusable("a url or certificates that cannot be read"))?;
    if config.root_cert.as_ref().is_some_and(Vec::is_empty) {
        return Err(unusable("an authority without a certificate"));
    }
    config.connect_timeout = Some(pace.answer);
    Client::try_from(config).map_err(|_secret| unusable("certificates or keys that cannot be used"))
}

/// The current context with its cluster and user, and nothing else.
fn sanitized(text: &[u8]) -> Result<Kubeconfig, Refused> {
    if text.len() > MAX_BYTES {
        return Err(refused(format!(
            "the kubeconfig is larger than {MAX_BYTES} bytes"
        )));
    }
    let text =
        std::str::from_utf8(text).map_err(|_secret| refused("the kubeconfig is not text"))?;
    let whole = Kubeconfig::from_yaml(text)
        .map_err(|_secret| refused("the kubeconfig is not yaml of the form of a kubeconfig"))?;
    let name = whole.current_context.clone().unwrap_or_default();
    let missing = |what: &str| refused(format!("the kubeconfig has no {what}"));
    let context = whole.contexts.into_iter().find(|c| c.name == name);
    let named = context.as_ref().and_then(|c| c.context.as_ref());
    let named = named.ok_or_else(|| missing("context of the name that current-context has"))?;
    let cluster = whole.clusters.into_iter().find(|c| c.name == named.cluster);
    let user = whole
        .auth_infos
        .into_iter()
        .find(|u| Some(&u.name) == named.user.as_ref());
    let of_cluster = cluster.as_ref().and_then(|c| c.cluster.as_ref());
    let of_cluster =
        of_cluster.ok_or_else(|| missing("cluster of the name that its context has"))?;
    let of_user = user.as_ref().and_then(|u| u.auth_info.as_ref());
    let of_user = of_user.ok_or_else(|| missing("user of the name that its context has"))?;
    if let Some(what) = forbidden_of_user(of_user).or_else(|| forbidden_of_cluster(of_cluster)) {
        return Err(refused(format!("the kubeconfig {what}")));
    }
    Ok(Kubeconfig {
        current_context: Some(name),
        clusters: cluster.into_iter().collect(),
        auth_infos: user.into_iter().collect(),
        contexts: context.into_iter().collect(),
        ..Kubeconfig::default()
    })
}

/// What a user must not say: anything that runs a program or reads a file.
fn forbidden_of_user(user: &AuthInfo) -> Option<&'static str> {
    let checks = [
        (user.exec.is_some(), "runs a program (exec)"),
        (user.auth_provider.is_some(), "uses an auth-provider"),
        (user.token_file.is_some(), "names a token file (tokenFile)"),
        (
            user.client_certificate.is_some(),
            "names a certificate file (client-certificate)",
        ),
        (user.client_key.is_some(), "names a key file (client-key)"),
    ];
    checks.into_iter().find(|(is, _)| *is).map(|(_, what)| what)
}

/// What a cluster must not say.
fn forbidden_of_cluster(cluster: &Cluster) -> Option<&'static str> {
    let insecure = cluster.insecure_skip_tls_verify == Some(true);
    let server = cluster.server.as_deref().unwrap_or_default();
    let checks = [
        (
            insecure,
            "does not verify the server (insecure-skip-tls-verify)",
        ),
        (
            cluster.certificate_authority.is_some(),
            "names a certificate file (certificate-authority)",
        ),
        (
            cluster.proxy_url.is_some(),
            "goes through a proxy (proxy-url)",
        ),
        (!is_safe(server), "has a server url that is not https"),
    ];
    checks.into_iter().find(|(is, _)| *is).map(|(_, what)| what)
}

/// Whether a token may be sent there: over TLS, or without leaving the machine.
fn is_safe(server: &str) -> bool {
    let Ok(url) = server.parse::<http::Uri>() else {
        return false;
    };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback());
    match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
