//! What the browser shows at the end. Nothing that came with its request is repeated there.

/// A page: status and HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    status: &'static str,
    title: &'static str,
    text: &'static str,
}

/// The login was made.
pub(super) const DONE: Page = Page {
    status: "200 OK",
    title: "Logged in",
    text: "vmcp has what it needs. You can close this window.",
};
/// It was not.
pub(super) const FAILED: Page = Page {
    status: "400 Bad Request",
    title: "Not logged in",
    text: "The terminal in which vmcp was started says why. You can close this window.",
};
/// A request for something else.
pub(super) const NOTHING: Page = Page {
    status: "404 Not Found",
    title: "Nothing here",
    text: "This address waits for one login and for nothing else.",
};

// === impl Page ===

impl Page {
    /// The whole response.
    pub(super) fn response(self) -> String {
        let Self { status, title, text } = self;
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>body{{font:1.1em system-ui,sans-serif;max-width:32em;margin:20vh auto;padding:0 1em}}</style>\
             </head><body><h1>{title}</h1><p>{text}</p></body></html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
             content-security-policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
             connection: close\r\n\r\n{html}",
            html.len()
        )
    }
}
