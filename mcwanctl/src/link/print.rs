//! `mcwanctl link --print`: the objects as manifests, one part for each cluster. Nothing is written.

use std::io::Write;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::Api;
use mcwan_k8s::access;
use mcwan_k8s::names::NAMESPACE;
use serde_json::Value;

use super::LinkArgs;
use super::credential::{self, Token};
use super::side::{Pair, Side};
use super::steps::until;
use super::write;

/// Prints the manifests of both clusters, or of the one asked for.
///
/// # Errors
/// When an API server refuses a token, or the output cannot be written.
pub(super) async fn print(pair: &Pair, args: &LinkArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let is_wanted = |side: &Side| {
        args.only
            .as_ref()
            .is_none_or(|only| *only == side.cluster.context)
    };
    anyhow::ensure!(
        pair.sides.iter().any(is_wanted),
        "--only names neither {} nor {}",
        args.context_a,
        args.context_b
    );
    for (here, there) in pair.ways() {
        if !is_wanted(here) {
            continue;
        }
        writeln!(
            out,
            "# For {}: kubectl --context {} apply -f -",
            here.id, here.cluster.context
        )?;
        let mut objects: Vec<Value> = serde_json::to_value(write::own_namespace())
            .into_iter()
            .collect();
        objects.extend(access::granted(&there.id).values());
        match token(here, there, args).await? {
            Some(token) => {
                writeln!(
                    out,
                    "# The Secret has a token for {}, {}: seal it before it goes into a repository.",
                    there.id,
                    until(token.expires)
                )?;
                objects.extend(write::objects(there, &token).values());
            }
            None => writeln!(
                out,
                "# No kubeconfig of {0} yet: its token needs the account that is printed for {0}. Apply that, and print again.",
                there.id
            )?,
        }
        write!(out, "---\n{}", access::to_yaml(&objects))?;
        if args.only.is_none() && here.cluster.context == args.context_a {
            writeln!(out, "---")?;
        }
    }
    Ok(())
}

/// The token that `reader` has for `read`, or a new one if there is an account to give it to.
async fn token(reader: &Side, read: &Side, args: &LinkArgs) -> anyhow::Result<Option<Token>> {
    if let Some(token) = credential::good(reader, read, args.token_lifetime).await? {
        return Ok(Some(token));
    }
    let account = access::link_name(&reader.id);
    let api: Api<ServiceAccount> = Api::namespaced(read.cluster.client.clone(), NAMESPACE);
    let found = api.get_metadata_opt(&account).await;
    let found = found.map_err(|e| {
        read.cluster
            .explain("cannot look for the account of the peer", &e)
    })?;
    match found {
        Some(_) => Ok(Some(
            credential::request(read, &account, args.token_lifetime).await?,
        )),
        None => Ok(None),
    }
}
