//! Whether everything that is wanted is there.

use serde_json::Value;

/// Lists that server-side apply merges by key, among those that we write: others may have entries of their own in them.
const KEYED: [(&str, &[&str]); 2] = [("listeners", &["name"]), ("ports", &["port", "protocol"])];

/// Whether every field of `wanted` is in `there` with the same value. The API server adds defaults and drops what is
/// empty; neither is a difference.
pub(super) fn holds(wanted: &Value, there: &Value) -> bool {
    within(None, wanted, there)
}

fn within(field: Option<&str>, wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => wanted.iter().all(|(name, value)| {
            let other = there.get(name).unwrap_or(&Value::Null);
            within(Some(name), value, other)
        }),
        (Value::Array(wanted), Value::Array(there)) => items(field, wanted, there),
        (wanted, Value::Null) => is_empty(wanted),
        (wanted, there) => wanted == there,
    }
}

fn items(field: Option<&str>, wanted: &[Value], there: &[Value]) -> bool {
    let keyed = KEYED.iter().find(|(name, _)| field == Some(name));
    let Some((_, keys)) = keyed.filter(|(_, keys)| has_keys(wanted, keys)) else {
        return wanted.len() == there.len()
            && wanted.iter().zip(there).all(|(w, t)| within(None, w, t));
    };
    let same = |a: &Value, b: &Value| keys.iter().all(|k| a.get(k) == b.get(k));
    wanted
        .iter()
        .all(|w| there.iter().any(|t| same(w, t) && within(None, w, t)))
}

fn has_keys(items: &[Value], keys: &[&str]) -> bool {
    items.iter().all(|item| {
        keys.iter()
            .all(|k| item.get(k).is_some_and(|v| !v.is_null()))
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_of_the_server_are_no_difference() {
        let wanted = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {}}});
        let there = json!({
            "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "clusterIP": "10.0.0.1"},
            "status": {}
        });
        assert!(holds(&wanted, &there));
    }

    #[test]
    fn another_value_and_a_missing_field_are_differences() {
        let wanted = json!({"spec": {"type": "ClusterSetIP"}});
        assert!(!holds(&wanted, &json!({"spec": {"type": "Headless"}})));
        assert!(!holds(&wanted, &json!({"spec": {}})));
        assert!(!holds(&wanted, &json!({})));
    }

    #[test]
    fn an_ordinary_list_has_no_entries_of_others() {
        let wanted = json!({"rules": [1]});
        assert!(!holds(&wanted, &json!({"rules": [1, 2]})));
        assert!(!holds(&wanted, &json!({"rules": [2]})));
        assert!(!holds(&json!({"rules": [1, 2]}), &json!({"rules": [2, 1]})));
    }

    #[test]
    fn a_list_with_keys_may_have_entries_of_others_in_any_order() {
        let wanted = json!({"listeners": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]});
        let there = json!({"listeners": [
            {"name": "b", "port": 2}, {"name": "theirs", "port": 3}, {"name": "a", "port": 1, "protocol": "HTTP"}
        ]});
        assert!(holds(&wanted, &there));
        let other = json!({"listeners": [{"name": "a", "port": 9}, {"name": "b", "port": 2}]});
        assert!(!holds(&wanted, &other));
    }
}
