//! Two routers and a client, and the moves of the address between them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Kind, Setting, Side};
use crate::{
    capture::Capture,
    clock::monotonic,
    probe::Probe,
    router::{State, VirtualRouter},
    topology::Lan,
    wait::eventually,
};

/// For anything that must happen; only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(25);
const SPACING: Duration = Duration::from_millis(2);

/// Host 0 has priority 200, host 1 has 100, host 2 asks for the VIP.
#[derive(Debug)]
pub struct Duel {
    // Before the LAN: daemons end before their namespaces go.
    pub sides: [Option<Side>; 2],
    pub captures: [Capture; 2],
    pub probe: Probe,
    pub routers: [VirtualRouter; 2],
    pub kinds: [Kind; 2],
    pub setting: Setting,
    pub lan: Lan,
}

impl Duel {
    /// The scene, with neither daemon running.
    ///
    /// # Errors
    /// As [`Lan::new`].
    pub fn new(kinds: [Kind; 2], setting: Setting) -> Result<Self> {
        let lan = Lan::new(3)?;
        let capture = |index: usize| Capture::start(&lan.host(index).ns, "eth0");
        let captures = [capture(0)?, capture(1)?];
        let probe = Probe::start(lan.host(2), setting.probed(&lan), SPACING)?;
        let routers = [setting.router(&lan, 0, 200), setting.router(&lan, 1, 100)];
        Ok(Self {
            sides: [None, None],
            captures,
            probe,
            routers,
            kinds,
            setting,
            lan,
        })
    }

    /// Starts both, the one with the higher priority first.
    ///
    /// # Errors
    /// When one does not start or the election does not end as it must.
    pub fn start(&mut self) -> Result<()> {
        self.start_side(0, State::Active)?;
        self.start_side(1, State::Backup)?;
        self.serves(0)
    }

    /// Starts host `index` and waits for its state.
    ///
    /// # Errors
    /// When it does not come there.
    pub fn start_side(&mut self, index: usize, state: State) -> Result<()> {
        let side = self.kinds[index].start(self.lan.host(index), &self.routers[index])?;
        self.sides[index] = Some(side);
        self.wait(index, state)
    }

    /// The daemon on host `index`.
    ///
    /// # Errors
    /// When it is not running.
    pub fn side(&self, index: usize) -> Result<&Side> {
        self.sides[index].as_ref().context("it is not running")
    }

    /// Waits for a state of host `index`.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait(&self, index: usize, state: State) -> Result<()> {
        let router = self.side(index)?.router();
        let waited = router.wait_state(state, PATIENCE);
        waited.with_context(|| self.whom(index)).map(drop)
    }

    fn whom(&self, index: usize) -> String {
        format!("host {index}, {:?}", self.kinds[index])
    }

    /// Host `index` is the one and only that has the VIPs and answers for them.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn serves(&self, index: usize) -> Result<()> {
        let kind = self.kinds[index];
        let mac = kind.answering(self.lan.host(index), &self.routers[index]);
        let answer = self.probe.wait_answer(monotonic(), Some(mac), PATIENCE);
        answer.with_context(|| self.whom(index))?;
        for host in [0, 1] {
            if self.kinds[host].moves_addresses() {
                self.has_vips(host, host == index)?;
            }
        }
        Ok(())
    }

    fn has_vips(&self, index: usize, wanted: bool) -> Result<()> {
        let what = format!(
            "VIPs {}on {}",
            if wanted { "" } else { "not " },
            self.whom(index)
        );
        let host = self.lan.host(index);
        let vips = self.setting.vips(&self.lan);
        eventually(PATIENCE, &what, || {
            let mut found = vips.iter().map(|(vip, _)| host.has_address(*vip));
            found
                .all(|found| found.is_ok_and(|found| found == wanted))
                .then_some(())
        })
    }

    /// Waits for more adverts of host 0 than its silence would be tolerated,
    /// and fails when an agent on host 1 took over in that time although none
    /// was late.
    ///
    /// # Errors
    /// When the adverts do not come, or the agent took over.
    pub fn stays_backup(&self) -> Result<()> {
        let before = self.side(1)?.take_overs()?;
        let since = monotonic();
        // What comes in at host 1 is of host 0, whatever its address.
        let heard = || -> Vec<u64> {
            let frames = self.captures[1].frames().into_iter();
            frames
                .filter(|frame| frame.time >= since && !frame.outgoing && frame.advert().is_some())
                .map(|frame| frame.time)
                .collect()
        };
        eventually(PATIENCE, "adverts of host 0", || {
            (heard().len() >= 5).then_some(())
        })?;
        let pauses = heard();
        let longest = pauses.windows(2).map(|pair| pair[1] - pair[0]).max();
        let tolerated = (self.setting.interval * 3).as_nanos();
        let took_over = self.side(1)?.take_overs()? - before;
        ensure!(
            took_over == 0 || longest.is_some_and(|longest| u128::from(longest) > tolerated),
            "{} took over without reason, longest pause {longest:?} ns",
            self.whom(1)
        );
        let accepted = self.side(1)?.accepted()?;
        ensure!(
            accepted.is_none_or(|accepted| accepted >= 4),
            "{} has accepted {accepted:?} adverts",
            self.whom(1)
        );
        Ok(())
    }

    /// Both sides have nothing against each other.
    ///
    /// # Errors
    /// With the complaints.
    pub fn content(&self) -> Result<()> {
        for index in [0, 1] {
            self.side(index)?
                .content()
                .with_context(|| self.whom(index))?;
        }
        Ok(())
    }

    /// Host 0 ends as planned, and host 1 takes over.
    ///
    /// # Errors
    /// When it does not end or the other does not take over.
    pub fn stop_first(&mut self) -> Result<()> {
        let mut side = self.sides[0].take().context("host 0 is not running")?;
        side.stop()?;
        drop(side);
        self.kinds[0].clear(self.lan.host(0), &self.routers[0])?;
        self.wait(1, State::Active)?;
        self.serves(1)
    }

    /// Host 0 comes back and gets the address by its priority.
    ///
    /// # Errors
    /// When it does not.
    pub fn start_first_again(&mut self) -> Result<()> {
        self.start_side(0, State::Active)?;
        self.wait(1, State::Backup)?;
        self.serves(0)
    }

    /// The cable of host 0 is cut without a loss of carrier and mended again.
    ///
    /// # Errors
    /// When the address does not move both ways.
    pub fn cut_and_mend(&self) -> Result<()> {
        self.lan.cut_silently(0)?;
        self.wait(1, State::Active)?;
        let mac = self.kinds[1].answering(self.lan.host(1), &self.routers[1]);
        self.probe.wait_answer(monotonic(), Some(mac), PATIENCE)?;
        self.lan.mend(0)?;
        self.wait(1, State::Backup)?;
        self.wait(0, State::Active)?;
        self.serves(0)
    }
}

/// A planned stop of the Active, its return, a cable cut and its mend, with
/// nothing in the logs and counters of either. `kinds` in the order of priority.
///
/// # Errors
/// With what went otherwise.
pub fn fail_over_and_back(kinds: [Kind; 2], setting: Setting) -> Result<()> {
    let mut duel = Duel::new(kinds, setting)?;
    duel.start().context("start")?;
    duel.stays_backup()?;
    duel.content().context("after the start")?;
    duel.stop_first().context("stop of the Active")?;
    duel.start_first_again().context("return of the Active")?;
    // Both timers were seen at work by then; a cut costs seconds.
    if setting.interval < Duration::from_secs(1) {
        duel.cut_and_mend().context("cable cut")?;
    }
    duel.content().context("at the end")
}
