//! Which namespaces may attach: `allowedRoutes.namespaces` and `allowedListeners.namespaces`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde::{Deserialize, Serialize};

use super::finding::{Fault, UNSUPPORTED_VALUE};
use super::index::Index;

/// `namespaces` of either field; the generated types have a copy for each place.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct NamespacesSource {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    selector: Option<LabelSelector>,
}

impl NamespacesSource {
    /// Reads a generated type.
    pub(super) fn read(source: &impl Serialize) -> Self {
        serde_json::to_value(source)
            .and_then(serde_json::from_value)
            .unwrap_or_default()
    }
}

/// The namespaces that may attach.
#[derive(Debug, Clone)]
pub(super) enum Admitted {
    /// None at all.
    Nobody,
    /// The namespace of the object that says so.
    Same,
    /// Every namespace.
    All,
    /// Those whose labels match.
    Labelled(Box<LabelSelector>),
}

impl Admitted {
    /// Reads the field; `default` holds when `from` is absent. What cannot be understood admits nobody.
    pub(super) fn read(source: Option<NamespacesSource>, default: Self) -> Result<Self, Fault> {
        let source = source.unwrap_or_default();
        match source.from.as_deref() {
            None => Ok(default),
            Some("All") => Ok(Self::All),
            Some("Same") => Ok(Self::Same),
            Some("None") => Ok(Self::Nobody),
            Some("Selector") => selector(source.selector),
            Some(other) => Err(Fault::new(
                UNSUPPORTED_VALUE,
                format!("`{other}` does not say which namespaces may attach"),
                "write All, Same, Selector or None",
            )),
        }
    }

    /// Whether `namespace` may attach to an object of namespace `own`.
    pub(super) fn admits<'a>(&self, index: &Index<'a>, own: &str, namespace: &'a str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Same => own == namespace,
            Self::All => true,
            Self::Labelled(selector) => matches(selector, index, namespace),
        }
    }
}

fn selector(selector: Option<LabelSelector>) -> Result<Admitted, Fault> {
    let Some(selector) = selector else {
        return Err(Fault::new(
            UNSUPPORTED_VALUE,
            "`from: Selector` without a selector admits no namespace",
            "add a selector, or write `from: Same`",
        ));
    };
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    match expressions.iter().find(|e| !is_valid(e)) {
        Some(bad) => Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("the selector's expression on `{}` is not valid", bad.key),
            "use In or NotIn with values, or Exists or DoesNotExist without",
        )),
        None => Ok(Admitted::Labelled(Box::new(selector))),
    }
}

fn is_valid(expression: &LabelSelectorRequirement) -> bool {
    let valued = expression.values.as_ref().is_some_and(|v| !v.is_empty());
    match expression.operator.as_str() {
        "In" | "NotIn" => valued,
        "Exists" | "DoesNotExist" => !valued,
        _ => false,
    }
}

/// An empty selector matches every namespace (Kubernetes `LabelSelector`).
fn matches<'a>(selector: &LabelSelector, index: &Index<'a>, namespace: &'a str) -> bool {
    let labels = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    labels
        .into_iter()
        .all(|(label, value)| index.namespace_label(namespace, label) == Some(value.as_str()))
        && expressions
            .into_iter()
            .all(|e| holds(e, index.namespace_label(namespace, &e.key)))
}

fn holds(expression: &LabelSelectorRequirement, label: Option<&str>) -> bool {
    let listed = |value: &str| expression.values.iter().flatten().any(|v| v == value);
    match expression.operator.as_str() {
        "In" => label.is_some_and(listed),
        "NotIn" => !label.is_some_and(listed),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        _ => false,
    }
}
