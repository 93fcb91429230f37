//! What a session costs.

use super::{Link, Live};
use crate::{ServerHello, Session, transport};

#[test]
fn a_session_that_nobody_uses_is_small() {
    let parts = [
        size_of::<Session>(),
        size_of::<Link>(),
        size_of::<Live>(),
        size_of::<ServerHello>(),
        size_of::<transport::Exchange>(),
    ];
    let fixed: usize = parts.iter().sum();
    assert!(fixed < 1024, "{fixed} bytes: {parts:?}");
}
