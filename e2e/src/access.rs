//! Kubeconfigs, `ServiceAccount`s and their tokens.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Config;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::certificates::Identity;
use crate::cluster::{Cluster, ISSUER};

/// Who speaks.
#[derive(Debug, Clone, Copy)]
pub enum User<'a> {
    /// Whoever has this certificate.
    Certificate(&'a Identity),
    /// Whoever has this token.
    Token(&'a str),
}

/// A context of a kubeconfig.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Its name; also of its cluster and user entries.
    pub name: &'a str,
    /// The API server.
    pub server: SocketAddr,
    /// PEM certificate of the authority of the API server.
    pub authority: &'a str,
    /// Who speaks.
    pub user: User<'a>,
}

/// A kubeconfig; the first context is the current one.
///
/// # Errors
/// Never with contexts as they are typed; it is the serializer's.
pub fn kubeconfig(contexts: &[Context<'_>]) -> Result<String> {
    let each =
        |make: &dyn Fn(&Context<'_>) -> Value| contexts.iter().map(make).collect::<Vec<Value>>();
    let text = |pem: &str| BASE64_STANDARD.encode(pem);
    let user = |user: User<'_>| match user {
        User::Token(token) => json!({"token": token}),
        User::Certificate(id) => json!({
            "client-certificate-data": text(&id.certificate), "client-key-data": text(&id.key),
        }),
    };
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts.first().map(|c| c.name),
        "contexts": each(&|c| json!({"name": c.name, "context": {"cluster": c.name, "user": c.name}})),
        "clusters": each(&|c| json!({"name": c.name, "cluster": {
            "server": format!("https://{}", c.server), "certificate-authority-data": text(c.authority),
        }})),
        "users": each(&|c| json!({"name": c.name, "user": user(c.user)})),
    });
    Ok(serde_json::to_string_pretty(&file)?)
}

/// The client configuration of a kubeconfig's current context.
///
/// # Errors
/// When the kubeconfig is none.
pub async fn config(kubeconfig: &str) -> Result<Config> {
    let file = Kubeconfig::from_yaml(kubeconfig)?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(file, &options)
        .await
        .context("not a usable kubeconfig")
}

impl Cluster {
    /// A kubeconfig of this cluster for a token.
    ///
    /// # Errors
    /// See [`kubeconfig`].
    pub fn kubeconfig_of(&self, token: &str) -> Result<String> {
        kubeconfig(&[Context {
            name: self.name(),
            server: self.api_address(),
            authority: self.authority().certificate(),
            user: User::Token(token),
        }])
    }

    /// A token of a `ServiceAccount`, which is made if it is missing, from the API server (`TokenRequest`).
    ///
    /// # Errors
    /// When it is refused.
    pub async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let accounts = self.account(namespace, account).await?;
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![ISSUER.to_owned()],
                expiration_seconds: Some(3600),
                bound_object_ref: None,
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(account, &PostParams::default(), &request)
            .await?;
        answer.status.map(|s| s.token).context("no token")
    }

    /// A token of a `ServiceAccount` that ends after `life`: shorter than the API server would make one.
    ///
    /// # Errors
    /// When the `ServiceAccount` is refused.
    pub async fn short_token(
        &self,
        namespace: &str,
        account: &str,
        life: Duration,
    ) -> Result<String> {
        let accounts = self.account(namespace, account).await?;
        let uid = accounts.get(account).await?.metadata.uid;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs();
        let claims = json!({
            "iss": ISSUER, "aud": [ISSUER], "sub": format!("system:serviceaccount:{namespace}:{account}"),
            "iat": now, "nbf": now, "exp": now + life.as_secs(),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account, "uid": uid}},
        });
        self.sign(&claims)
    }

    /// A JSON web token (RFC 7515, ES256) of this cluster.
    fn sign(&self, claims: &Value) -> Result<String> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!(
            "{}.{}",
            part(&json!({"alg": "ES256", "typ": "JWT"})),
            part(claims)
        );
        let random = SystemRandom::new();
        let key = self.token_key().serialized_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random)
            .map_err(|e| anyhow::anyhow!("not a P-256 key: {e}"))?;
        let signature = key
            .sign(&random, text.as_bytes())
            .map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
        Ok(format!(
            "{text}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        ))
    }

    /// The `ServiceAccount`s of a namespace, with `account` among them.
    async fn account(&self, namespace: &str, account: &str) -> Result<Api<ServiceAccount>> {
        let object = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace},
        });
        self.objects().apply(&object.to_string()).await?;
        Ok(Api::namespaced(self.objects().client(), namespace))
    }
}
