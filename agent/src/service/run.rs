//! From the start of the agent to its end.

use std::{os::fd::AsFd, time::Duration};

use tokio::time::timeout;
use tracing::{error, info};

use super::{Failure, Heritage, Options, Service, signals::Signals};
use crate::{config::Config, control::server::Server, io::lane::Command};

/// What the fast lane has to release everything when it shuts down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);

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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::runtime("cannot start the runtime"))?;
    runtime.block_on(async {
        let mut heritage = heritage;
        let result = start(config, options, heritage.as_mut()).await;
        if let (Err(failure), Some(heritage)) = (&result, &heritage) {
            heritage.refuse(failure);
        }
        let (mut service, server, signals) = result?;
        // Whoever would tell us more has ended or is about to.
        drop(heritage);
        match service.serve(&server, signals).await {
            Ok(End::HandedOver) => {
                server.leave().await;
                Ok(End::HandedOver)
            }
            result => {
                service.shut_down().await;
                result
            }
        }
    })
}

/// Everything up to the point where the agent takes part.
async fn start(
    config: Config,
    options: Options,
    mut heritage: Option<&mut Heritage>,
) -> Result<(Service, Server, Signals), Failure> {
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
    let signals = Signals::new().map_err(Failure::runtime("cannot catch signals"))?;
    let mut service = Service::start(config, options, heritage.as_deref_mut()).await?;
    service.control = server.as_fd().try_clone_to_owned().ok();
    if let Some(heritage) = heritage {
        service.take_over(heritage).await?;
        server.spare(false);
    }
    Ok((service, server, signals))
}

impl Service {
    async fn shut_down(&mut self) {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        info!("Stopping");
        let _ = self.lane.send(Command::Shutdown);
        if let Some(fast) = self.fast.take() {
            let joined = tokio::task::spawn_blocking(move || fast.join());
            if timeout(SHUTDOWN_PATIENCE, joined).await.is_err() {
                error!("the fast lane did not end in time");
            }
        }
        self.hear().await;
        info!("Stopped failoverd");
    }
}
