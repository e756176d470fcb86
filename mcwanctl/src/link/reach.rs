//! By which address and authority the peer's controller reaches an API server.
//!
//! The address in the user's kubeconfig is the one that fits the user's machine, and often no other.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use k8s_openapi::ByteString;
use kube::config::Cluster as Entry;
use mcwan_k8s::access::Endpoint;

use super::side::Asked;

/// An address that cannot be given to a peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReachError {
    /// It is no URL of an API server.
    Server(char, String, &'static str),
    /// There is none.
    NoServer(char),
    /// The kubeconfig does not check whom it talks to. A peer must.
    Insecure(char),
    /// The authority cannot be read.
    Authority(char, String),
}

impl fmt::Display for ReachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(side, url, why) => write!(
                f,
                "{url:?} cannot be given to a peer: {why}; say how it is reached: --server-{side} https://HOST:PORT"
            ),
            Self::NoServer(side) => write!(
                f,
                "the context has no server; give it: --server-{side} https://HOST:PORT"
            ),
            Self::Insecure(side) => write!(
                f,
                "the context has insecure-skip-tls-verify, but a peer must know whom it talks to; \
                 give the authority of the API server: --ca-{side} FILE"
            ),
            Self::Authority(side, why) => {
                write!(
                    f,
                    "no usable certificate authority: {why}; give one: --ca-{side} FILE"
                )
            }
        }
    }
}

impl std::error::Error for ReachError {}

/// The address and authority for peers: what was asked for, else what the kubeconfig says. The token comes later.
pub(crate) fn endpoint(asked: &Asked<'_>, entry: &Entry) -> Result<Endpoint, ReachError> {
    let given = asked.server.or(entry.server.as_deref());
    let server = given.ok_or(ReachError::NoServer(asked.letter))?;
    let wrong = |why| Err(ReachError::Server(asked.letter, server.to_owned(), why));
    let Ok(uri) = server.parse::<http::Uri>() else {
        return wrong("it is no URL");
    };
    if uri.host().is_none_or(str::is_empty) {
        return wrong("it has no host");
    }
    if uri.scheme_str() != Some("https") {
        return wrong("a token must not travel without TLS");
    }
    Ok(Endpoint {
        server: server.trim_end_matches('/').to_owned(),
        certificate_authority: authority(asked, entry)?,
        tls_server_name: entry.tls_server_name.clone(),
        token: String::new(),
    })
}

fn authority(asked: &Asked<'_>, entry: &Entry) -> Result<Option<Vec<u8>>, ReachError> {
    let unusable = |why: String| ReachError::Authority(asked.letter, why);
    let read =
        |path: &Path| std::fs::read(path).map_err(|e| unusable(format!("{}: {e}", path.display())));
    if let Some(path) = asked.authority {
        return read(path).map(Some);
    }
    if entry.insecure_skip_tls_verify == Some(true) {
        return Err(ReachError::Insecure(asked.letter));
    }
    if let Some(data) = &entry.certificate_authority_data {
        let decoded = serde_json::from_value::<ByteString>(data.as_str().into());
        let decoded = decoded.map_err(|e| unusable(format!("certificate-authority-data: {e}")))?;
        return Ok(Some(decoded.0));
    }
    match &entry.certificate_authority {
        Some(path) => read(Path::new(path)).map(Some),
        None => Ok(None),
    }
}

/// Why another cluster can hardly reach an address; none for one that looks well.
pub(crate) fn doubt(asked: &Asked<'_>, endpoint: &Endpoint) -> Option<String> {
    let uri: http::Uri = endpoint.server.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let is_local = host == "localhost" || host.ends_with(".localhost");
    let address = host.parse::<IpAddr>().ok();
    let is_own = is_local || address.is_some_and(|a| a.is_loopback() || a.is_unspecified());
    is_own.then(|| {
        format!(
            "{} is an address of this machine only: the controller of the other cluster cannot reach it; say how it can: --server-{} https://HOST:PORT",
            endpoint.server, asked.letter
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(server: Option<&'a str>) -> Asked<'a> {
        Asked {
            letter: 'a',
            context: "west",
            id: None,
            server,
            authority: None,
        }
    }

    fn entry(server: &str) -> Entry {
        Entry {
            server: Some(server.to_owned()),
            certificate_authority_data: Some("Q0E=".to_owned()),
            ..Entry::default()
        }
    }

    #[test]
    fn the_address_that_is_asked_for_wins_and_the_authority_is_embedded() {
        let found = endpoint(
            &asked(Some("https://api.west:6443/")),
            &entry("https://127.0.0.1:1"),
        )
        .unwrap();
        assert_eq!(found.server, "https://api.west:6443");
        assert_eq!(found.certificate_authority.unwrap(), b"CA");
    }

    #[test]
    fn a_server_without_tls_or_without_a_host_is_refused() {
        for server in ["http://10.0.0.1:6443", "10.0.0.1", "https://", "not a url"] {
            let refused = endpoint(&asked(Some(server)), &entry("https://10.0.0.1:6443"));
            assert!(
                matches!(refused, Err(ReachError::Server('a', ..))),
                "{server}"
            );
        }
    }

    #[test]
    fn a_kubeconfig_that_skips_verification_is_refused_unless_an_authority_is_given() {
        let entry = Entry {
            insecure_skip_tls_verify: Some(true),
            ..entry("https://10.0.0.1:6443")
        };
        assert_eq!(
            endpoint(&asked(None), &entry),
            Err(ReachError::Insecure('a'))
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "PEM").unwrap();
        let given = Asked {
            authority: Some(file.path()),
            ..asked(None)
        };
        assert_eq!(
            endpoint(&given, &entry)
                .unwrap()
                .certificate_authority
                .unwrap(),
            b"PEM"
        );
    }

    #[test]
    fn an_authority_that_is_not_base64_is_refused() {
        let entry = Entry {
            certificate_authority_data: Some("!".to_owned()),
            ..entry("https://10.0.0.1:6443")
        };
        assert!(matches!(
            endpoint(&asked(None), &entry),
            Err(ReachError::Authority('a', _))
        ));
    }

    #[test]
    fn addresses_of_this_machine_are_doubted_and_others_not() {
        for (server, is_doubted) in [
            ("https://127.0.0.1:6443", true),
            ("https://[::1]:6443", true),
            ("https://0.0.0.0:6443", true),
            ("https://localhost:6443", true),
            ("https://10.0.0.1:6443", false),
            ("https://api.example.com", false),
        ] {
            let found = endpoint(&asked(None), &entry(server)).unwrap();
            assert_eq!(
                doubt(&asked(None), &found).is_some(),
                is_doubted,
                "{server}"
            );
        }
    }
}
