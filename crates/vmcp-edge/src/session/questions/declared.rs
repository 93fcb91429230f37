//! What the client said it can do.

use vmcp_wire::{Message, Object, method, rpc};

/// What the client said it can do for servers. Nobody is asked for anything else.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Declared {
    sampling: bool,
    /// The client's model takes tools.
    tools: bool,
    elicitation: bool,
    /// The client's user fills in forms.
    form: bool,
    /// The client's user can be sent to a URL.
    url: bool,
    roots: bool,
}

/// A code, and what a server is told.
type Refusal = (i64, &'static str);

const NOT_OFFERED: Refusal = (rpc::METHOD_NOT_FOUND, "the client does not offer this");
const NO_TOOLS: Refusal = (rpc::INVALID_PARAMS, "the client does not offer tools in sampling");
const NO_SUCH_MODE: Refusal = (rpc::INVALID_PARAMS, "the client does not offer this mode");

// === impl Declared ===

impl Declared {
    /// Reads its capabilities, a raw JSON object.
    pub(super) fn read(capabilities: &[u8]) -> Self {
        let Ok(object) = Object::parse(capabilities) else { return Self::default() };
        let of = |key: &str| object.get(key).filter(|member| !member.is_null());
        let (sampling, elicitation) = (of("sampling"), of("elicitation"));
        let modes = elicitation.as_ref().and_then(|member| member.as_object());
        let mode = |key: &str| modes.as_ref().is_some_and(|modes| modes.get(key).is_some());
        let tools = sampling.as_ref().and_then(|member| member.as_object()?.get("tools"));
        Self {
            sampling: sampling.is_some(),
            tools: tools.is_some(),
            elicitation: elicitation.is_some(),
            // Without modes it is the one that there was first.
            form: mode("form") || !mode("url"),
            url: mode("url"),
            roots: of("roots").is_some(),
        }
    }

    /// Why a server's request is none for this client.
    pub(super) fn refuses(self, request: &Message) -> Option<Refusal> {
        let refusal = match request.method() {
            method::ROOTS_LIST => (!self.roots).then_some(NOT_OFFERED),
            method::SAMPLING_CREATE_MESSAGE if !self.sampling => Some(NOT_OFFERED),
            method::ELICITATION_CREATE if !self.elicitation => Some(NOT_OFFERED),
            method::SAMPLING_CREATE_MESSAGE | method::ELICITATION_CREATE => None,
            _ => return None,
        };
        if refusal.is_some() || self.tools && self.form && self.url {
            return refusal;
        }
        let params = request.params().unwrap_or_default();
        let params = Object::parse(&params).ok()?;
        match request.method() {
            method::SAMPLING_CREATE_MESSAGE => {
                let has = |key| params.get(key).is_some_and(|member| !member.is_null());
                (!self.tools && (has("tools") || has("toolChoice"))).then_some(NO_TOOLS)
            }
            method::ELICITATION_CREATE => {
                let mode = params.get("mode").filter(|mode| !mode.is_null());
                let offered = match mode.as_ref().and_then(|mode| mode.as_str()).as_deref() {
                    Some("url") => self.url,
                    Some("form") => self.form,
                    _ => mode.is_none() && self.form,
                };
                (!offered).then_some(NO_SUCH_MODE)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use vmcp_wire::{Limits, Message, RawId, rpc};

    use super::Declared;

    fn code(declared: &str, method: &str, params: &str) -> Option<i64> {
        let request = rpc::request(&RawId::number(1), method, Some(params.as_bytes()));
        let request = Message::parse(request, &Limits::default()).unwrap();
        Declared::read(declared.as_bytes()).refuses(&request).map(|(code, _)| code)
    }

    #[test]
    fn modes_and_tools_are_asked_of_who_declared_them() {
        let form = r#"{"message":"?","requestedSchema":{}}"#;
        let url = r#"{"mode":"url","url":"u"}"#;
        let tools = r#"{"messages":[],"tools":[]}"#;
        let (elicit, sample) = ("elicitation/create", "sampling/createMessage");
        let table = [
            ("{}", elicit, form, Some(-32601)),
            (r#"{"elicitation":null}"#, elicit, form, Some(-32601)),
            (r#"{"elicitation":{}}"#, elicit, form, None),
            (r#"{"elicitation":{}}"#, elicit, url, Some(-32602)),
            (r#"{"elicitation":{"form":{}}}"#, elicit, url, Some(-32602)),
            (r#"{"elicitation":{"url":{}}}"#, elicit, url, None),
            (r#"{"elicitation":{"url":{}}}"#, elicit, form, Some(-32602)),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, elicit, form, None),
            (r#"{"elicitation":{}}"#, elicit, r#"{"mode":"fax"}"#, Some(-32602)),
            (r#"{"elicitation":{}}"#, elicit, r#"{"mode":"form"}"#, None),
            ("{}", sample, "{}", Some(-32601)),
            (r#"{"sampling":{}}"#, sample, r#"{"messages":[]}"#, None),
            (r#"{"sampling":{}}"#, sample, tools, Some(-32602)),
            (r#"{"sampling":{}}"#, sample, r#"{"toolChoice":{"mode":"auto"}}"#, Some(-32602)),
            (r#"{"sampling":{"tools":{}}}"#, sample, tools, None),
            ("{}", "roots/list", "{}", Some(-32601)),
            (r#"{"roots":{}}"#, "roots/list", "{}", None),
            ("{}", "vendor/ask", "{}", None),
        ];
        for (declared, method, params, expected) in table {
            assert_eq!(code(declared, method, params), expected, "{declared} {method} {params}");
        }
    }
}
