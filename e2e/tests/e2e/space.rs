//! A namespace of a test's own in both shared clusters, and the words that tests about exports are written in.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use mcwan_e2e::patience::{LONG, until};
use mcwan_e2e::site::{Site, condition};
use serde_json::{Value, json};

use crate::world::shared;

pub(crate) const EXPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceExport";
pub(crate) const IMPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceImport";

/// As long as the suite looks for what must stay.
pub(crate) const CONSISTENTLY: std::time::Duration = std::time::Duration::from_secs(5);

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A namespace in both clusters.
#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) one: &'static Site,
    pub(crate) two: &'static Site,
    pub(crate) name: String,
}

impl Space {
    /// A fresh namespace in both clusters.
    pub(crate) async fn new() -> Result<Self> {
        let space = Self::absent().await?;
        for site in space.both() {
            site.cluster.objects().create_namespace(&space.name).await?;
        }
        Ok(space)
    }

    /// A name that no namespace has yet.
    pub(crate) async fn absent() -> Result<Self> {
        let [one, two] = shared().await?;
        let name = format!("space-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(Self { one, two, name })
    }

    pub(crate) fn both(&self) -> [&'static Site; 2] {
        [self.one, self.two]
    }

    /// Writes the Service `hello` as the conformance suite does, with fields of `spec` replaced.
    pub(crate) async fn service(&self, site: &Site, spec: Value) -> Result<Value> {
        let mut whole = json!({
            "selector": {"app": "hello"},
            "ports": [
                {"name": "tcp", "port": 42, "protocol": "TCP"},
                {"name": "udp", "port": 42, "protocol": "UDP"},
            ],
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
            "ipFamilyPolicy": "PreferDualStack",
        });
        if let (Some(whole), Value::Object(spec)) = (whole.as_object_mut(), spec) {
            whole.extend(spec);
            whole.retain(|_, value| !value.is_null());
        }
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "hello", "namespace": self.name,
                "labels": {"of-the-service": "yes"}, "annotations": {"of-the-service": "yes"},
            },
            "spec": whole,
        });
        site.cluster.objects().apply(&service.to_string()).await?;
        site.cluster
            .objects()
            .get("v1/Service", &self.name, "hello")
            .await
    }

    /// Exports `hello`.
    pub(crate) async fn export(&self, site: &Site, spec: Value) -> Result<()> {
        let export = json!({
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": {"name": "hello", "namespace": self.name}, "spec": spec,
        });
        site.cluster.objects().apply(&export.to_string()).await
    }

    /// Withdraws the export.
    pub(crate) async fn unexport(&self, site: &Site) -> Result<()> {
        site.cluster
            .objects()
            .delete(EXPORT, &self.name, "hello")
            .await
    }

    /// Service and export in cluster 1, and the import in both.
    pub(crate) async fn exported(&self, spec: Value) -> Result<Value> {
        let service = self.service(self.one, spec).await?;
        self.export(self.one, json!({})).await?;
        for site in self.both() {
            self.import(site).await?;
        }
        Ok(service)
    }

    /// After `exported`: the same in cluster 2, later by more than the second that creation times are told apart by.
    pub(crate) async fn exported_later(&self, spec: Value) -> Result<()> {
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        self.service(self.two, spec).await?;
        self.export(self.two, json!({})).await
    }

    /// The import, once it is there.
    pub(crate) async fn import(&self, site: &Site) -> Result<Value> {
        self.import_with(site, "it is there", |_| true).await
    }

    /// The import, once it is as it should be.
    pub(crate) async fn import_with(
        &self,
        site: &Site,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let what = format!(
            "import of {}/hello in {}: {what}",
            self.name,
            site.cluster.name()
        );
        until(LONG, &what, async || {
            let import = site
                .cluster
                .objects()
                .get(IMPORT, &self.name, "hello")
                .await?;
            ensure!(holds(&import), "{import}");
            Ok(import)
        })
        .await
    }

    /// Waits until there is no import.
    pub(crate) async fn no_import(&self, site: &Site) -> Result<()> {
        let what = format!(
            "no import of {}/hello in {}",
            self.name,
            site.cluster.name()
        );
        until(LONG, &what, async || {
            site.cluster
                .objects()
                .absent(IMPORT, &self.name, "hello")
                .await
        })
        .await
    }

    /// Waits for a condition of the export; its reason must be among those given.
    pub(crate) async fn export_says(
        &self,
        site: &Site,
        wanted: (&str, &str),
        reasons: &[&str],
    ) -> Result<()> {
        let found = site
            .until_condition((EXPORT, &self.name, "hello"), wanted)
            .await?;
        let reason = found
            .get("reason")
            .and_then(Value::as_str)
            .context("no reason")?;
        let listed = reason
            .split(',')
            .all(|r| reasons.is_empty() || reasons.contains(&r));
        ensure!(listed, "{reason} is none of {reasons:?}: {found}");
        Ok(())
    }

    /// The conflict is told on both exports.
    pub(crate) async fn conflict(&self, reason: &str) -> Result<()> {
        for site in self.both() {
            self.export_says(site, ("Conflict", "True"), &[reason])
                .await?;
        }
        Ok(())
    }

    /// Name under which clients call it.
    pub(crate) fn host(&self) -> String {
        format!("hello.{}.svc.clusterset.local", self.name)
    }
}

/// The ports as the suite compares them: name, protocol, number, application protocol; sorted.
pub(crate) fn ports(object: &Value) -> Vec<Value> {
    let ports = object
        .pointer("/spec/ports")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut ports: Vec<Value> = ports
        .iter()
        .map(|p| json!([p["name"], p["protocol"], p["port"], p["appProtocol"]]))
        .collect();
    ports.sort_by_key(ToString::to_string);
    ports
}

/// Whether a condition has a status.
pub(crate) fn is(object: &Value, kind: &str, status: &str) -> bool {
    condition(object, kind).is_some_and(|c| c["status"] == json!(status))
}
