//! The effects of one input: a queue of fixed size that is drained before the next input.

use std::collections::VecDeque;

use super::effect::Effect;

/// More than one instance can ask for in answer to one input: a lost election
/// is 7 (three notices, the farewell advert, removal, watch, transition), a
/// late Active with every announcement due is 6. A sync group adds its own
/// transition to that, and at most 5 for each other member.
const PER_INSTANCE: usize = 11;

#[derive(Clone, Debug)]
pub(super) struct Effects {
    queue: VecDeque<Effect>,
    limit: usize,
}

impl Effects {
    pub(super) fn new(instances: usize) -> Self {
        let limit = instances.max(1) * PER_INSTANCE;
        Self {
            queue: VecDeque::with_capacity(limit),
            limit,
        }
    }

    /// # Panics
    /// When the bound above is wrong: growing would allocate in the fast lane,
    /// and dropping an effect would leave a VIP where it must not be.
    pub(super) fn push(&mut self, effect: Effect) {
        assert!(
            self.queue.len() < self.limit,
            "effect queue sized too small"
        );
        self.queue.push_back(effect);
    }

    pub(super) fn pop(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
