//! The cases: what is measured by itself and has a section of its own.

use anyhow::Result;

use super::cases::{backends, calls, cold, crowd, idle, large, library, list, pipe};
use super::results::Section;
use super::stand::Stand;

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Case {
    /// `tools/call` of several sizes beside nginx and direct.
    Calls,
    /// Memory of long replies.
    Large,
    /// A backend that is a process.
    Pipe,
    /// A handshake and a list with few and with many backends.
    Backends,
    /// A start with many slow backends.
    Cold,
    /// A list of 10,000 tools.
    List,
    /// What an open session holds.
    Idle,
    /// 10,000 sessions that call at random.
    Crowd,
    /// A session of the library without a gateway.
    Library,
    /// Instructions of one call by stage.
    Instructions,
    /// Other gateways.
    Peers,
    /// Load for a long time.
    Soak,
}

/// All, in the order of the page.
pub(super) const EVERY: &[Case] = &[
    Case::Calls,
    Case::Large,
    Case::Pipe,
    Case::Backends,
    Case::Cold,
    Case::List,
    Case::Idle,
    Case::Crowd,
    Case::Peers,
    Case::Soak,
    Case::Library,
    Case::Instructions,
];

/// What is measured if nothing else is asked for. The others take long, or have a command of their own.
pub(super) const USUAL: &[Case] = &[
    Case::Idle,
    Case::Calls,
    Case::Large,
    Case::Pipe,
    Case::Backends,
    Case::Cold,
    Case::List,
    Case::Crowd,
    Case::Library,
];

impl Case {
    /// The name on the command line and in the file of results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Large => "large",
            Self::Pipe => "pipe",
            Self::Backends => "backends",
            Self::Cold => "cold",
            Self::List => "list",
            Self::Idle => "idle",
            Self::Crowd => "crowd",
            Self::Library => "library",
            Self::Instructions => "instructions",
            Self::Peers => "peers",
            Self::Soak => "soak",
        }
    }

    /// The heading of its section.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Calls => "Calls",
            Self::Large => "Memory of long replies",
            Self::Pipe => "A backend that is a process",
            Self::Backends => "More backends",
            Self::Cold => "A cold start",
            Self::List => "A list of 10,000 tools",
            Self::Idle => "Open sessions",
            Self::Crowd => "10,000 sessions",
            Self::Library => "A backend session",
            Self::Instructions => "Where the instructions go",
            Self::Peers => "Other gateways",
            Self::Soak => "A long time",
        }
    }

    /// Measures it. Those with a command of their own are not among these.
    pub(super) async fn measure(self, stand: &Stand) -> Result<Section> {
        match self {
            Self::Calls => calls::measure(stand).await,
            Self::Large => large::measure(stand).await,
            Self::Pipe => pipe::measure(stand).await,
            Self::Backends => backends::measure(stand).await,
            Self::Cold => cold::measure(stand).await,
            Self::List => list::measure(stand).await,
            Self::Idle => idle::measure(stand).await,
            Self::Crowd => crowd::measure(stand).await,
            Self::Library => library::measure(stand),
            Self::Instructions | Self::Peers | Self::Soak => {
                anyhow::bail!("`{}` has an option of its own", self.name())
            }
        }
    }
}
