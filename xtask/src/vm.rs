//! `cargo xtask vm`: Debian's kernel in QEMU, on the files of this machine.
//!
//! The second kernel of the test matrix: the XDP program must load there and a
//! fail-over must happen; `--test seeds` runs the deployment that needs a dummy
//! interface, `--test links` those that need a VLAN, a bond or a VRF, which the
//! kernel of the build machine may lack, `--test faults` what is done to a whole
//! machine, `--test ipvs` virtual servers. The machine is emulated in software
//! where there is no KVM, so no time that it shows means anything.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use failoverd_tests::{daemon::Daemon, process::Process, sys, usage, wait};

use crate::{
    build,
    demo::{self, Pace},
    setup::{self, Group},
    shell,
};

/// Booting takes half a minute in emulation, the fail-over a minute.
const LIMIT: Duration = Duration::from_secs(360);
/// Printed in the machine when all went well: its exit code may get lost.
const VERDICT: &str = "verdict of the virtual machine: passed";
/// Said by a test inside (tests/tests/faults/machine.rs).
const PLEASE_STOP: &str = "please stop this machine for 4 s";
/// What the lab needs of the kernel.
const MODULES: [&str; 10] = [
    "veth",
    "bridge",
    "nf_tables",
    "af_packet",
    "dummy",
    "8021q",
    "bonding",
    "vrf",
    "macvlan",
    "ip_vs",
];
/// Up to a dozen elections each of several pairs, ten times as slow as elsewhere.
const TEST_LIMIT: Duration = Duration::from_secs(1500);

#[derive(clap::Args)]
pub struct Arguments {
    /// Kernel image; the newest in /boot otherwise
    #[arg(long)]
    kernel: Option<PathBuf>,
    /// Fail over with keepalived instead of the agent, to try the machine itself
    #[arg(long)]
    keepalived: bool,
    /// Run these tests in it instead of the fail-over: what they need is not on
    /// every machine (not part of `cargo xtask test`, for it takes minutes)
    #[arg(long, value_enum, conflicts_with = "keepalived")]
    test: Option<Suite>,
    /// This is the inside of the machine
    #[arg(long, hide = true)]
    inside: bool,
    /// The test program that was built for --test
    #[arg(long, hide = true)]
    program: Option<PathBuf>,
}

/// Tests that want another kernel.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Suite {
    /// The published pair whose service address is on a dummy interface
    Seeds,
    /// Virtual routers on a VLAN on a bond, in a VRF, with a dummy, on a macvlan
    Links,
    /// A wall clock that is stepped, a machine that is suspended, stopped from
    /// outside or locked down, a switch that filters VLANs
    Faults,
    /// Virtual servers in a kernel with IPVS, with ipvsadm as the oracle
    Ipvs,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    if arguments.inside {
        return match (arguments.test, &arguments.program) {
            (Some(suite), Some(program)) => suite.inside(program),
            (Some(_), None) => bail!("--inside --test needs --program"),
            (None, _) => inside(arguments.keepalived),
        };
    }
    setup::ensure(Group::Machine)?;
    if let Some(suite) = arguments.test {
        let named = std::env::var_os("FAILOVERD_BIN").map(PathBuf::from);
        let agent = named.map_or_else(build::agent, Ok)?;
        let program = suite.build()?;
        let script = script(Some(&agent), &suite.words(&program))?;
        return boot_script(arguments.kernel.as_deref(), &script, TEST_LIMIT);
    }
    let binary = if arguments.keepalived {
        None
    } else {
        Some(build::agent()?)
    };
    boot_kernel(arguments.kernel.as_deref(), binary.as_deref())
}

/// Boots the newest kernel and fails over with `binary`, with keepalived when
/// there is none.
///
/// # Errors
/// When the machine does not boot or the fail-over fails.
pub fn boot(binary: Option<&Path>) -> Result<()> {
    boot_kernel(None, binary)
}

fn boot_kernel(kernel: Option<&Path>, binary: Option<&Path>) -> Result<()> {
    let words = binary.is_none().then(|| "--keepalived".to_owned());
    let script = script(binary, &Vec::from_iter(words))?;
    boot_script(kernel, &script, LIMIT)
}

fn boot_script(kernel: Option<&Path>, script: &str, limit: Duration) -> Result<()> {
    let kernels = setup::kernels();
    let kernel = kernel
        .or(kernels.last().map(PathBuf::as_path))
        .context("no kernel in /boot")?;
    let vng = setup::virtme().context("no virtme-ng: cargo xtask setup --vm")?;
    let scratch = shell::target_directory();
    let mut command = Command::new(&vng);
    // virtme-ng finds its own helpers through PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    let own = vng.parent().unwrap_or(Path::new("/"));
    command.env("PATH", format!("{}:{path}:/usr/sbin:/sbin", own.display()));
    command
        .arg("-r")
        .arg(kernel)
        .args(["--user", "root", "-m", "4G"]);
    if !has_kvm() {
        command.arg("--disable-kvm");
    }
    // The rest of the file system is read-only inside, and nothing below /tmp
    // is seen there: what was built may be.
    command
        .arg(format!("--rwdir={}", scratch.display()))
        .args(["--", script]);
    println!("booting {}", kernel.display());
    let mut machine = Process::start("virtme-ng", &mut command)?;
    let mut shown = 0;
    let ended = wait::eventually(limit, "the end of the virtual machine", || {
        let lines = machine.lines();
        for line in lines.iter().skip(shown) {
            println!("vm | {}", line.text.trim_end());
            if line.text.contains(PLEASE_STOP) {
                stop_for_a_while(machine.pid());
            }
        }
        shown = lines.len();
        machine.try_wait().transpose()
    });
    let status = ended??;
    for line in machine.lines().iter().skip(shown) {
        println!("vm | {}", line.text.trim_end());
    }
    if !machine
        .lines()
        .iter()
        .any(|line| line.text.contains(VERDICT))
    {
        bail!("the virtual machine did not pass ({status})");
    }
    Ok(())
}

/// Stops the emulator, which is what a snapshot or a migration does to a
/// machine: it does not know, and its clock goes on.
fn stop_for_a_while(starter: i32) {
    let family = usage::family(starter);
    let emulators = family.into_iter().filter(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("qemu")
    });
    let emulators: Vec<i32> = emulators.collect();
    let tell = |signal| {
        for pid in &emulators {
            if let Err(error) = sys::kill(*pid, signal) {
                eprintln!("signal to {pid}: {error}");
            }
        }
    };
    println!("stopped for 4 s: {emulators:?}");
    tell(libc::SIGSTOP);
    let _interrupted = wait::let_pass(Duration::from_secs(4));
    tell(libc::SIGCONT);
}

/// What the machine runs: this program, on its inside.
fn script(binary: Option<&Path>, words: &[String]) -> Result<String> {
    let own = std::env::current_exe().context("path of xtask")?;
    let mut inner = Command::new("env");
    inner.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if let Some(binary) = binary {
        inner.arg(format!(
            "FAILOVERD_BIN={}",
            binary.canonicalize()?.display()
        ));
    }
    inner.arg(own).args(["vm", "--inside"]);
    inner.args(words);
    Ok(shell::line(&inner))
}

/// KVM is there and works: a nested machine may have the device and still fail.
fn has_kvm() -> bool {
    let open = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm");
    let hosted = fs::read_to_string("/proc/cpuinfo").is_ok_and(|info| {
        info.lines().any(|line| {
            line.starts_with("flags")
                && line
                    .split_whitespace()
                    .any(|flag| matches!(flag, "vmx" | "svm"))
        })
    });
    open.is_ok() && hosted
}

impl Suite {
    /// The integration test that it is part of.
    const fn target(self) -> &'static str {
        match self {
            Self::Seeds => "interop_seeds",
            Self::Links => "modes",
            Self::Faults => "faults",
            Self::Ipvs => "ipvs",
        }
    }

    /// What the names of its tests contain.
    const fn filter(self) -> &'static [&'static str] {
        match self {
            Self::Seeds => &["dummy"],
            Self::Links => &["links::"],
            Self::Faults => &["machine::", "n16_"],
            Self::Ipvs => &["kinds::", "reload::", "many::"],
        }
    }

    /// As on the command line.
    const fn name(self) -> &'static str {
        match self {
            Self::Seeds => "seeds",
            Self::Links => "links",
            Self::Faults => "faults",
            Self::Ipvs => "ipvs",
        }
    }

    /// Builds the tests outside, where there is a compiler.
    fn build(self) -> Result<PathBuf> {
        let target = self.target();
        let mut cargo = shell::cargo();
        cargo.args(["test", "--no-run", "--package", "failoverd-tests"]);
        cargo.args(["--test", target, "--message-format", "json"]);
        let out = shell::quiet(&mut cargo)?;
        let named = format!("\"{target}\"");
        let messages = out.lines().filter(|line| line.contains(&named));
        let mut executables = messages.filter_map(|line| {
            let (_, after) = line.split_once("\"executable\":\"")?;
            Some(PathBuf::from(after.split_once('"')?.0))
        });
        executables
            .next_back()
            .context("cargo does not say where the test program is")
    }

    /// What this program is told on its inside.
    fn words(self, program: &Path) -> Vec<String> {
        let words = ["--test", self.name(), "--program"].map(str::to_owned);
        words
            .into_iter()
            .chain([program.display().to_string()])
            .collect()
    }

    fn inside(self, program: &Path) -> Result<()> {
        prepare()?;
        let mut test = Command::new(program);
        test.args(self.filter());
        test.args(["--test-threads", "1", "--nocapture"]);
        // Skipping would be no success here.
        test.env("CI", "1")
            .env("FAILOVERD_REQUIRE_DUMMY", "1")
            .env("FAILOVERD_REQUIRE_LINKS", "1")
            .env("FAILOVERD_REQUIRE_IPVS", "1")
            .env("FAILOVERD_MACHINE", "1");
        shell::run(&mut test)?;
        println!("{VERDICT}");
        Ok(())
    }
}

fn prepare() -> Result<()> {
    if !sys::is_root() {
        bail!("not root");
    }
    for module in MODULES {
        // Built in or absent; what is really missing shows in the fail-over.
        shell::succeeds(Command::new("modprobe").args(["-q", module]));
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!("kernel {}", release.trim());
    Ok(())
}

/// Inside: the fail-over, slowly.
fn inside(keepalived: bool) -> Result<()> {
    prepare()?;
    // Without XDP the agent would work as well, and prove nothing about the program.
    let daemon = if keepalived {
        Daemon::Keepalived
    } else {
        Daemon::FailoverdXdp
    };
    demo::limited(LIMIT - Duration::from_secs(60), || {
        demo::play(daemon, Pace::SLOW)
    })?;
    println!("{VERDICT}");
    Ok(())
}
