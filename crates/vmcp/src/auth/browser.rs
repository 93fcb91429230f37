//! Opening the user's browser.

use std::process::{Command, Stdio};

use url::Url;

use crate::sources;

/// Opens `url` in the browser of this desktop, if there seems to be one; whether that was tried.
///
/// The URL is the argument of a program, never of a shell, and begins with `http`, so that no program takes it for an
/// option. Whether a browser appears nobody can tell: the URL is shown as well.
pub(super) fn open(url: &Url) -> bool {
    if !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    programs().iter().any(|program| {
        let mut command = Command::new(program);
        command.arg(url.as_str());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Not waited for: it may be the browser itself, and stay.
        command.spawn().is_ok()
    })
}

/// What opens a URL here, best first.
fn programs() -> &'static [&'static str] {
    if cfg!(target_os = "macos") {
        return &["open"];
    }
    let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]
        .into_iter()
        .any(|name| sources::variable(name).is_some_and(|value| !value.is_empty()));
    if has_desktop { &["xdg-open", "wslview"] } else { &[] }
}
