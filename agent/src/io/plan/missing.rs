//! VIPs that went by our own doing, until it shows whether they come back.
//!
//! With the first address of a subnet the kernel removes the others
//! (promote_secondaries 0), and a change of options is a removal too. While the
//! hands have more to do for the instance, what went may be on its way back.

/// VIPs by number; of one instance.
#[derive(Debug)]
pub struct Missing {
    gone: Vec<bool>,
    count: usize,
    /// A link that is up only while they are there went down.
    pub link: bool,
}

impl Missing {
    pub fn new(vips: usize) -> Self {
        Self {
            gone: vec![false; vips],
            count: 0,
            link: false,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn has(&self, vip: u16) -> bool {
        self.count > 0 && self.gone.get(usize::from(vip)).copied() == Some(true)
    }

    pub fn add(&mut self, vip: u16) {
        self.set(vip, true);
    }

    pub fn remove(&mut self, vip: u16) {
        self.set(vip, false);
    }

    fn set(&mut self, vip: u16, gone: bool) {
        if let Some(known) = self.gone.get_mut(usize::from(vip))
            && *known != gone
        {
            *known = gone;
            self.count = match gone {
                true => self.count.saturating_add(1),
                false => self.count.saturating_sub(1),
            };
        }
    }

    /// One of them, which is none any more.
    pub fn take(&mut self) -> Option<u16> {
        if self.is_empty() {
            return None;
        }
        let vip = self.gone.iter().position(|gone| *gone)?;
        let vip = u16::try_from(vip).ok()?;
        self.remove(vip);
        Some(vip)
    }

    pub fn clear(&mut self) {
        self.gone.fill(false);
        self.count = 0;
        self.link = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_back_is_not_missing() {
        let mut missing = Missing::new(3);
        for vip in [2, 0, 2, 9] {
            missing.add(vip);
        }
        missing.remove(0);
        missing.remove(1);
        assert!(!missing.is_empty());
        assert_eq!((missing.take(), missing.take()), (Some(2), None));
        assert!(missing.is_empty());
    }
}
