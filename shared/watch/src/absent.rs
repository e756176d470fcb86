//! Whether a kind is really not served. A 404 alone is the word of any web server.

use kube::Client;
use mcwan_k8s::object::Kind;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

#[derive(Deserialize)]
struct Groups {
    kind: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    kind: String,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
}

/// Asks the API server's discovery. True only when it answers properly, and none of the versions that we know has the kind.
pub(crate) async fn confirmed(client: &Client, kind: &Kind) -> Result<bool, Failure> {
    let groups: Groups = get(client, "/apis").await?;
    if groups.kind != "APIGroupList" {
        return Err(Failure::Nonsense("not a list of API groups".to_owned()));
    }
    let versions = groups.groups.iter().filter(|g| g.name == kind.group);
    let versions = versions
        .flat_map(|g| &g.versions)
        .filter(|v| kind.serves(&v.version));
    for version in versions {
        let path = format!("/apis/{}/{}", kind.group, version.version);
        let resources: Resources = get(client, &path).await?;
        if resources.kind != "APIResourceList" {
            return Err(Failure::Nonsense("not a list of API resources".to_owned()));
        }
        if resources.resources.iter().any(|r| r.name == kind.plural) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, Failure> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|e| Failure::Nonsense(e.to_string()))?;
    let text = client.request_text(request).await?;
    serde_json::from_str(&text).map_err(|e| Failure::Nonsense(e.to_string()))
}
