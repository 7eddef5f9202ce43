//! Links that go from one agent to its successor: the link stays, its program
//! is exchanged in one step, so that every frame meets exactly one of the two.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::{Backend, BpfError, Kernel, sys};

impl Kernel {
    /// The link of an interface, to be given away.
    pub fn link(&self, ifindex: u32) -> Option<BorrowedFd<'_>> {
        let (_, link) = self.links.get(&ifindex)?;
        link.as_ref().map(|link| link.as_fd())
    }

    /// Takes a link over that a predecessor attached. Its program stays until
    /// [`Self::switch`].
    pub fn adopt(&mut self, ifindex: u32, backend: Backend, link: OwnedFd) {
        self.links.insert(ifindex, (backend, Some(link)));
    }

    /// Puts our programs on all links that we hold: those of a predecessor, or
    /// our own that a successor had.
    ///
    /// # Errors
    ///
    /// [`BpfError::System`] for the last link that refused; the others have
    /// been switched.
    pub fn switch(&self) -> Result<(), BpfError> {
        let mut result = Ok(());
        for (backend, link) in self.links.values() {
            let program = match backend {
                Backend::XdpNative | Backend::XdpGeneric => &self.xdp,
                Backend::Tcx => &self.tcx,
                Backend::RawSocket => continue,
            };
            let Some(link) = link else { continue };
            if let Err(source) = sys::link_update(link.as_fd(), program.as_fd()) {
                result = Err(BpfError::System {
                    what: "cannot exchange the program of a link",
                    source,
                });
            }
        }
        result
    }
}
