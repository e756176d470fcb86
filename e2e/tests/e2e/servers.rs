//! The API servers themselves: what the other tests stand on, and what only a real one can judge.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::assets::root;
use mcwan_e2e::objects::{Objects, documents};
use mcwan_e2e::patience::{LONG, until};
use serde_json::{Value, json};

use crate::world::{cluster, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "servers::an_api_server_keeps_its_objects_when_it_is_stopped_and_started",
            restart,
        ),
        trial(
            "servers::all_that_render_makes_is_accepted_by_a_real_api_server",
            rendered,
        ),
    ]
}

async fn restart() -> Result<()> {
    let mut cluster = cluster("servers", "restarted").await?;
    let objects = cluster.objects().clone();
    objects.create_namespace("secure").await?;
    let text = std::fs::read_to_string(root().join("config/samples/serviceexport.yaml"))?;
    objects.apply(&text).await?;
    tokens(&cluster).await?;

    cluster.stop_server().await?;
    ensure!(
        objects.get_text("/readyz").await.is_err(),
        "it still answers"
    );
    cluster.start_server().await?;
    objects
        .get("mc-wan.l7mp.io/v1alpha1/ServiceExport", "secure", "payment")
        .await?;

    objects.delete_namespace("secure").await?;
    objects.absent("v1/Namespace", "", "secure").await
}

/// Tokens of `ServiceAccount`s are known, bound to their rights, and end.
async fn tokens(cluster: &mcwan_e2e::cluster::Cluster) -> Result<()> {
    let token = cluster.token("secure", "reader").await?;
    let reader = Objects::with(&cluster.kubeconfig_of(&token)?).await?;
    let refused = reader.list("v1/Secret", "secure", "").await;
    let refused = refused
        .err()
        .context("a ServiceAccount without a role reads Secrets")?;
    ensure!(format!("{refused:#}").contains("forbidden"), "{refused:#}");

    let token = cluster
        .short_token("secure", "reader", Duration::from_secs(3))
        .await?;
    let reader = Objects::with(&cluster.kubeconfig_of(&token)?).await?;
    reader.get_text("/version").await?;
    until(LONG, "an expired token is refused", async || {
        match reader.list("v1/Secret", "secure", "").await {
            Err(error) if format!("{error:#}").contains("Unauthorized") => Ok(()),
            other => bail!("{other:?}"),
        }
    })
    .await
}

/// The golden outputs of `render`, which are checked against the CRDs' schemas alone elsewhere: an API server evaluates
/// the CEL rules too, and knows Services and `EndpointSlice`s.
async fn rendered() -> Result<()> {
    let cluster = cluster("servers", "judge").await?;
    let objects = cluster.objects();
    let golden = golden_objects()?;
    let count = golden.len();
    let namespaces: BTreeSet<&str> = golden
        .iter()
        .filter_map(|o| o.pointer("/metadata/namespace").and_then(Value::as_str))
        .collect();
    for namespace in namespaces {
        objects.create_namespace(namespace).await?;
    }
    let mut refused = Vec::new();
    for object in golden {
        if let Err(error) = objects.dry_run(object).await {
            refused.push(format!("{error:#}"));
        }
    }
    ensure!(
        refused.is_empty(),
        "{} of {count} are refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
    ensure!(
        count > 300,
        "only {count} objects: are the goldens where they were?"
    );
    Ok(())
}

/// Every object in the golden outputs of `render`.
fn golden_objects() -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root().join("shared/k8s/tests/goldens/render"))? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".out.yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        // The last document lists the problems.
        let documents = documents(&text).with_context(|| path.display().to_string())?;
        all.extend(
            documents
                .into_iter()
                .filter(|d| d.get("kind").is_some())
                .map(written),
        );
    }
    Ok(all)
}

/// The object as the controller writes it: its status is written apart, and of the seed's `ServiceImport` only that.
fn written(mut object: Value) -> Value {
    let seeds =
        object["apiVersion"] == "mc-wan.l7mp.io/v1alpha1" && object["kind"] == "ServiceImport";
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if seeds {
            fields.insert("spec".to_owned(), json!({}));
        }
    }
    object
}
