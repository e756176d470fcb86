//! The token by which one cluster reads the outbox of another.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{
    TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec,
};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use mcwan_k8s::access::{self, Endpoint, KUBECONFIG_KEY};
use mcwan_k8s::names::NAMESPACE;

use crate::cluster::Cluster;
use crate::cluster::innermost;

use super::EXPIRES_ANNOTATION;
use super::side::Side;

/// A token and when it expires.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The token.
    pub secret: String,
    /// When it expires.
    pub expires: Timestamp,
}

/// A client that does what the controller of a peer will do with a kubeconfig.
///
/// # Errors
/// When the kubeconfig cannot be used.
pub(crate) async fn client(cluster: &str, endpoint: &Endpoint) -> anyhow::Result<Client> {
    let kubeconfig = Kubeconfig::from_yaml(&access::kubeconfig(cluster, endpoint));
    let kubeconfig = kubeconfig.context("the kubeconfig for the peer is not readable")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let config =
        config.map_err(|e| anyhow::anyhow!("the kubeconfig for the peer: {}", innermost(&e)))?;
    Ok(Cluster::of(cluster.to_owned(), config)?.client)
}

/// The token in the Secret that the reading cluster has, when all else in it is as it should be.
pub(crate) fn kept(secret: &Secret, read: &Side) -> Option<Token> {
    let annotations = secret.metadata.annotations.as_ref()?;
    let expires = annotations.get(EXPIRES_ANNOTATION)?.parse().ok()?;
    let data = &secret.data.as_ref()?.get(KUBECONFIG_KEY)?.0;
    let text = std::str::from_utf8(data).ok()?;
    let parsed = serde_json::to_value(Kubeconfig::from_yaml(text).ok()?).ok()?;
    let token = parsed.pointer("/users/0/user/token")?.as_str()?;
    let endpoint = Endpoint {
        token: token.to_owned(),
        ..read.endpoint.clone()
    };
    (access::kubeconfig(&read.id, &endpoint) == text).then(|| Token {
        secret: token.to_owned(),
        expires,
    })
}

/// The API server that a link's kubeconfig leads to.
pub(crate) fn server(secret: &Secret) -> Option<String> {
    let data = &secret.data.as_ref()?.get(KUBECONFIG_KEY)?.0;
    let kubeconfig = Kubeconfig::from_yaml(std::str::from_utf8(data).ok()?).ok()?;
    let cluster = kubeconfig.clusters.into_iter().next()?.cluster?;
    cluster
        .server
        .map(|server| server.trim_end_matches('/').to_owned())
}

impl Token {
    /// Whether more than half of the time asked for is left.
    pub(crate) fn is_young(&self, lifetime: Duration, now: Timestamp) -> bool {
        let half = SignedDuration::try_from(lifetime / 2).unwrap_or(SignedDuration::MAX);
        self.expires.duration_since(now) > half
    }

    /// Whether the cluster that gave it out still takes it. A cluster that does not say is taken for one that does not.
    pub(crate) async fn is_taken_by(&self, cluster: &Cluster) -> bool {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(self.secret.clone()),
                audiences: None,
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(cluster.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let status = answer.ok().and_then(|review| review.status);
        status.and_then(|s| s.authenticated) == Some(true)
    }

    /// As the annotation that says when it expires.
    pub(crate) fn annotations(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(EXPIRES_ANNOTATION.to_owned(), self.expires.to_string())])
    }
}

/// The Secret that the reading cluster has for the one that is read.
///
/// # Errors
/// When the API server refuses it.
pub(crate) async fn secret(reader: &Side, read: &Side) -> anyhow::Result<Option<Secret>> {
    let api: Api<Secret> = Api::namespaced(reader.cluster.client.clone(), NAMESPACE);
    let secret = api.get_opt(&access::link_name(&read.id)).await;
    secret.map_err(|e| {
        reader
            .cluster
            .explain("cannot read the Secret of the link", &e)
    })
}

/// A token that will do, if the reading cluster has one.
///
/// # Errors
/// When the API server refuses to show the Secret.
pub(crate) async fn good(
    reader: &Side,
    read: &Side,
    lifetime: Duration,
) -> anyhow::Result<Option<Token>> {
    let secret = secret(reader, read).await?;
    let Some(token) = secret.and_then(|secret| kept(&secret, read)) else {
        return Ok(None);
    };
    let will_do =
        token.is_young(lifetime, Timestamp::now()) && token.is_taken_by(&read.cluster).await;
    Ok(will_do.then_some(token))
}

/// A new token for the account of the reader, by `TokenRequest`: no token controller is needed, and nothing is stored.
///
/// # Errors
/// When the API server refuses it.
pub(crate) async fn request(
    read: &Side,
    account: &str,
    lifetime: Duration,
) -> anyhow::Result<Token> {
    let api: Api<ServiceAccount> = Api::namespaced(read.cluster.client.clone(), NAMESPACE);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: i64::try_from(lifetime.as_secs()).ok(),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answer = api
        .create_token_request(account, &PostParams::default(), &request)
        .await;
    let answer = answer.map_err(|e| {
        read.cluster
            .explain("no token for the account of the peer", &e)
    })?;
    let status = answer
        .status
        .context("the API server answered without a token")?;
    Ok(Token {
        secret: status.token,
        expires: status.expiration_timestamp.0,
    })
}
