//! One complete list, and one watch.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use kube::Client;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use mcwan_k8s::object::{Key, Kind};
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::selection::Wanted;

/// Objects in one page of a list.
const PAGE: u32 = 500;
/// Pages of a list at most: no cluster has so many objects of a kind, a server that goes round in circles does.
const PAGES: usize = 2000;
/// A watch that says nothing for this long after its time is dead.
const GRACE: Duration = Duration::from_secs(5);

/// Where some objects are found.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) wanted: Wanted,
    /// The version that is asked for.
    pub(crate) version: String,
    /// A page, and the beginning of a watch, must be there within this time.
    pub(crate) answer: Duration,
}

/// Raw objects by namespace and name.
pub(crate) type Raw = BTreeMap<Key, Value>;

/// A complete list.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its objects.
    pub(crate) objects: Raw,
    /// The version that it shows; a watch begins there.
    pub(crate) version: String,
}

/// What a watch brings.
#[derive(Debug)]
pub(crate) enum Event {
    /// The object is there, in this form.
    Applied(Key, Value),
    /// The object was deleted.
    Deleted(Key),
    /// Nothing but a later version to begin from.
    Bookmark,
}

/// A list as the API server writes it. Nothing of it is optional: whoever leaves something out is no API server.
#[derive(Deserialize)]
struct Page {
    kind: String,
    metadata: PageMeta,
    /// Null where Go had no slice.
    items: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl Target {
    /// Lists everything. Whatever goes wrong on the way, there is no list: half of one looks like the end of many objects.
    pub(crate) async fn list(&self) -> Result<Listed, Failure> {
        match self.pages(Some(PAGE)).await {
            // The pages took longer than the API server keeps them: all at once, then.
            Err(Failure::Expired) => self.pages(None).await,
            other => other,
        }
    }

    async fn pages(&self, limit: Option<u32>) -> Result<Listed, Failure> {
        let mut objects = Raw::new();
        let mut next = None;
        for _ in 0..PAGES {
            let page = self.page(limit, next.take()).await?;
            self.take(page.items, &mut objects)?;
            match page.metadata.next.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => {
                    return Ok(Listed {
                        objects,
                        version: page.metadata.resource_version,
                    });
                }
            }
        }
        Err(Failure::Nonsense(format!(
            "a list of more than {PAGES} pages"
        )))
    }

    async fn page(&self, limit: Option<u32>, next: Option<String>) -> Result<Page, Failure> {
        let params = ListParams {
            limit,
            continue_token: next,
            field_selector: self.field_selector(),
            ..ListParams::default()
        };
        let request = Request::new(self.path())
            .list(&params)
            .map_err(|e| unwritten(&e))?;
        let text = self.in_time(self.client.request_text(request)).await?;
        let page: Page =
            serde_json::from_str(&text).map_err(|e| Failure::Nonsense(e.to_string()))?;
        let kind = format!("{}List", self.wanted.kind.kind);
        if page.kind != kind || page.metadata.resource_version.is_empty() {
            return Err(Failure::Nonsense(format!("not a {kind} with a version")));
        }
        Ok(page)
    }

    fn take(&self, items: Value, objects: &mut Raw) -> Result<(), Failure> {
        let items = match items {
            Value::Array(items) => items,
            Value::Null => return Ok(()),
            _ => return Err(Failure::Nonsense("items are not a list".to_owned())),
        };
        for item in items {
            let key = key(self.wanted.kind, &item)?;
            objects.insert(key, item);
        }
        Ok(())
    }

    /// Watches from `version` on and moves it along with what comes, for about `lasting`. Returns when the watch ended in
    /// order. Each event goes to `event`.
    pub(crate) async fn watch(
        &self,
        version: &mut String,
        lasting: Duration,
        mut open: impl FnMut(),
        mut event: impl FnMut(Event),
    ) -> Result<(), Failure> {
        let params = WatchParams {
            field_selector: self.field_selector(),
            timeout: Some(u32::try_from(lasting.as_secs()).unwrap_or(u32::MAX).max(1)),
            bookmarks: true,
            ..WatchParams::default()
        };
        let request = Request::new(self.path())
            .watch(&params, version)
            .map_err(|e| unwritten(&e))?;
        let events = self
            .in_time(self.client.request_events::<Value>(request))
            .await?;
        open();
        let mut events = events.boxed();
        let silence = lasting + GRACE;
        loop {
            let next = tokio::time::timeout(silence, events.next()).await;
            let Some(next) = next.map_err(|_late| Failure::Slow(silence))? else {
                return Ok(());
            };
            let (what, at) = self.event(next?)?;
            *version = at;
            event(what);
        }
    }

    /// An event and its version.
    fn event(&self, event: WatchEvent<Value>) -> Result<(Event, String), Failure> {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                let (key, version) = (key(self.wanted.kind, &object)?, version(&object)?);
                Ok((Event::Applied(key, object), version))
            }
            WatchEvent::Deleted(object) => {
                let (key, version) = (key(self.wanted.kind, &object)?, version(&object)?);
                Ok((Event::Deleted(key), version))
            }
            WatchEvent::Bookmark(bookmark) => {
                Ok((Event::Bookmark, bookmark.metadata.resource_version))
            }
            WatchEvent::Error(status) => Err(Failure::of_status(&status)),
        }
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Failure> {
        let answer = tokio::time::timeout(self.answer, answer).await;
        Ok(answer.map_err(|_late| Failure::Slow(self.answer))??)
    }

    fn path(&self) -> String {
        let Wanted {
            kind, namespace, ..
        } = &self.wanted;
        let mut path = if kind.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", kind.group, self.version)
        };
        if let Some(namespace) = namespace {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&kind.plural);
        path
    }

    fn field_selector(&self) -> Option<String> {
        let name = self.wanted.name.as_ref();
        name.map(|name| format!("metadata.name={name}"))
    }
}

fn unwritten(error: &kube::core::request::Error) -> Failure {
    Failure::Nonsense(error.to_string())
}

/// Namespace and name of a raw object.
fn key(kind: &Kind, object: &Value) -> Result<Key, Failure> {
    let text = |field: &str| object.get("metadata")?.get(field)?.as_str();
    let name = text("name").filter(|n| !n.is_empty());
    let namespace = text("namespace").unwrap_or_default();
    match name {
        Some(name) if kind.namespaced != namespace.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err(Failure::Nonsense(format!(
            "a {} without its name or namespace",
            kind.kind
        ))),
    }
}

fn version(object: &Value) -> Result<String, Failure> {
    let version = object
        .get("metadata")
        .and_then(|m| m.get("resourceVersion"))
        .and_then(Value::as_str)
        .filter(|v| !v.is_empty());
    version
        .map(str::to_owned)
        .ok_or_else(|| Failure::Nonsense("an object without a version".to_owned()))
}
