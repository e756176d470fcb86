use super::*;
use crate::client::{Call, Client};
use serde_json::json;

fn services() -> Resource {
    Resource {
        group: String::new(),
        version: "v1".to_owned(),
        plural: "services".to_owned(),
        kind: "Service".to_owned(),
    }
}

async fn get(server: &ApiServer, path: &str) -> (u16, Value) {
    let answer = Client::new(server.address)
        .send(&Call::get("api", path))
        .await
        .unwrap();
    let text = answer.text();
    (
        answer.status.as_u16(),
        serde_json::from_str(&text).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn lists_come_in_pages_and_say_their_version() {
    let server = ApiServer::start([services()]).await.unwrap();
    for name in ["a", "b", "c"] {
        server.apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": name}}));
    }
    let (status, page) = get(&server, "/api/v1/services?limit=2").await;
    assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(page["metadata"]["resourceVersion"], "3");
    let (_, page) = get(&server, "/api/v1/services?limit=2&continue=2").await;
    assert_eq!(page["items"][0]["metadata"]["name"], "c");
    assert_eq!(page["metadata"]["continue"], "");
    assert_eq!(server.requests("list", "services"), 2);
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_404_and_a_fault_is_what_it_says() {
    let server = ApiServer::start([services()]).await.unwrap();
    assert_eq!(get(&server, "/api/v1/secrets").await.0, 404);
    server.fault_of("services", Fault::Status(503));
    assert_eq!(get(&server, "/api/v1/services").await.0, 503);
}
