//! Routes and rules that a dead agent leaves.

use super::{Manner, guard::GuardRecord};
use crate::io::netlink::batch::CommandSocket;

/// No removal is longer: a route with a hundred gateways.
const MAX_MESSAGE: usize = 8 << 10;
/// Of all instances together.
const MAX_MESSAGES: usize = 131_072;

/// What removes them, as the kernel takes it.
#[derive(Debug, Default)]
pub(super) struct Removals {
    pub messages: Vec<Vec<u8>>,
    partial: Vec<u8>,
}

impl Removals {
    /// Those of an agent that another supervisor looked after.
    pub(super) fn of(messages: Vec<Vec<u8>>) -> Self {
        Self {
            messages,
            partial: Vec::new(),
        }
    }

    /// The next part of the list.
    pub(super) fn take(&mut self, record: &GuardRecord) {
        let (part, is_last) = record.part();
        if self.partial.len() < MAX_MESSAGE {
            self.partial.extend(part);
        }
        if is_last {
            let whole = std::mem::take(&mut self.partial);
            if self.messages.len() < MAX_MESSAGES {
                self.messages.push(whole);
            }
        }
    }

    pub(super) fn carry_out(&self, manner: &mut dyn Manner) {
        if self.messages.is_empty() {
            return;
        }
        let mut failed = None;
        match CommandSocket::open() {
            Ok(mut socket) => {
                for message in &self.messages {
                    failed = socket.remove_path(message).err().or(failed);
                }
            }
            Err(error) => failed = Some(error),
        }
        if let Some(error) = failed {
            manner.say(format_args!(
                "cannot remove all routes and rules of the dead agent: {error}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    #[test]
    fn a_message_comes_together_from_its_parts() {
        let message: Vec<u8> = (0..75).collect();
        let mut removals = Removals::default();
        for _ in 0..2 {
            let parts: Vec<_> = GuardRecord::parts(&message).collect();
            assert_eq!(parts.len(), 3);
            parts.iter().for_each(|part| removals.take(part));
        }
        assert_eq!(removals.messages, [message.clone(), message]);
        removals.take(&GuardRecord::zeroed());
        assert!(removals.partial.is_empty());
    }
}
