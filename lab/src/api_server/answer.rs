//! From a request to an answer.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::stream::{self, Watching};
use super::{Fault, Resource, Shared};

/// Bodies break off where the fault says so.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// What a path asks for.
struct Asked {
    resource: Resource,
    namespace: String,
    /// The one object that is asked for by its path.
    object: Option<String>,
    query: BTreeMap<String, String>,
}

impl Asked {
    fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// The name in `metadata.name=…`; empty without a field selector.
    fn name(&self) -> &str {
        let selector = self.query("fieldSelector");
        selector.strip_prefix("metadata.name=").unwrap_or_default()
    }

    fn verb(&self) -> &'static str {
        if self.object.is_some() {
            "get"
        } else if self.query("watch") == "true" {
            "watch"
        } else {
            "list"
        }
    }
}

/// Answers one request. An error closes the connection.
pub(super) async fn answer(
    request: &Request<Incoming>,
    shared: Arc<Shared>,
) -> io::Result<Response<Body>> {
    let path = request.uri().path().to_owned();
    let asked = asked(&shared, &path, request.uri().query().unwrap_or_default());
    let last = path.rsplit('/').next().unwrap_or_default();
    let plural = asked
        .as_ref()
        .map_or(last, |a| a.resource.plural.as_str())
        .to_owned();
    let fault = shared.state.lock().fault(&plural);
    if let Some(asked) = &asked {
        let mut state = shared.state.lock();
        *state.requests.entry((asked.verb(), plural)).or_default() += 1;
    }
    match fault {
        Fault::Away => return Err(io::Error::other("away")),
        Fault::Hang => std::future::pending().await,
        Fault::Status(code) => return Ok(status(code)),
        Fault::Html => return Ok(text("text/html", "<html><h1>It works!</h1></html>")),
        Fault::OtherJson => return Ok(text("application/json", "{\"hello\":[]}\n")),
        _ => {}
    }
    let Some(asked) = asked else {
        return Ok(discovery(&shared, &path));
    };
    Ok(match asked.verb() {
        "get" => get(&asked, &shared),
        "watch" => watch(&asked, shared, fault),
        _ => list(&asked, &shared, fault),
    })
}

/// Reads `/api/v1/[namespaces/NS/]PLURAL[/NAME]` and `/apis/GROUP/VERSION/…`; None when it is not a kind that is served.
fn asked(shared: &Shared, path: &str, query: &str) -> Option<Asked> {
    let mut steps = path.trim_start_matches('/').split('/');
    let group = match steps.next()? {
        "api" => "",
        "apis" => steps.next()?,
        _ => return None,
    };
    let version = steps.next()?;
    let rest: Vec<&str> = steps.collect();
    let (namespace, plural, object) = match *rest.as_slice() {
        [plural] => ("", plural, None),
        [plural, name] => ("", plural, Some(name)),
        ["namespaces", namespace, plural] => (namespace, plural, None),
        ["namespaces", namespace, plural, name] => (namespace, plural, Some(name)),
        _ => return None,
    };
    let state = shared.state.lock();
    let resource = state.objects.resource(group, version, plural)?.clone();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Asked {
        resource,
        namespace: namespace.to_owned(),
        object: object.map(str::to_owned),
        query: pairs
            .map(|(k, v)| (k.to_owned(), v.replace("%3D", "=")))
            .collect(),
    })
}

fn get(asked: &Asked, shared: &Shared) -> Response<Body> {
    let name = asked.object.as_deref().unwrap_or_default();
    let state = shared.state.lock();
    let found = state
        .objects
        .list(&asked.resource.plural, &asked.namespace, name);
    match found.first() {
        Some(object) => text("application/json", &object.to_string()),
        None => status(404),
    }
}

fn list(asked: &Asked, shared: &Shared, fault: Fault) -> Response<Body> {
    let Resource { kind, plural, .. } = &asked.resource;
    let state = shared.state.lock();
    let all = state.objects.list(plural, &asked.namespace, asked.name());
    let begin: usize = asked.query("continue").parse().unwrap_or(0);
    let limit: usize = asked.query("limit").parse().unwrap_or(usize::MAX);
    if fault == Fault::SecondPage && begin > 0 {
        return status(500);
    }
    let end = begin.saturating_add(limit).min(all.len());
    let next = if end < all.len() {
        end.to_string()
    } else {
        String::new()
    };
    let page = all.get(begin..end).unwrap_or_default();
    let items: Vec<Value> = if fault == Fault::OtherKind {
        Vec::new()
    } else {
        page.to_vec()
    };
    let kind = if fault == Fault::OtherKind {
        "Other"
    } else {
        kind
    };
    let body = json!({
        "kind": format!("{kind}List"),
        "apiVersion": api_version(&asked.resource),
        "metadata": {"resourceVersion": state.objects.version().to_string(), "continue": next},
        "items": items,
    });
    let body = body.to_string();
    if fault == Fault::Truncated {
        let half = body.get(..body.len() / 2).unwrap_or_default().to_owned();
        let broken = stream::broken(Bytes::from(half));
        return Response::new(broken);
    }
    text("application/json", &body)
}

fn watch(asked: &Asked, shared: Arc<Shared>, fault: Fault) -> Response<Body> {
    match fault {
        Fault::Expired => return expired(),
        Fault::Short => return text("application/json", ""),
        _ => {}
    }
    let from: u64 = asked.query("resourceVersion").parse().unwrap_or(0);
    let plural = asked.resource.plural.clone();
    let known = shared.state.lock().objects.since(&plural, from).is_some();
    if !known {
        return expired();
    }
    let seconds: u64 = asked.query("timeoutSeconds").parse().unwrap_or(3600);
    let watching = Watching {
        plural,
        kind: asked.resource.kind.clone(),
        api_version: api_version(&asked.resource),
        namespace: asked.namespace.clone(),
        name: asked.name().to_owned(),
        from,
    };
    Response::new(stream::events(shared, watching, seconds))
}

/// 410, as an event: that is how it comes when the watch cache notices.
fn expired() -> Response<Body> {
    let status = failure(410, "Expired", "too old resource version");
    text(
        "application/json",
        &format!("{}\n", json!({"type": "ERROR", "object": status})),
    )
}

fn discovery(shared: &Shared, path: &str) -> Response<Body> {
    let state = shared.state.lock();
    let resources = &state.objects.resources;
    if path == "/apis" {
        let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for resource in resources.iter().filter(|r| !r.group.is_empty()) {
            let versions = groups.entry(&resource.group).or_default();
            let version =
                json!({"groupVersion": api_version(resource), "version": resource.version});
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        let groups: Vec<Value> = groups
            .into_iter()
            .map(|(name, versions)| json!({"name": name, "versions": versions}))
            .collect();
        let body = json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups});
        return text("application/json", &body.to_string());
    }
    let served: Vec<Value> = resources
        .iter()
        .filter(|r| path == format!("/apis/{}", api_version(r)))
        .map(|r| json!({"name": r.plural, "kind": r.kind}))
        .collect();
    if served.is_empty() {
        // As the API server says it: not in its own words.
        let mut answer = text("text/plain", "404 page not found\n");
        *answer.status_mut() = StatusCode::NOT_FOUND;
        return answer;
    }
    let body = json!({"kind": "APIResourceList", "apiVersion": "v1", "resources": served});
    text("application/json", &body.to_string())
}

fn api_version(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.version.clone()
    } else {
        format!("{}/{}", resource.group, resource.version)
    }
}

fn status(code: u16) -> Response<Body> {
    let body = failure(code, "Fault", "the test wants it so");
    let mut answer = text("application/json", &body.to_string());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "code": code, "reason": reason, "message": message,
    })
}

fn text(content_type: &'static str, body: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_owned())).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed());
    let content_type = http::HeaderValue::from_static(content_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    answer
}
