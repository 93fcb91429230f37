//! Method names, all but those of one family of revisions (see [`crate::revision`]).

/// Defines one constant per method name.
macro_rules! methods {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: &str = $text;)*
    };
}

methods! {
    PING = "ping", "Are you there? Answered by whoever receives it.";
    TOOLS_LIST = "tools/list", "Lists tools.";
    TOOLS_CALL = "tools/call", "Calls a tool.";
    RESOURCES_LIST = "resources/list", "Lists resources.";
    RESOURCES_TEMPLATES_LIST = "resources/templates/list", "Lists resource templates.";
    RESOURCES_READ = "resources/read", "Reads a resource.";
    RESOURCES_SUBSCRIBE = "resources/subscribe", "Asks for updates of a resource.";
    RESOURCES_UNSUBSCRIBE = "resources/unsubscribe", "Ends updates of a resource.";
    PROMPTS_LIST = "prompts/list", "Lists prompts.";
    PROMPTS_GET = "prompts/get", "Gets a prompt.";
    COMPLETION_COMPLETE = "completion/complete", "Completes an argument.";
    LOGGING_SET_LEVEL = "logging/setLevel", "Sets the level of log messages.";
    SAMPLING_CREATE_MESSAGE = "sampling/createMessage", "Server asks the client's model.";
    ELICITATION_CREATE = "elicitation/create", "Server asks the client's user.";
    ROOTS_LIST = "roots/list", "Server asks for the client's roots.";
    TASKS_GET = "tasks/get", "State of a task.";
    TASKS_RESULT = "tasks/result", "Result of a task.";
    TASKS_LIST = "tasks/list", "Lists tasks.";
    TASKS_UPDATE = "tasks/update", "Answers what a task asked for.";
    TASKS_CANCEL = "tasks/cancel", "Cancels a task.";
    CANCELLED = "notifications/cancelled", "A request is no longer wanted.";
    PROGRESS = "notifications/progress", "A request makes progress.";
    LOG_MESSAGE = "notifications/message", "A log message.";
    TOOLS_LIST_CHANGED = "notifications/tools/list_changed", "The tools are other ones now.";
    RESOURCES_LIST_CHANGED = "notifications/resources/list_changed", "The resources are other ones now.";
    RESOURCES_UPDATED = "notifications/resources/updated", "A subscribed resource changed.";
    PROMPTS_LIST_CHANGED = "notifications/prompts/list_changed", "The prompts are other ones now.";
    ROOTS_LIST_CHANGED = "notifications/roots/list_changed", "The client's roots are other ones now.";
    ELICITATION_COMPLETE = "notifications/elicitation/complete", "An elicitation outside the protocol is done.";
    TASKS_STATUS = "notifications/tasks/status", "A task's state changed (tasks in the requested form).";
    TASKS_CHANGED = "notifications/tasks", "A task is now as it says (tasks in the offered form).";
}
