//! `server/discover`: what a handshake would have told.

use bytes::Bytes;
use vmcp_gateway::MultiSession;
use vmcp_wire::quote;

use super::about::supported;
use super::result::made;

/// The result: all revisions that can be had here, and what all backends together offer.
pub(super) fn discover(multi: &MultiSession) -> Bytes {
    let mut result = b"{\"supportedVersions\":".to_vec();
    result.extend_from_slice(&supported());
    result.extend_from_slice(b",\"capabilities\":");
    result.extend_from_slice(&multi.capabilities());
    if let Some(instructions) = multi.instructions() {
        result.extend_from_slice(b",\"instructions\":");
        result.extend_from_slice(&quote(&instructions));
    }
    result.push(b'}');
    made(&result, Some(multi.introduction_freshness()), Some(&multi.server_info()))
}
