//! `failoverd run`.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    ffi::OsString,
    path::Path,
    process::ExitCode,
};

use tracing::{error, info, warn};

use super::{
    exit, problems,
    run_args::{self, Plan, RunArgs, UsageErrors},
};
use crate::{
    config::{Code, Config, Diagnostic, Severity},
    io::bpf::Backend,
    logging,
    runtime::{
        Places, descriptors,
        namespace::{self, NamespaceError},
    },
    sandbox,
    service::{self, BackendPolicy, Dumps, End, Options},
    supervise,
    upgrade::HANDED_OVER,
};

/// Checks everything first, then runs: under a supervisor unless told not to.
pub fn run(arguments: RunArgs, raw: &[OsString]) -> ExitCode {
    if supervise::goes_on() {
        // The agent runs, whatever its file says by now.
        return supervise(raw);
    }
    if !supervise::is_supervised() {
        descriptors::close_inherited();
    }
    let options = Options {
        control: arguments.control.clone(),
        policy: policy(&arguments),
        supervisor: None,
        arguments: raw.to_vec(),
        file: arguments.config.clone(),
        config_id: None,
        all_config: false,
        namespace: None,
        dumps: Dumps {
            places: Places::beside(&arguments.control),
            mode: Dumps::PRIVATE,
        },
        detach: false,
        dump_at_start: false,
        ipvs: arguments.ipvs,
        sandbox: !arguments.no_sandbox && sandbox::is_wanted(),
    };
    let not_xdp = policy(&arguments)
        .order
        .iter()
        .all(|backend| !backend.is_xdp());
    if arguments.require_xdp && not_xdp {
        eprintln!("failoverd: --require-xdp and this --backend exclude each other: drop one");
        return ExitCode::from(exit::USAGE);
    }
    let supervise_me = !arguments.no_supervisor && !supervise::is_supervised();
    match arguments.into_config() {
        Err(errors) => {
            complain(&errors, options.file.as_deref());
            ExitCode::from(exit::USAGE)
        }
        Ok((Plan::Monitor(interface), _)) => {
            eprintln!(
                "failoverd: no --vip and no --config: monitoring {interface}, taking no part"
            );
            crate::cli::monitor::on(&interface)
        }
        Ok((Plan::Run(config), diagnostics)) if config.instances.is_empty() => {
            complain(&UsageErrors::File(diagnostics), options.file.as_deref());
            ExitCode::from(exit::USAGE)
        }
        Ok((Plan::Run(config), diagnostics)) => {
            if let Err(code) = enter_namespace(&config) {
                return code;
            }
            if supervise_me {
                return supervise(raw);
            }
            logging::start();
            serve(*config, &diagnostics, options)
        }
    }
}

/// Where the file names one: nothing may be looked up outside of it. Whoever
/// was started by a supervisor is there already.
fn enter_namespace(config: &Config) -> Result<(), ExitCode> {
    let Some(name) = &config.files.namespace else {
        return Ok(());
    };
    if supervise::is_supervised() {
        return Ok(());
    }
    namespace::enter(name).map_err(|error| {
        eprintln!("failoverd: {error}");
        ExitCode::from(match error {
            NamespaceError::Permission { .. } => exit::PERMISSION,
            NamespaceError::Missing { .. } | NamespaceError::Refused { .. } => exit::USAGE,
        })
    })
}

fn supervise(raw: &[OsString]) -> ExitCode {
    let code = supervise::run(raw, &mut supervise::Plain).unwrap_or_else(|error| {
        logging::say_last(format_args!("failoverd: cannot start the agent: {error}"));
        exit::FAILURE
    });
    ExitCode::from(code)
}

/// The agent itself, once the log is open.
pub(crate) fn serve(config: Config, diagnostics: &[Diagnostic], options: Options) -> ExitCode {
    abort_on_panic();
    for diagnostic in diagnostics {
        if options.ipvs && diagnostic.code == Code::VirtualServers {
            continue;
        }
        match diagnostic.severity {
            Severity::Error | Severity::Warning => warn!("{diagnostic}"),
            Severity::Note => info!("{diagnostic}"),
        }
    }
    let options = Options {
        supervisor: supervise::connect(),
        ..options
    };
    let background = options.detach;
    let heritage = service::Heritage::receive().transpose();
    let ended = heritage.and_then(|heritage| service::run(config, options, heritage));
    if let (Err(failure), true) = (&ended, background) {
        // Nobody may be reading standard error.
        error!("{failure}");
    }
    logging::finish();
    match ended {
        Ok(End::Stopped) => ExitCode::SUCCESS,
        Ok(End::HandedOver) => ExitCode::from(HANDED_OVER),
        Err(failure) => {
            logging::say_last(format_args!("failoverd: {failure}"));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn complain(errors: &UsageErrors, file: Option<&Path>) {
    match errors {
        UsageErrors::CommandLine(errors) => {
            for error in errors {
                eprintln!("failoverd: {error}");
            }
        }
        UsageErrors::File(diagnostics) => {
            problems::show(diagnostics);
            let verdict = file.and_then(|file| problems::verdict(file, diagnostics));
            if let Some(verdict) = verdict {
                eprintln!("failoverd: {verdict}");
            }
        }
    }
}

fn policy(arguments: &RunArgs) -> BackendPolicy {
    let order = match arguments.backend {
        None => BackendPolicy::default().order,
        Some(run_args::Backend::Native) => vec![Backend::XdpNative],
        Some(run_args::Backend::Generic) => vec![Backend::XdpGeneric],
        Some(run_args::Backend::Tcx) => vec![Backend::Tcx],
        Some(run_args::Backend::Raw) => vec![Backend::RawSocket],
    };
    BackendPolicy {
        order,
        require_xdp: arguments.require_xdp,
    }
}

/// Whatever the build profile says: a thread that died must not leave the
/// others running. The supervisor takes the VIPs off and starts anew.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        // What led to it is worth a moment.
        logging::finish();
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        // Empty unless RUST_BACKTRACE is set.
        let calls = match Backtrace::capture() {
            calls if calls.status() == BacktraceStatus::Captured => format!("\n{calls}"),
            _ => String::new(),
        };
        logging::say_last(format_args!("failoverd: thread '{name}' {panic}{calls}"));
        std::process::abort();
    }));
}
