//! Specs in which everything is optional, and which may be absent altogether: real exports often have none.

/// Reads a spec that is absent or null like an empty one. `CustomResource` has no attribute for that, but serde asks the type
/// of a missing field whether it can be made of nothing, and `Option` can.
///
/// Takes the name of the struct and all of its fields with their types.
macro_rules! optional_spec {
    ($spec:ident { $( $(#[$attribute:meta])* $field:ident: $ty:ty ),+ $(,)? }) => {
        impl<'de> serde::Deserialize<'de> for $spec {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(Default, serde::Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Fields { $( $(#[$attribute])* $field: $ty ),+ }

                let Fields { $($field),+ } =
                    <Option<Fields> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default();
                Ok(Self { $($field),+ })
            }
        }
    };
}

pub(crate) use optional_spec;
