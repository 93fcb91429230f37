//! What a server may ask a client, and what the client must have declared for that.
//!
//! One answer for everybody who asks in a server's name, or refuses in a client's. Sources: the pages on sampling,
//! elicitation and roots of the revisions that have them; a mode of elicitation that nobody declared, or knows, is none.

use crate::{Object, method, rpc};

/// What a client declared that it can do for servers. Nobody is asked for anything else.
///
/// A capability is declared by an object; `null` and what is none declare nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Declared {
    sampling: bool,
    /// Its model takes tools.
    tools: bool,
    elicitation: bool,
    /// Its user fills in forms.
    form: bool,
    /// Its user can be sent to a URL.
    url: bool,
    roots: bool,
}

/// What a client did not declare of what a question needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It has no roots to tell.
    Roots,
    /// It has no model to ask.
    Sampling,
    /// Its model takes no tools.
    SamplingTools,
    /// It has no user to ask.
    Elicitation,
    /// Its user fills in no forms.
    Form,
    /// Its user cannot be sent to a URL.
    Url,
}

/// Whether a request with this method asks a client for something that clients declare.
pub fn is_question(asked: &str) -> bool {
    matches!(
        asked,
        method::ELICITATION_CREATE | method::SAMPLING_CREATE_MESSAGE | method::ROOTS_LIST
    )
}

/// Whether a request with this method may be answered by a question to whoever made it.
pub fn may_ask(asked: &str) -> bool {
    matches!(asked, method::TOOLS_CALL | method::PROMPTS_GET | method::RESOURCES_READ)
}

// === impl Declared ===

impl Declared {
    /// Reads a client's capabilities, a raw JSON object. What is none declares nothing.
    pub fn read(capabilities: &[u8]) -> Self {
        let Ok(object) = Object::parse(capabilities) else { return Self::default() };
        let of = |key: &str| object.get(key)?.as_object();
        let (sampling, elicitation) = (of("sampling"), of("elicitation"));
        let says = |object: &Option<Object<'_>>, key: &str| {
            object.as_ref().is_some_and(|object| is_there(object, key))
        };
        Self {
            sampling: sampling.is_some(),
            tools: says(&sampling, "tools"),
            elicitation: elicitation.is_some(),
            // Without modes it is the one that there was first.
            form: says(&elicitation, "form") || !says(&elicitation, "url"),
            url: says(&elicitation, "url"),
            roots: of("roots").is_some(),
        }
    }

    /// Whether it can be asked for anything.
    pub fn any(self) -> bool {
        self.sampling || self.elicitation || self.roots
    }

    /// What is missing for a request with this method and these params, a raw JSON object; `None` if nothing is, or if it
    /// is [no question](is_question).
    pub fn lacks(self, asked: &str, params: Option<&[u8]>) -> Option<Missing> {
        let missing = match asked {
            method::ROOTS_LIST => (!self.roots).then_some(Missing::Roots),
            method::SAMPLING_CREATE_MESSAGE => (!self.sampling).then_some(Missing::Sampling),
            method::ELICITATION_CREATE => (!self.elicitation).then_some(Missing::Elicitation),
            _ => return None,
        };
        let params = match missing {
            None if asked != method::ROOTS_LIST => Object::parse(params.unwrap_or(b"{}")).ok()?,
            missing => return missing,
        };
        if asked == method::SAMPLING_CREATE_MESSAGE {
            let uses = is_there(&params, "tools") || is_there(&params, "toolChoice");
            return (uses && !self.tools).then_some(Missing::SamplingTools);
        }
        let mode = params.get("mode").filter(|mode| !mode.is_null());
        match mode.map(|mode| mode.as_str().is_some_and(|mode| mode == "url")) {
            Some(true) => (!self.url).then_some(Missing::Url),
            // A mode that nobody knows is taken for a form by no client.
            Some(false) if !is_form(&params) => Some(Missing::Form),
            _ => (!self.form).then_some(Missing::Form),
        }
    }
}

fn is_there(object: &Object<'_>, key: &str) -> bool {
    object.get(key).is_some_and(|member| !member.is_null())
}

fn is_form(params: &Object<'_>) -> bool {
    params.get("mode").and_then(|mode| mode.as_str()).is_some_and(|mode| mode == "form")
}

// === impl Missing ===

impl Missing {
    /// The capability, named by the keys of the client's capabilities, outermost first.
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Self::Roots => &["roots"],
            Self::Sampling => &["sampling"],
            Self::SamplingTools => &["sampling", "tools"],
            Self::Elicitation => &["elicitation"],
            Self::Form => &["elicitation", "form"],
            Self::Url => &["elicitation", "url"],
        }
    }

    /// The code and the words with which a server is refused that asks in a request.
    pub fn refusal(self) -> (i64, &'static str) {
        match self {
            Self::Roots | Self::Sampling | Self::Elicitation => {
                (rpc::METHOD_NOT_FOUND, "the client does not offer this")
            }
            Self::SamplingTools => {
                (rpc::INVALID_PARAMS, "the client does not offer tools in sampling")
            }
            Self::Form | Self::Url => (rpc::INVALID_PARAMS, "the client does not offer this mode"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Declared, Missing, is_question};

    #[test]
    fn modes_and_tools_are_asked_of_who_declared_them() {
        let form = r#"{"message":"?","requestedSchema":{}}"#;
        let url = r#"{"mode":"url","url":"u"}"#;
        let tools = r#"{"messages":[],"tools":[]}"#;
        let (elicit, sample) = ("elicitation/create", "sampling/createMessage");
        let table = [
            ("{}", elicit, form, Some(Missing::Elicitation)),
            (r#"{"elicitation":null}"#, elicit, form, Some(Missing::Elicitation)),
            (r#"{"elicitation":true}"#, elicit, form, Some(Missing::Elicitation)),
            (r#"{"elicitation":{}}"#, elicit, form, None),
            (r#"{"elicitation":{}}"#, elicit, url, Some(Missing::Url)),
            (r#"{"elicitation":{"form":{}}}"#, elicit, url, Some(Missing::Url)),
            (r#"{"elicitation":{"url":{}}}"#, elicit, url, None),
            (r#"{"elicitation":{"url":{}}}"#, elicit, form, Some(Missing::Form)),
            (r#"{"elicitation":{"url":null}}"#, elicit, url, Some(Missing::Url)),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, elicit, form, None),
            (r#"{"elicitation":{}}"#, elicit, r#"{"mode":"fax"}"#, Some(Missing::Form)),
            (r#"{"elicitation":{}}"#, elicit, r#"{"mode":1}"#, Some(Missing::Form)),
            (r#"{"elicitation":{}}"#, elicit, r#"{"mode":"form"}"#, None),
            (r#"{"elicitation":{}}"#, elicit, r#"{"mode":null}"#, None),
            ("{}", sample, "{}", Some(Missing::Sampling)),
            ("[]", sample, "{}", Some(Missing::Sampling)),
            (r#"{"sampling":{}}"#, sample, r#"{"messages":[]}"#, None),
            (r#"{"sampling":{}}"#, sample, tools, Some(Missing::SamplingTools)),
            (
                r#"{"sampling":{}}"#,
                sample,
                r#"{"toolChoice":{"mode":"auto"}}"#,
                Some(Missing::SamplingTools),
            ),
            (r#"{"sampling":{}}"#, sample, r#"{"tools":null}"#, None),
            (r#"{"sampling":{"tools":{}}}"#, sample, tools, None),
            ("{}", "roots/list", "{}", Some(Missing::Roots)),
            (r#"{"roots":{}}"#, "roots/list", "{}", None),
            ("{}", "vendor/ask", "{}", None),
        ];
        for (declared, method, params, expected) in table {
            let declared = Declared::read(declared.as_bytes());
            let missing = declared.lacks(method, Some(params.as_bytes()));
            assert_eq!(missing, expected, "{declared:?} {method} {params}");
            assert_eq!(is_question(method), method != "vendor/ask");
        }
        let roots = Declared::read(br#"{"roots":{}}"#);
        assert_eq!(roots.lacks("roots/list", None), None);
        assert!(roots.any() && !Declared::read(br#"{"tasks":{},"sampling":null}"#).any());
        assert_eq!(Missing::SamplingTools.path(), ["sampling", "tools"]);
    }
}
