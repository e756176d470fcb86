//! Cross-origin resource sharing (GEP-1767, `HTTPCORSFilter`; WHATWG Fetch §3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Cors, HeaderModifier};

/// A browser's question before a request of another origin. The gateway answers it itself, with 204 and the headers of
/// [`Cors::preflight`].
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'a> {
    origin: &'a HeaderValue,
    method: &'a HeaderValue,
    headers: Option<&'a HeaderValue>,
}

impl<'a> Preflight<'a> {
    /// The status of the answer, whether the origin is allowed or not.
    pub const STATUS: u16 = 204;

    /// Recognises a preflight: `OPTIONS` with `Origin` and `Access-Control-Request-Method`.
    #[must_use]
    pub fn of(method: &Method, headers: &'a HeaderMap) -> Option<Self> {
        (method == Method::OPTIONS).then_some(())?;
        Some(Self {
            origin: headers.get(ORIGIN)?,
            method: headers.get(ACCESS_CONTROL_REQUEST_METHOD)?,
            headers: headers.get(ACCESS_CONTROL_REQUEST_HEADERS),
        })
    }
}

impl Cors {
    /// The headers of the answer to a preflight. An origin that is not allowed gets none: its browser then refuses.
    #[must_use]
    pub fn preflight(&self, asked: &Preflight<'_>) -> HeaderModifier {
        let mut answer = HeaderModifier::default();
        self.set_origin(Some(asked.origin), &mut answer);
        if answer.set.is_empty() {
            return answer;
        }
        let lists = [
            (
                ACCESS_CONTROL_ALLOW_METHODS,
                &self.allow_methods,
                Some(asked.method),
            ),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                &self.allow_headers,
                asked.headers,
            ),
        ];
        for (name, allowed, wanted) in lists {
            let value = if is_any(allowed) {
                wanted.cloned()
            } else {
                list(allowed)
            };
            answer.set.extend(value.map(|value| (name, value)));
        }
        answer
            .set
            .push((ACCESS_CONTROL_MAX_AGE, self.max_age.into()));
        answer
    }

    /// The changes of an answer to a request with this `Origin`, or without one. The filter speaks for the backend: what
    /// the backend says about origins is replaced or removed. `response` holds the backend's headers.
    #[must_use]
    pub fn response(&self, origin: Option<&HeaderValue>, response: &HeaderMap) -> HeaderModifier {
        let mut changes = HeaderModifier::default();
        self.set_origin(origin, &mut changes);
        if !changes.set.is_empty() {
            let exposed = self.exposed(response);
            changes
                .set
                .extend(exposed.map(|value| (ACCESS_CONTROL_EXPOSE_HEADERS, value)));
        }
        let ours = [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ];
        let set = |name: &HeaderName| changes.set.iter().any(|(n, _)| n == name);
        changes.remove = ours.into_iter().filter(|name| !set(name)).collect();
        changes
    }

    /// Whether scripts of this origin may read answers.
    #[must_use]
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().unwrap_or_default();
        self.allow_origins
            .iter()
            .any(|allowed| origin_matches(allowed, origin))
    }

    /// Names the origin, if it is allowed. `*` only without credentials: browsers refuse it with them.
    fn set_origin(&self, origin: Option<&HeaderValue>, answer: &mut HeaderModifier) {
        let any = is_any(&self.allow_origins) && !self.allow_credentials;
        if !any {
            // The answer depends on the origin, even where it is absent or refused: a cache must know.
            answer.add.push((VARY, HeaderValue::from_static("Origin")));
        }
        let Some(origin) = origin.filter(|o| self.allows(o)) else {
            return;
        };
        let value = if any {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        };
        answer.set.push((ACCESS_CONTROL_ALLOW_ORIGIN, value));
        if self.allow_credentials {
            answer.set.push((
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            ));
        }
    }

    /// Header names that scripts may read. With credentials a `*` would be taken as a name, so the names are listed.
    fn exposed(&self, response: &HeaderMap) -> Option<HeaderValue> {
        if is_any(&self.expose_headers) && self.allow_credentials {
            let names: Vec<&str> = response.keys().map(HeaderName::as_str).collect();
            list(&names)
        } else {
            list(&self.expose_headers)
        }
    }
}

/// Whether a list is the wildcard.
fn is_any(list: &[String]) -> bool {
    list.iter().any(|item| item == "*")
}

/// A list as one header value; None when there is nothing to say.
fn list<S: AsRef<str>>(items: &[S]) -> Option<HeaderValue> {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    if items.is_empty() {
        return None;
    }
    HeaderValue::from_str(&items.join(", ")).ok()
}

/// Compares an origin with an allowed one: scheme and host in any case, default ports filled in. The host may be `*`, or
/// begin with `*.`, which stands for one or more labels.
fn origin_matches(allowed: &str, origin: &str) -> bool {
    if allowed == "*" {
        return true;
    }
    let (Some(allowed), Some(origin)) = (Origin::parse(allowed), Origin::parse(origin)) else {
        return false;
    };
    let same_place =
        allowed.scheme.eq_ignore_ascii_case(origin.scheme) && allowed.port == origin.port;
    same_place && host_matches(allowed.host, origin.host)
}

fn host_matches(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => host
            .len()
            .checked_sub(suffix.len())
            .filter(|labels| *labels > 0)
            .and_then(|labels| host.get(labels..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix)),
        None => allowed.eq_ignore_ascii_case(host),
    }
}

struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let host = crate::hostname::without_port(authority);
        let port = match authority.strip_prefix(host)?.strip_prefix(':') {
            Some(port) => port,
            None if scheme.eq_ignore_ascii_case("https") => "443",
            None => "80",
        };
        Some(Self { scheme, host, port })
    }
}

#[cfg(test)]
mod tests;
