//! Notes, kept while vmcp runs: tools to write and find them, each note a resource that can be watched, and a prompt.

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use vmcp_wire::{method, rpc};

use super::server::{Answer, Change, Progress, Service, failed, said, unknown};

mod offers;

/// Notes that are kept at most.
const MAX_NOTES: usize = 1000;
/// Bytes of one note.
const MAX_BYTES: usize = 64 * 1024;
/// The template of the notes' URIs.
const TEMPLATE: &str = "note://{id}";

/// The service.
pub(crate) struct Notes {
    /// Protects the notes; each stands at its id minus one.
    notes: Mutex<Vec<Note>>,
    changes: broadcast::Sender<Change>,
}

#[derive(Debug, Clone)]
struct Note {
    title: String,
    text: String,
}

// === impl Notes ===

impl Notes {
    pub(crate) fn new() -> Self {
        let first = Note {
            title: "Welcome".to_owned(),
            text: "This note is a resource behind vmcp. Add more with the tool `add`.".to_owned(),
        };
        Self { notes: Mutex::new(vec![first]), changes: broadcast::Sender::new(64) }
    }

    fn call(&self, params: &Value) -> Answer {
        let arguments = &params["arguments"];
        let text = |key: &str| arguments[key].as_str().unwrap_or_default().trim();
        Ok(match params["name"].as_str().unwrap_or_default() {
            "add" => self.add(text("title"), text("text")),
            "edit" => self.edit(arguments["id"].as_u64(), text("text")),
            "list" => self.find(""),
            "search" => self.find(text("query")),
            other => return unknown(rpc::INVALID_PARAMS, "tool", other),
        })
    }

    fn add(&self, title: &str, text: &str) -> Value {
        if let Some(problem) = problem(text) {
            return failed(problem);
        }
        let title = if title.is_empty() { text.lines().next().unwrap_or_default() } else { title };
        let note = Note { title: title.chars().take(80).collect(), text: text.to_owned() };
        let id = {
            let mut notes = self.notes.lock();
            if notes.len() >= MAX_NOTES {
                return failed(format!("there are {MAX_NOTES} notes already"));
            }
            notes.push(note);
            notes.len()
        };
        // Nobody may be connected to hear it.
        let _ = self.changes.send(Change::Resources);
        said(format!("kept as {}", uri(id)), &json!({ "id": id, "uri": uri(id) }))
    }

    fn edit(&self, id: Option<u64>, text: &str) -> Value {
        if let Some(problem) = problem(text) {
            return failed(problem);
        }
        let id = id.and_then(|id| usize::try_from(id).ok()).unwrap_or_default();
        match self.notes.lock().get_mut(id.wrapping_sub(1)) {
            Some(note) => text.clone_into(&mut note.text),
            None => return failed(format!("there is no note {id}")),
        }
        let _ = self.changes.send(Change::Updated(uri(id)));
        said(format!("changed {}", uri(id)), &json!({ "id": id, "uri": uri(id) }))
    }

    /// The notes with `query` in them, in any case of letters.
    fn find(&self, query: &str) -> Value {
        let found = self.matching(query);
        let lines: Vec<String> =
            found.iter().map(|(id, note)| format!("{} {}", uri(*id), note.title)).collect();
        let notes: Vec<Value> =
            found.iter().map(|(id, note)| json!({ "id": id, "title": note.title })).collect();
        let text = if lines.is_empty() { "no notes".to_owned() } else { lines.join("\n") };
        said(text, &json!({ "notes": notes }))
    }

    fn matching(&self, query: &str) -> Vec<(usize, Note)> {
        let query = query.to_lowercase();
        let notes = self.notes.lock();
        let all = notes.iter().enumerate().map(|(index, note)| (index + 1, note));
        all.filter(|(_, note)| {
            note.title.to_lowercase().contains(&query) || note.text.to_lowercase().contains(&query)
        })
        .map(|(id, note)| (id, note.clone()))
        .collect()
    }

    fn resources(&self) -> Value {
        let notes = self.matching("");
        let resource = |(id, note): &(usize, Note)| {
            json!({
                "uri": uri(*id), "name": format!("note-{id}"), "title": note.title,
                "mimeType": "text/plain", "size": note.text.len(),
            })
        };
        json!({ "resources": notes.iter().map(resource).collect::<Vec<_>>() })
    }

    fn read(&self, uri: &str) -> Answer {
        let id: Option<usize> = uri.strip_prefix("note://").and_then(|id| id.parse().ok());
        let index = id.unwrap_or_default().wrapping_sub(1);
        match self.notes.lock().get(index) {
            Some(note) => Ok(json!({
                "contents": [{ "uri": uri, "mimeType": "text/plain", "text": note.text }],
            })),
            None => unknown(rpc::RESOURCE_NOT_FOUND, "resource", uri),
        }
    }

    fn prompt(&self, params: &Value) -> Answer {
        if params["name"] != "review" {
            return unknown(
                rpc::INVALID_PARAMS,
                "prompt",
                params["name"].as_str().unwrap_or_default(),
            );
        }
        let topic = params["arguments"]["topic"].as_str().unwrap_or_default();
        let notes: Vec<String> = self
            .matching(topic)
            .into_iter()
            .map(|(_, note)| format!("# {}\n{}", note.title, note.text))
            .collect();
        let text =
            format!("Review these notes and say what follows from them.\n\n{}", notes.join("\n\n"));
        Ok(json!({
            "description": "A review of the notes",
            "messages": [{ "role": "user", "content": { "type": "text", "text": text } }],
        }))
    }
}

impl Service for Notes {
    const NAME: &'static str = "vmcp-demo-notes";

    fn capabilities(&self) -> Value {
        json!({
            "tools": {},
            "resources": { "subscribe": true, "listChanged": true },
            "prompts": {},
        })
    }

    fn instructions(&self) -> &'static str {
        "Keeps short notes while vmcp runs. Each is a resource, note://1 and so on."
    }

    async fn answer(&self, method: &str, params: &Value, _: &Progress) -> Answer {
        match method {
            method::TOOLS_LIST => Ok(json!({ "tools": offers::tools() })),
            method::TOOLS_CALL => self.call(params),
            method::RESOURCES_LIST => Ok(self.resources()),
            method::RESOURCES_TEMPLATES_LIST => Ok(offers::templates()),
            method::RESOURCES_READ => self.read(params["uri"].as_str().unwrap_or_default()),
            method::PROMPTS_LIST => Ok(offers::prompts()),
            method::PROMPTS_GET => self.prompt(params),
            other => unknown(rpc::METHOD_NOT_FOUND, "method", other),
        }
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}

fn uri(id: usize) -> String {
    format!("note://{id}")
}

/// What is wrong with the text of a note.
fn problem(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("`text` is empty".to_owned());
    }
    (text.len() > MAX_BYTES).then(|| format!("a note has at most {MAX_BYTES} bytes"))
}
