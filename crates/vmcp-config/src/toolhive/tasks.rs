//! The section `tasks`: bounds of calls that go on after they were answered.

use super::ours::{count, time};
use crate::field::Field;
use crate::model::Tasks;
use crate::reading::Reading;

/// Reads the section.
pub(super) fn read(field: Field<'_>, tasks: &mut Tasks, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`tasks`", &mut cx.report) else { return };
    count(&mut fields, "maxPerClient", &mut tasks.max_per_client, cx);
    count(&mut fields, "maxListed", &mut tasks.max_listed, cx);
    time(&mut fields, "lifetime", &mut tasks.lifetime, cx);
    time(&mut fields, "minPoll", &mut tasks.min_poll, cx);
    time(&mut fields, "maxPoll", &mut tasks.max_poll, cx);
    count(&mut fields, "maxWaiting", &mut tasks.max_waiting, cx);
    fields.finish(&mut cx.report);
    if tasks.min_poll > tasks.max_poll {
        cx.report.error(field.key_at, "`minPoll` is longer than `maxPoll`");
    }
}
