//! Pieces of `OpenAPI` schema that the derive cannot express: units, defaults, and values of two types.
//!
//! Defaults stand in the schema only for fields that are in force. For the others a value in the object then always means
//! that the user wrote it, so that "not in force yet" can be reported exactly, also for objects from an API server.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A GEP-2257 duration, as a schema pattern.
const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// An RFC 1123 label.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// A duration without a default.
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 32, "pattern": DURATION })
}

fn duration_or(default: &str) -> Schema {
    json_schema!({ "type": "string", "maxLength": 32, "pattern": DURATION, "default": default })
}

/// `failover.holdDown`.
pub(crate) fn hold_down(_: &mut SchemaGenerator) -> Schema {
    duration_or("60s")
}

/// `failover.maxHoldDown`.
pub(crate) fn max_hold_down(_: &mut SchemaGenerator) -> Schema {
    duration_or("20m")
}

/// `connections.maxAge`.
pub(crate) fn max_age(_: &mut SchemaGenerator) -> Schema {
    duration_or("10m")
}

fn count(minimum: i32, maximum: i32, default: i32) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": minimum, "maximum": maximum, "default": default })
}

/// `connections.min`.
pub(crate) fn connections_min(_: &mut SchemaGenerator) -> Schema {
    count(0, 64, 1)
}

/// `connections.max`.
pub(crate) fn connections_max(_: &mut SchemaGenerator) -> Schema {
    count(1, 64, 4)
}

/// `connections.maxStreams`.
pub(crate) fn max_streams(_: &mut SchemaGenerator) -> Schema {
    count(1, 1000, 100)
}

/// A differentiated services code point: a name or a number; 48 and 56 are network control. No CEL: the API server assumes
/// the longest possible text for a value of two types, and refuses any rule about it as too expensive.
pub(crate) fn dscp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "pattern": "^(EF|VA|AF[1-4][1-3]|CS[0-5]|LE)$",
        "minimum": 0,
        "maximum": 63,
        "not": { "enum": [48, 56] }
    })
}

/// `backendRefs` of a rule: an object or a list, which a structural schema can only leave open. An object must have a
/// name, a list must not be empty or longer than 16; the rest is checked when the object is read.
pub(crate) fn policy_refs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-preserve-unknown-fields": true,
        "required": ["name"],
        "minItems": 1,
        "maxItems": 16
    })
}

/// Name of a `WANPolicy` or of another object whose name is one label.
pub(crate) fn label(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 63, "pattern": LABEL })
}

/// `failover.fallback`: up to four names, in order.
pub(crate) fn fallback(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 4,
        "items": { "type": "string", "minLength": 1, "maxLength": 253 },
        "x-kubernetes-list-type": "set"
    })
}

/// Conditions, merged by type (as in every Kubernetes API).
pub(crate) fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let item =
        generator.subschema_for::<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>();
    json_schema!({
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"]
    })
}
