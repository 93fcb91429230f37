//! Which redirects are followed: only those that keep scheme, host and port.
//!
//! A request carries credentials and a caller's data for one origin. Whoever can make that origin answer with a
//! redirect must not be able to choose who else gets them, so anything that leaves the origin is refused,
//! upgrades to HTTPS and other ports included. A POST is never turned into a GET: the answer would belong to
//! another question.

use http::{HeaderMap, Method, StatusCode, Uri, header};
use url::Url;

use crate::NetError;

/// Hops before giving up.
pub(crate) const MAX_HOPS: usize = 10;

/// Where to send the request instead; `None`: the response is no redirect.
pub(crate) fn next_hop(
    method: &Method,
    from: &Uri,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Uri>, NetError> {
    let keeps_method = match status {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        _ => return Ok(None),
    };
    if !keeps_method && *method != Method::GET && *method != Method::HEAD {
        let status = status.as_u16();
        return refuse(format!("refusing redirect {status}: it would turn {method} into GET"));
    }
    let Some(location) = headers.get(header::LOCATION) else {
        return refuse(format!("redirect {} without a location", status.as_u16()));
    };
    let Ok(location) = location.to_str() else {
        return refuse("refusing redirect: the location is not plain text".to_owned());
    };
    let base = Url::parse(&from.to_string())
        .map_err(|error| NetError::Redirect(format!("cannot resolve a redirect: {error}")))?;
    let Ok(mut to) = base.join(location) else {
        return refuse("refusing redirect: the location is not a URL".to_owned());
    };
    check_origin(&base, &to)?;
    to.set_fragment(None);
    to.as_str()
        .parse()
        .map(Some)
        .map_err(|_| NetError::Redirect("refusing redirect: the location is not a URL".to_owned()))
}

/// The error of one redirect more than `followed` are.
pub(crate) fn too_many(status: StatusCode, followed: usize) -> NetError {
    NetError::Redirect(match followed {
        0 => format!("refusing redirect {}: none is followed here", status.as_u16()),
        _ => format!("stopped after {followed} redirects"),
    })
}

fn check_origin(from: &Url, to: &Url) -> Result<(), NetError> {
    let host = to.host_str().unwrap_or_default();
    if from.scheme() == "https" && to.scheme() != "https" {
        return refuse("refusing redirect that downgrades from HTTPS".to_owned());
    }
    if !to.username().is_empty() || to.password().is_some() {
        return refuse("refusing redirect to a location with user or password".to_owned());
    }
    let same = from.scheme() == to.scheme()
        && from.host() == to.host()
        && from.port_or_known_default() == to.port_or_known_default();
    if !same {
        let origin = from.host_str().unwrap_or_default();
        return refuse(format!(
            "refusing cross-origin redirect to \"{}://{host}\" (original host \"{origin}\")",
            to.scheme()
        ));
    }
    Ok(())
}

fn refuse<T>(why: String) -> Result<T, NetError> {
    Err(NetError::Redirect(why))
}

#[cfg(test)]
mod tests;
