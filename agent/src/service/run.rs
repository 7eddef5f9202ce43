//! From the start of the agent to its end.

use std::{os::fd::AsFd, time::Duration};

use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::{
    Failure, Heritage, Options, Service, dumps::Order, process::Placement, signals::Signals, waited,
};
use crate::{
    config::Config,
    control::server::Server,
    dump::Kind,
    io::{clock, lane::Command},
    script::spawner,
    supervise::notify,
    tell::feed::What,
};

/// What hangs outside of the runtime gets no longer at the end.
const LAST_PATIENCE: Duration = Duration::from_millis(200);
/// What the fast lane has to release everything when it shuts down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);

/// Between two tries to tell a fast lane whose queue is full.
const FULL: Duration = Duration::from_millis(5);

/// What a thread that has nothing to do any more waits for work.
const IDLE: Duration = Duration::from_secs(1);
/// What readers of events have for the last ones.
const LAST_EVENTS: Duration = Duration::from_millis(200);

/// How the agent ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Stopped,
    /// Another process goes on with everything.
    HandedOver,
}

/// Runs until a signal ends it.
///
/// # Errors
///
/// Why it could not start; then nothing was changed on the machine.
pub fn run(config: Config, options: Options, heritage: Option<Heritage>) -> Result<End, Failure> {
    if options.sandbox {
        // Before anything is given up.
        spawner::begin().map_err(Failure::runtime("cannot start a thread"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Those of the start have what the later ones have not.
        .thread_keep_alive(IDLE)
        .build()
        .map_err(Failure::runtime("cannot start the runtime"))?;
    let result = runtime.block_on(async {
        let mut heritage = heritage;
        let (detach, dump) = (options.detach, options.dump_at_start);
        let is_heir = heritage.is_some();
        let result = start(config, options, heritage.as_mut()).await;
        if let (Err(failure), Some(heritage)) = (&result, &heritage) {
            heritage.refuse(failure);
        }
        let (mut service, server, mut signals) = result?;
        // Whoever would tell us more has ended or is about to.
        drop(heritage);
        let result = match service.look_unless_stopped(&mut signals).await {
            Ok(None) => Ok(End::Stopped),
            Ok(Some(_)) => {
                service.announce_running(detach);
                if dump && !is_heir {
                    let kind = Kind::Data;
                    service.dump(Order { kind, clear: false });
                }
                service.serve(&server, &mut signals).await
            }
            Err(failure) => Err(failure),
        };
        match result {
            Ok(End::HandedOver) => {
                service.feed.finish(LAST_EVENTS).await;
                server.leave().await;
                Ok(End::HandedOver)
            }
            result => {
                service.shut_down().await;
                result
            }
        }
    });
    // A look-up or a read that hangs must not keep the process: whoever waits
    // for its end believes it only then.
    runtime.shutdown_timeout(LAST_PATIENCE);
    result
}

/// Everything up to the point where the agent takes part.
async fn start(
    config: Config,
    options: Options,
    mut heritage: Option<&mut Heritage>,
) -> Result<(Service, Server, Signals), Failure> {
    // Before anything is made or started: it comes with these settings.
    let placement = Placement::new(&config.process);
    let control = heritage
        .as_mut()
        .and_then(|heritage| heritage.control.take());
    let server = match control {
        Some(listener) => Server::adopt(listener, &options.control),
        None => Server::bind(&options.control),
    };
    let server = server.map_err(|source| Failure::Control {
        path: options.control.display().to_string(),
        source,
    })?;
    if heritage.is_some() {
        server.spare(true);
    }
    // Before anything is there to be given up in good order.
    let signals = Signals::new().map_err(Failure::runtime("cannot catch signals"))?;
    if heritage.is_none()
        && let Some(first) = &config.tell.startup
    {
        waited::run_first(first).await;
    }
    let mut service = Service::start(config, options, placement, heritage.as_deref_mut()).await?;
    service.control = server.as_fd().try_clone_to_owned().ok();
    if let Some(heritage) = heritage {
        service.take_over(heritage).await?;
        server.spare(false);
    }
    Ok((service, server, signals))
}

impl Service {
    /// As [`Self::look_around`]; `None` where we are to stop. It ends between
    /// two instances then, and nothing is to be made up for but by the end.
    pub(super) async fn look_unless_stopped(
        &mut self,
        signals: &mut Signals,
    ) -> Result<Option<bool>, Failure> {
        tokio::select! {
            biased;
            () = signals.stop() => Ok(None),
            result = self.look_around() => result.map(Some),
        }
    }

    fn announce_running(&mut self, detach: bool) {
        self.confine();
        self.running = true;
        self.set_virtual_servers();
        info!("failoverd {} is running", env!("CARGO_PKG_VERSION"));
        if detach && let Err(error) = crate::io::sys::leave_terminal() {
            warn!("cannot let go of the terminal: {error}");
        }
        if let Some(guard) = &mut self.guard {
            guard.tell_ready();
        }
        notify::tell(&[sd_notify::NotifyState::Ready]);
    }

    async fn shut_down(&mut self) {
        notify::tell(&[sd_notify::NotifyState::Stopping]);
        info!("Stopping");
        let mut hangs = false;
        if let Some(fast) = self.fast.take() {
            let joined = tokio::task::spawn_blocking(move || fast.join());
            let lane = self.lane.clone();
            let ended = async {
                // Nothing comes to an end without it.
                while lane.send(Command::Shutdown).is_err() {
                    sleep(FULL).await;
                }
                joined.await
            };
            if timeout(SHUTDOWN_PATIENCE, ended).await.is_err() {
                error!("the fast lane did not end in time");
                hangs = true;
            }
        }
        self.machine.end();
        self.virtual_links.end();
        self.end_virtual_servers().await;
        self.hear().await;
        self.igmp.restore();
        // One that hangs may have VIPs: the supervisor does not wait for it.
        if self.running && !hangs {
            self.conclude().await;
        }
        self.feed.publish(What::Stopped, clock::now());
        self.feed.finish(LAST_EVENTS).await;
        info!("Stopped failoverd");
    }
}
