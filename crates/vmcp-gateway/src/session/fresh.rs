//! How long what a client is told is fresh, and for whom.

use vmcp_backend::Freshness;
use vmcp_wire::method;

use super::MultiSession;
use crate::catalogue::Least;
use crate::naming::conflict::Capability;

impl MultiSession {
    /// How long the list that this method asks for is fresh, and for whom; `None` if it asks for none.
    ///
    /// The least of what is left of what its backends said. Nothing, where nobody said anything, and where a backend says
    /// neither how long its list is fresh nor when it changes.
    pub fn list_freshness(&self, method: &str) -> Option<Freshness> {
        let list = match method {
            method::TOOLS_LIST => Capability::Tool,
            method::PROMPTS_LIST => Capability::Prompt,
            method::RESOURCES_LIST => Capability::Resource,
            method::RESOURCES_TEMPLATES_LIST => Capability::Template,
            _ => return None,
        };
        Some(self.freshness(Some(list)))
    }

    /// The same of the capabilities and the instructions.
    pub fn introduction_freshness(&self) -> Freshness {
        self.freshness(None)
    }

    fn freshness(&self, list: Option<Capability>) -> Freshness {
        let mut least = Least::new(!self.sees_what_all_see());
        let family = self.client.family();
        let overlay = self.overlay.load();
        let own = overlay.as_ref().map(|overlay| overlay.own()).unwrap_or_default();
        for slot in &self.core.catalogue.slots {
            match own.iter().find(|own| own.backend() == slot.index) {
                Some(own) => own.stamp().count(list, &mut least),
                None => slot.count_freshness(family, list, &mut least),
            }
        }
        least.finish()
    }
}
