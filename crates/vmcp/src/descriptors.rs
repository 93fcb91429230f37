//! How many files and sockets this process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vmcp_config::Config;

/// Besides connections of clients and to backends: listeners, pipes, files.
const OTHERS: u64 = 512;

/// Raises the limit to what the configuration may need, and says so if that is more than is allowed. No further: child
/// processes inherit it, and some look at every number below it.
pub(crate) fn raise(config: &Config) {
    let connections = u64::try_from(config.limits.max_connections).unwrap_or(u64::MAX);
    // A call has a connection on either side.
    let wanted = connections.saturating_mul(2).saturating_add(OTHERS);
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let to = wanted.min(most);
    let limit = match now < to && setrlimit(Resource::RLIMIT_NOFILE, to, most).is_ok() {
        true => to,
        false => now,
    };
    let enough = connections.saturating_add(OTHERS);
    if limit < enough {
        let advice = "raise it (`ulimit -n`, `LimitNOFILE=`), or lower `limits.maxConnections`";
        tracing::warn!(
            limit,
            enough,
            advice,
            "not all connections of clients will be accepted: too few open files"
        );
    } else {
        tracing::debug!(limit, "open files");
    }
}
