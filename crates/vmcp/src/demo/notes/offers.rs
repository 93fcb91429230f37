//! What the notes offer, as lists.

use serde_json::{Value, json};

use super::TEMPLATE;

pub(super) fn tools() -> Value {
    let text = json!({ "type": "string", "description": "The text of the note." });
    let nothing = json!({ "type": "object", "properties": {} });
    let adds = json!({ "readOnlyHint": false, "destructiveHint": false, "openWorldHint": false });
    let edits = json!({ "readOnlyHint": false, "destructiveHint": true, "openWorldHint": false });
    let reads = json!({ "readOnlyHint": true, "openWorldHint": false });
    json!([
        {
            "name": "add",
            "title": "Add a note",
            "description": "Keeps a note and tells its URI.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "title": { "type": "string", "description": "Default: the first line." },
                    "text": text,
                },
                "required": ["text"],
            },
            "annotations": adds,
        },
        {
            "name": "edit",
            "title": "Edit a note",
            "description": "Replaces the text of a note; whoever watches it is told.",
            "inputSchema": {
                "type": "object",
                "properties": { "id": { "type": "integer", "minimum": 1 }, "text": text },
                "required": ["id", "text"],
            },
            "annotations": edits,
        },
        {
            "name": "list",
            "title": "List notes",
            "description": "Lists all notes with their URIs.",
            "inputSchema": nothing,
            "annotations": reads,
        },
        {
            "name": "search",
            "title": "Search notes",
            "description": "Lists the notes that contain a text.",
            "inputSchema": {
                "type": "object",
                "properties": { "query": { "type": "string" } },
                "required": ["query"],
            },
            "annotations": reads,
        },
    ])
}

pub(super) fn templates() -> Value {
    json!({
        "resourceTemplates": [{
            "uriTemplate": TEMPLATE,
            "name": "note",
            "title": "A note",
            "description": "A note by its number.",
            "mimeType": "text/plain",
        }],
    })
}

pub(super) fn prompts() -> Value {
    json!({
        "prompts": [{
            "name": "review",
            "title": "Review the notes",
            "description": "Asks for a review of the notes, or of those on a topic.",
            "arguments": [{ "name": "topic", "description": "Only notes that contain this." }],
        }],
    })
}
