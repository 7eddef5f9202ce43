//! One run: how it ends, what it is given, and what is left of it.

use std::{fs, os::unix::fs::chown, path::Path, process::Command, time::Duration};

use failoverd::script::{Identity, Lane, Outcome, Program, Rest};
use failoverd_tests::require_root;

use crate::lab::{
    PATIENCE, Place, is_alive, mode, on_runtime, outcome, program, run, runner, state, until,
    zombies,
};

#[test]
fn a_run_ends_as_its_program_does() {
    let place = Place::new("ends");
    assert_eq!(outcome(&["/bin/true"]), Outcome::Exited(0));
    assert_eq!(outcome(&["false"]), Outcome::Exited(1), "found in PATH");
    let script = place.script("code", "exit $1");
    assert_eq!(outcome(&[&script, "7"]), Outcome::Exited(7));
    assert_eq!(outcome(&[&script, "127"]), Outcome::Exited(127));
    let script = place.script("signal", "kill -9 $$");
    assert_eq!(outcome(&[&script]), Outcome::Signalled(9));
    let missing = outcome(&["/nowhere/at-all"]);
    assert!(
        matches!(&missing, Outcome::CannotStart(why) if why.contains("not found")),
        "{missing}"
    );
    let text = place.path("text");
    fs::write(&text, "no program").expect("a file");
    mode(Path::new(&text), 0o755);
    let no_program = outcome(&[&text]);
    assert!(
        matches!(&no_program, Outcome::CannotStart(why) if why.contains("#!")),
        "{no_program}"
    );
    let script = place.script("x", "");
    fs::write(&script, "#!/no/interpreter\n").expect("a script");
    let missing = outcome(&[&script]);
    assert!(
        matches!(&missing, Outcome::CannotStart(why) if why.contains("interpreter")),
        "{missing}"
    );
}

#[test]
fn words_reach_the_script_as_they_are_and_it_knows_its_place() {
    let place = Place::new("words");
    let out = place.path("out");
    let script = place.script(
        "words",
        &format!(
            "for word in \"$@\"; do echo \"<$word>\"; done > {out}\n\
             cd \"$(dirname \"$0\")\" && cat beside >> {out}; basename \"$0\" >> {out}"
        ),
    );
    fs::write(place.path("beside"), "beside\n").expect("a file");
    assert_eq!(
        outcome(&[&script, "a b", "$HOME", "|", ""]),
        Outcome::Exited(0)
    );
    assert_eq!(
        place.read("out"),
        "<a b>\n<$HOME>\n<|>\n<>\nbeside\nwords\n"
    );
}

/// What `vrrp_priority`, `vrrp_rlimit_rttime` and `umask` make of the agent,
/// for this thread or for the moment; given back on drop.
struct Placed(rustix::fs::Mode);

fn place_as_configured() -> Placed {
    use rustix::process::{Resource, Rlimit, geteuid, setpriority_process, setrlimit, umask};
    // Who is not root cannot be nicer again.
    if geteuid().is_root() {
        setpriority_process(None, 5).expect("a nice value");
    }
    let soft = Rlimit {
        current: Some(5_000_000),
        maximum: None,
    };
    setrlimit(Resource::Rttime, soft).expect("a limit");
    Placed(umask(rustix::fs::Mode::from_raw_mode(0o023)))
}

impl Drop for Placed {
    fn drop(&mut self) {
        rustix::process::umask(self.0);
    }
}

#[test]
fn a_script_begins_with_nothing_of_the_agent() {
    let place = Place::new("given");
    let out = place.path("out");
    let script = place.script(
        "given",
        &format!(
            "{{ env | sort | sed 's/=.*//' | tr '\\n' ' '; echo\n\
             ls -l /proc/self/fd | grep -v -e /dev/null -e {out} -e /proc/ -e pipe: -e total | wc -l\n\
             readlink /proc/self/fd/0 /proc/self/fd/9\n\
             pwd; umask; cat /proc/self/oom_score_adj\n\
             grep -e SigBlk -e SigIgn /proc/$$/status | sed s/0000000180000000/0000000000000000/\n\
             sed -n 's/Max realtime timeout *\\([a-z0-9]*\\) .*/\\1/p' /proc/self/limits\n\
             ulimit -r; ulimit -l; ps -o cls=,ni= -p $$; }} > {out}"
        ),
    );
    // The C library starts a process with its own two signals ignored, and
    // takes them into use when it needs them.
    // What is not to be inherited: a descriptor, an ignored signal, a rank.
    let kept = fs::File::open("/etc/passwd").expect("a file");
    rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).expect("flags");
    let before = fs::read_to_string("/proc/self/oom_score_adj").expect("/proc");
    let _ = fs::write("/proc/self/oom_score_adj", "-900");
    let placed = place_as_configured();
    let ended = run(&[&script]);
    drop(placed);
    let _ = fs::write("/proc/self/oom_score_adj", before);
    assert_eq!(ended.outcome, Outcome::Exited(0), "{ended}");
    let got = place.read("out");
    let lines: Vec<&str> = got.lines().collect();
    assert_eq!(
        lines.first(),
        Some(&"HOME LOGNAME PATH PWD SHELL USER "),
        "{got}"
    );
    assert!(!got.contains("passwd"), "{got}");
    let rest = "/dev/null\n/\n0022\n0\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nunlimited\n0\n8192\n TS   0\n";
    assert!(got.ends_with(rest), "{got}");
    // Its own directory, through which it was opened, and nothing else.
    assert_eq!(lines.get(1), Some(&"1"), "{got}");
}

#[test]
fn what_it_says_last_is_kept_and_a_flood_neither_blocks_nor_grows() {
    let place = Place::new("said");
    let script = place.script(
        "said",
        "echo out; echo one >&2; echo 'why it failed' >&2; exit 3",
    );
    let ended = run(&[&script]);
    assert_eq!(ended.to_string(), "exited with status 3: why it failed");
    let script = place.script(
        "flood",
        "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 4",
    );
    let ended = run(&[&script]);
    assert_eq!((ended.outcome, ended.said.len()), (Outcome::Exited(4), 200));
}

/// A tree of processes that all ignore SIGTERM, each of which writes its number.
fn stubborn(place: &Place) -> String {
    let pids = place.path("pids");
    place.script(
        "stubborn",
        &format!(
            "trap '' TERM\n\
             for i in 1 2 3; do (trap '' TERM; sleep 300 & echo $! >> {pids}; wait) & echo $! >> {pids}; done\n\
             echo $$ > {pids}.leader; while :; do wait; done"
        ),
    )
}

#[test]
fn who_ignores_sigterm_is_killed_with_all_of_its_group() {
    let place = Place::new("stubborn");
    let script = stubborn(&place);
    let pids = || {
        place
            .read("pids")
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    on_runtime(async {
        let (runner, lane) = (runner(), Lane::new());
        let tree = program(&[&script]);
        let ended = runner.run(&lane, &tree, Duration::from_secs(1)).await;
        assert_eq!(ended.outcome, Outcome::TimedOut);
        assert_eq!(pids().len(), 6, "said at once, before they are gone");
        assert!(
            pids().iter().all(|pid| is_alive(pid)),
            "SIGTERM changed nothing"
        );
        // In the same lane, so after all of that is over.
        let next = runner.run(&lane, &program(&["/bin/true"]), PATIENCE).await;
        assert_eq!(next.outcome, Outcome::Exited(0));
        until("the group is gone", || {
            !pids().iter().any(|pid| is_alive(pid))
        })
        .await;
        assert_eq!(
            state(place.read("pids.leader").trim()),
            None,
            "the script is reaped"
        );
        until("all are reaped", || zombies() == 0).await;
    });
}

#[test]
fn a_run_that_nobody_waits_for_any_more_is_ended() {
    let place = Place::new("dropped");
    let pids = place.path("pids");
    let script = place.script("sleeps", &format!("echo $$ > {pids}; exec sleep 300"));
    on_runtime(async {
        let (runner, lane) = (runner(), Lane::new());
        let sleeper = program(&[&script]);
        {
            let run = runner.run(&lane, &sleeper, PATIENCE * 10);
            tokio::pin!(run);
            tokio::select! {
                ended = &mut run => panic!("{ended}"),
                () = until("it runs", || !place.read("pids").is_empty()) => {}
            }
        }
        let pid = place.read("pids").trim().to_owned();
        until("it is reaped", || state(&pid).is_none()).await;
    });
}

#[test]
fn what_a_script_leaves_behind_goes_or_stays_as_asked() {
    let place = Place::new("rest");
    let pids = place.path("pids");
    let script = place.script("leaves", &format!("sleep 300 & echo $! > {pids}"));
    on_runtime(async {
        let (runner, lane) = (runner(), Lane::new());
        let killed = program(&[&script]);
        assert!(
            runner
                .run(&lane, &killed, PATIENCE)
                .await
                .outcome
                .is_success()
        );
        let pid = place.read("pids").trim().to_owned();
        until("it is killed", || !is_alive(&pid)).await;
        let kept = Program {
            rest: Rest::Kept,
            ..killed
        };
        assert!(
            runner
                .run(&lane, &kept, PATIENCE)
                .await
                .outcome
                .is_success()
        );
        let pid = place.read("pids").trim().to_owned();
        assert!(is_alive(&pid), "it was to stay");
        assert!(
            Command::new("kill")
                .arg(&pid)
                .status()
                .expect("kill")
                .success()
        );
    });
}

#[test]
fn a_user_is_what_the_script_is_and_no_more() -> anyhow::Result<()> {
    require_root!();
    let place = Place::new("user");
    let out = place.path("out");
    fs::write(&out, "")?;
    mode(Path::new(&out), 0o666);
    let script = place.script("id", &format!("{{ id -u; id -g; id -G; echo $USER $HOME; grep -e CapPrm -e CapEff -e CapInh -e CapAmb /proc/self/status; }} > {out}"));
    let nobody = Identity::of(Some(&failoverd::config::model::RunAs {
        user: "nobody".to_owned(),
        group: Some("daemon".to_owned()),
    }))?;
    let run = Program {
        identity: nobody,
        ..program(&[&script])
    };
    // Of this thread, and so of what it starts: something to be taken away.
    rustix::thread::set_thread_groups(&[rustix::process::Gid::from_raw(7)])?;
    let ended = on_runtime(runner().run(&Lane::new(), &run, PATIENCE));
    assert_eq!(ended.outcome, Outcome::Exited(0), "{ended}");
    let none = "0000000000000000";
    let expected = format!(
        "65534\n1\n1\nnobody /nonexistent\nCapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}\n"
    );
    assert_eq!(place.read("out"), expected);
    Ok(())
}

#[test]
fn root_does_not_run_what_others_could_change() -> anyhow::Result<()> {
    require_root!();
    let place = Place::new("theirs");
    let script = place.script("x", &format!("touch {}", place.path("ran")));
    chown(&script, Some(65_534), None)?;
    let refused = outcome(&[&script]);
    assert!(
        matches!(&refused, Outcome::CannotStart(why) if why.contains("others than root")),
        "{refused}"
    );
    assert!(!Path::new(&place.path("ran")).exists());
    Ok(())
}

/// The path is exchanged all the time between a script of root's and one of
/// somebody else: whatever is checked is what runs.
#[test]
fn a_script_that_is_exchanged_between_check_and_run_gains_nothing() -> anyhow::Result<()> {
    require_root!();
    let place = Place::new("race");
    let ran = place.path("ran");
    fs::create_dir(place.path("safe"))?;
    fs::create_dir(place.path("theirs"))?;
    let safe = place.script("safe/x", "exit 0");
    let theirs = place.script("theirs/x", &format!("touch {ran}"));
    for path in [place.path("theirs"), theirs.clone()] {
        chown(path, Some(65_534), None)?;
    }
    let link = place.path("x");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (mut good, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let new = place.path("new");
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for target in [&safe, &theirs] {
                    let _ = std::os::unix::fs::symlink(target, &new);
                    let _ = fs::rename(&new, &link);
                }
            }
        });
        for _ in 0..300 {
            match outcome(&[&link]) {
                Outcome::Exited(0) => good += 1,
                Outcome::CannotStart(_) => refused += 1,
                other => panic!("{other}"),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(
        !Path::new(&ran).exists(),
        "somebody else's script ran as root"
    );
    assert!(
        good > 0 && refused > 0,
        "nothing was exchanged: {good}, {refused}"
    );
    Ok(())
}
