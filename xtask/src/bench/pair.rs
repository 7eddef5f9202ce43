//! The scene of most scenarios: an Active, its Backup, a client, and perhaps
//! somebody who means harm.

use std::time::Duration;

use anyhow::{Context, Result};
use failoverd_tests::{
    adverts::{Adverts, take_overs},
    clock::{monotonic, nanos},
    probe::Probe,
    router::State,
    sys::bridge::BridgePort,
    topology::{Host, Lan, Mac},
    wait::{eventually, let_pass},
};

use super::{
    conf::{FIRST_VRID, Setup, vip},
    context::Bench,
    side::{Running, Side},
};

/// The Active has the higher address, so that of equal priorities it wins.
pub const ACTIVE: usize = 1;
pub const BACKUP: usize = 0;
pub const CLIENT: usize = 2;
pub const HOSTILE: usize = 3;
/// Longer than anything takes on a machine that works.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than any start takes, on a busy machine too.
const START: Duration = Duration::from_secs(60);
/// For what a change of state has set off to be over.
const REST: Duration = Duration::from_millis(150);

/// Two machines of one side, and who watches.
#[derive(Debug)]
pub struct Pair {
    // Before the LAN: daemons end before their namespaces go.
    pub active: Running,
    pub backup: Running,
    /// What the client hears.
    pub adverts: Adverts,
    cutter: BridgePort,
    pub lan: Lan,
    side: Side,
    pub setups: [Setup; 2],
    /// From when on take-overs count, CLOCK_MONOTONIC nanoseconds.
    since: u64,
    /// Take-overs that were asked for since then.
    wanted: usize,
}

impl Pair {
    /// Starts the Active, then the Backup, and waits until each is what it is
    /// called. The setups are in this order.
    ///
    /// # Errors
    /// When a daemon does not start or the election does not end as it must.
    pub fn start(side: Side, setups: [Setup; 2], hosts: usize) -> Result<Self> {
        let mut pair = Self::launch(side, setups, hosts)?;
        pair.settle()?;
        pair.watch();
        Ok(pair)
    }

    /// The same, and whether they settle is the caller's business.
    ///
    /// # Errors
    /// When a daemon does not start.
    pub fn launch(side: Side, setups: [Setup; 2], hosts: usize) -> Result<Self> {
        let lan = Lan::new(hosts)?;
        let adverts = Adverts::listen(lan.host(CLIENT))?;
        let cutter = lan.switch.cutter(&lan.host(ACTIVE).port)?;
        let [active, backup] = start_both(side, &lan, &setups)?;
        Ok(Self {
            active,
            backup,
            adverts,
            cutter,
            lan,
            side,
            setups,
            since: monotonic(),
            wanted: 0,
        })
    }

    /// The usual one: priorities 200 and `priority`, a client and no more.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn usual(side: Side, priority: u8, interval: Duration) -> Result<Self> {
        let setup = |priority| Setup {
            interval,
            ..Setup::new(priority)
        };
        Self::start(side, [setup(priority.max(200)), setup(priority)], 3)
    }

    pub fn client(&self) -> &Host {
        self.lan.host(CLIENT)
    }

    pub fn mac(&self, host: usize) -> Mac {
        self.lan.host(host).port.mac
    }

    /// Active_Down_Interval of the Backup.
    pub fn down(&self) -> Duration {
        self.setups[1].down()
    }

    /// Asks for the first VIP.
    ///
    /// # Errors
    /// As [`Probe::start`].
    pub fn probe(&self, spacing: Duration) -> Result<Probe> {
        self.probe_of(0, spacing)
    }

    /// Asks for one of the VIPs of the first instance.
    ///
    /// # Errors
    /// As [`Probe::start`].
    pub fn probe_of(&self, number: usize, spacing: Duration) -> Result<Probe> {
        Probe::start(self.client(), vip(FIRST_VRID, number).into(), spacing)
    }

    /// Waits until the Active is Active and the Backup is Backup, and for some
    /// intervals the Active alone sends, for all virtual routers: a daemon that
    /// announces thousands of addresses is not done when its log says so.
    ///
    /// # Errors
    /// When they do not get there.
    pub fn settle(&self) -> Result<()> {
        self.settle_within(START)
    }

    /// The same, with less patience.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub fn settle_within(&self, patience: Duration) -> Result<()> {
        let wanted = [(&self.active, State::Active), (&self.backup, State::Backup)];
        eventually(patience, "a settled pair", || {
            let settled = wanted
                .iter()
                .all(|(running, state)| running.router().state() == Some(*state));
            (settled && self.calm()).then_some(())
        })?;
        if matches!(self.side, Side::Heartbeat { .. }) {
            eventually(patience, "an armed heartbeat", || {
                self.backup.is_armed().then_some(())
            })?;
        }
        let_pass(REST)
    }

    /// Whether of late the Active was heard for all virtual routers, and the
    /// Backup for none.
    fn calm(&self) -> bool {
        let span = REST.max(self.setups[0].interval * 5);
        let heard = self.adverts.since(monotonic().saturating_sub(nanos(span)));
        let mut active = [false; 256];
        for one in &heard {
            if one.from == self.mac(BACKUP) {
                return false;
            }
            active[usize::from(one.vrid)] |= one.from == self.mac(ACTIVE);
        }
        let routers = active.iter().filter(|seen| **seen).count();
        routers >= usize::from(self.setups[0].instances)
    }

    /// Takes from now on every take-over that was not asked for as false.
    pub fn watch(&mut self) {
        self.since = monotonic();
        self.wanted = 0;
    }

    /// False take-overs since [`Self::watch`], and for how many seconds they
    /// were watched for. The capture tells them; a Backup that stays Active but
    /// is too starved to send looks like several there, so that never more are
    /// counted than its own log tells.
    pub fn false_take_overs(&self) -> (usize, f64) {
        let heard = self.adverts.since(self.since);
        let captured = take_overs(&heard, self.mac(BACKUP), nanos(self.down())).len();
        let told = if self.setups[0].instances > 1 {
            usize::MAX
        } else {
            let log = self.backup.router().transitions();
            log.iter()
                .filter(|one| one.time >= self.since && one.state == State::Active)
                .count()
        };
        let seconds = Duration::from_nanos(monotonic().saturating_sub(self.since)).as_secs_f64();
        (captured.min(told).saturating_sub(self.wanted), seconds)
    }

    /// Waits for a random part of an interval, then loses every frame of the
    /// Active while its carrier stays. When that was.
    ///
    /// # Errors
    /// When the switch refuses.
    pub fn cut(&mut self, bench: &mut Bench) -> Result<u64> {
        let_pass(REST + bench.chance.phase(self.setups[0].interval))?;
        self.wanted += 1;
        let fault = monotonic();
        self.cutter.forward(false).context("cut")?;
        Ok(fault)
    }

    /// Undoes [`Self::cut`], and makes everything as it was before.
    ///
    /// # Errors
    /// When the pair does not settle.
    pub fn mend(&mut self) -> Result<()> {
        // An Active that is back sooner than adverts would have missed it is a
        // false alarm to a heartbeat, which is then distrusted for a while.
        let_pass(self.down() * 2)?;
        self.cutter.forward(true).context("mend")?;
        self.settle()
    }

    /// Starts the Active anew, after it was stopped.
    ///
    /// # Errors
    /// When the pair does not settle.
    pub fn start_active(&mut self) -> Result<()> {
        self.active = self
            .side
            .start(&self.lan.host(ACTIVE).ns, &self.setups[0])?;
        self.settle()
    }

    /// Asks the Backup to take over: what follows is not false.
    pub fn expect_take_over(&mut self) {
        self.wanted += 1;
    }
}

impl Drop for Pair {
    /// keepalived alone would take seconds to end.
    fn drop(&mut self) {
        self.active.kill();
        self.backup.kill();
    }
}

fn start_both(side: Side, lan: &Lan, setups: &[Setup; 2]) -> Result<[Running; 2]> {
    let active = side.start(&lan.host(ACTIVE).ns, &setups[0])?;
    active
        .router()
        .wait_state(State::Active, START)
        .context("the Active")?;
    let backup = side.start(&lan.host(BACKUP).ns, &setups[1])?;
    backup
        .router()
        .wait_state(State::Backup, START)
        .context("the Backup")?;
    Ok([active, backup])
}
