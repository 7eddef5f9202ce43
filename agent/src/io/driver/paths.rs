//! Routes and rules of instances: after the VIPs, and gone before them.
//!
//! One that the kernel refuses stops nothing else: the VIPs count.

use std::io;

use super::Driver;
use crate::{
    core::{InstanceId, State},
    io::{lane::Report, netlink::batch::BatchResult},
};

impl Driver {
    pub(super) fn add_paths(&mut self, id: InstanceId) {
        let Some(port) = self.ports.port(id).filter(|port| !port.paths.is_empty()) else {
            return;
        };
        let result = self.sockets.command.add_paths(&mut port.paths);
        self.paths_changed(id, result);
    }

    /// Puts back what is missing, where the instance is Active.
    pub(super) fn ensure_paths(&mut self, id: InstanceId) {
        if !self.is_active(id) {
            return;
        }
        let Some(port) = self.ports.port(id).filter(|port| !port.paths.is_empty()) else {
            return;
        };
        let wanted = port.paths.tracked();
        let result = self.sockets.command.ensure_paths(&mut port.paths);
        if let Ok(result) = result {
            let there = result.fulfilled.saturating_add(result.failed);
            let count = wanted.saturating_sub(there);
            if count > 0 {
                self.lane.report(Report::PathsRestored { id, count });
            }
        }
        self.paths_changed(id, result);
    }

    /// Of a port that takes the place of another: what only that one has goes
    /// before its VIPs change.
    pub(super) fn drop_former_paths(&mut self, id: InstanceId) {
        if !self.is_active(id) {
            return;
        }
        let Some(seat) = self.ports.seat(id) else {
            return;
        };
        let (Some(former), Some(port)) = (&mut seat.former, &seat.port) else {
            return;
        };
        let command = &mut self.sockets.command;
        let result = command.remove_paths_beside(&mut former.paths, &port.paths);
        self.paths_changed(id, result);
    }

    /// What is new of it, after the VIPs are there.
    pub(super) fn add_new_paths(&mut self, id: InstanceId) {
        if self.is_active(id) {
            self.add_paths(id);
        }
    }

    pub(super) fn paths_changed(&mut self, id: InstanceId, result: io::Result<BatchResult>) {
        let (path, failed, errno) = match result {
            Ok(BatchResult { failed: 0, .. }) => return,
            Ok(result) => (Some(result.first), result.failed, result.first_errno),
            Err(error) => (None, u32::MAX, error.raw_os_error().unwrap_or(0)),
        };
        self.counters.paths_refused += 1;
        self.lane.report(Report::PathsRefused {
            id,
            path,
            failed,
            errno,
        });
    }

    fn is_active(&self, id: InstanceId) -> bool {
        let state = self.machine.snapshot(id).map(|snapshot| snapshot.state);
        state == Some(State::Active)
    }
}
