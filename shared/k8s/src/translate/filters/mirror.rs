//! `RequestMirror`.

use mcwan_routing::filter::Mirror;

use super::Reader;
use super::source::{MirrorSource, ObjectSource};
use crate::translate::backends::{Leads, ServiceRef};
use crate::translate::finding::{BACKEND_VALUE, Fault, Field, UNSUPPORTED_VALUE};

impl Reader<'_, '_, '_> {
    /// Reads a mirror. One whose backend does not resolve makes no copies, but does not stop the requests either
    /// (`HTTPRequestMirrorFilter.backendRef`: the backend is not configured).
    pub(super) fn mirror(
        &mut self,
        source: &MirrorSource,
        field: &Field<'_>,
    ) -> Result<Option<Mirror>, Fault> {
        let (numerator, denominator) = share(source)?;
        let to = reference(&source.backend_ref);
        let resolved = self
            .resolver
            .resolve(&to)
            .and_then(|resolved| match resolved.leads {
                Leads::Here => Ok(resolved.name),
                Leads::Tunnel { .. } | Leads::Import => Err(Fault::new(
                    BACKEND_VALUE,
                    format!(
                        "{} leads into the WAN, where no copies are sent",
                        resolved.name
                    ),
                    "mirror to a local Service",
                )),
            });
        match resolved {
            Ok(backend) => Ok(Some(Mirror {
                backend,
                numerator,
                denominator,
            })),
            Err(fault) => {
                self.findings
                    .add(&field.at("requestMirror").at("backendRef"), fault);
                Ok(None)
            }
        }
    }
}

fn reference(source: &ObjectSource) -> ServiceRef<'_> {
    ServiceRef {
        group: source.group.as_deref().unwrap_or_default(),
        kind: source.kind.as_deref().unwrap_or("Service"),
        namespace: source.namespace.as_deref(),
        name: &source.name,
        port: source.port,
    }
}

/// The share of requests that is copied; all, when nothing is said.
fn share(source: &MirrorSource) -> Result<(u32, u32), Fault> {
    let (numerator, denominator) = match (source.percent, source.fraction) {
        (None, None) => (1, 1),
        (Some(percent), None) => (percent, 100),
        (None, Some(fraction)) => (fraction.numerator, fraction.denominator.unwrap_or(100)),
        (Some(_), Some(_)) => {
            return Err(Fault::new(
                UNSUPPORTED_VALUE,
                "a mirror has a percent or a fraction, not both",
                "remove one of them",
            ));
        }
    };
    match (u32::try_from(numerator), u32::try_from(denominator)) {
        (Ok(n), Ok(d)) if d > 0 && n <= d => Ok((n, d)),
        _ => Err(Fault::new(
            UNSUPPORTED_VALUE,
            format!("{numerator} of {denominator} is not a share of requests"),
            "write a percent from 0 to 100, or a fraction of at most 1",
        )),
    }
}
