//! A password is on the wire, and nowhere else.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{SOON, START},
    process::Process,
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};

/// Of eight characters, as version 2 has room for.
const FIRST: &str = "Zq7Mark1";
const SECOND: &str = "Xw8Mark2";

fn conf(lan: &Lan, password: &str, more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion 2\n\
         advert_int 1\npriority 100\nauthentication {{\nauth_type PASS\n\
         auth_pass {password}{more}\n}}\nvirtual_ipaddress {{\n{}/24\n}}\n}}\n",
        lan.vip()
    )
}

/// All that was said, by whom.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, whence: &str, text: String) -> Result<()> {
        ensure!(!text.trim().is_empty(), "{whence} says nothing");
        self.0.push((whence.to_owned(), text));
        Ok(())
    }

    fn check(&self) -> Result<()> {
        for (whence, text) in &self.0 {
            for marker in [FIRST, SECOND, &FIRST[..6], &SECOND[..6]] {
                ensure!(!text.contains(marker), "{marker} is in {whence}:\n{text}");
            }
        }
        Ok(())
    }
}

fn command(said: &mut Said, whence: &str, arguments: &[&str]) -> Result<()> {
    let ended = agent::call(None, arguments, SOON)?;
    said.add(whence, ended.output.join("\n"))
}

fn raw(agent: &Agent, request: &str) -> Result<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(agent.control())?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(format!("{{\"command\":\"{request}\"}}\n").as_bytes())?;
    Ok(BufReader::new(stream))
}

fn log(process: &Process) -> String {
    let lines = process.lines().into_iter().map(|line| line.text);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_password_is_said_nowhere() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let place = tempfile::Builder::new().prefix("lab-security").tempdir()?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = place.path().join(name);
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let mut said = Said::default();
    let given = file("given.conf", &conf(&lan, FIRST, ""))?;
    let other = file("other.conf", &conf(&lan, SECOND, ""))?;
    let wrong = file("wrong.conf", &conf(&lan, FIRST, &format!(" {SECOND}")))?;
    let open = file("open.conf", &conf(&lan, &format!("\"{FIRST}"), ""))?;
    let long = file("long.conf", &conf(&lan, &format!("{FIRST}{SECOND}"), ""))?;
    for path in [&wrong, &open, &long] {
        command(&mut said, "check", &["check", path])?;
    }
    command(&mut said, "check --print", &["check", "--print", &given])?;
    command(
        &mut said,
        "check --print --json",
        &["check", "--print", "--json", &given],
    )?;
    let shown = agent::call(None, &["check", "--print", "--show-secrets", &given], SOON)?;
    ensure!(shown.output.join("\n").contains(FIRST), "{shown:?}");

    let mut agent = start(&lan, &conf(&lan, FIRST, ""))?;
    agent.wait_state(State::Active, START)?;
    let events = Arc::new(Mutex::new(String::new()));
    let (reader, to) = (raw(&agent, "events")?, events.clone());
    let reading = std::thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            to.lock().expect("no panic").push_str(&line);
        }
    });
    for json in [&[][..], &["--json"]] {
        said.add("status", agent.ask("status", json)?.output.join("\n"))?;
    }
    said.add("diff", agent.ask("diff", &[&other])?.output.join("\n"))?;
    let mut line = String::new();
    raw(&agent, "config")?.read_line(&mut line)?;
    said.add("config", line)?;
    agent.write_conf(&conf(&lan, SECOND, ""))?;
    said.add("reload", agent.reload()?.output.join("\n"))?;
    agent.write_conf(&fs::read_to_string(&wrong)?)?;
    said.add(
        "a reload that is refused",
        agent.reload()?.output.join("\n"),
    )?;
    agent.write_conf(&conf(&lan, SECOND, ""))?;
    let json = libc::SIGRTMIN() + 2;
    for (signal, name) in [
        (libc::SIGUSR1, "keepalived.data"),
        (libc::SIGUSR2, "keepalived.stats"),
        (json, "keepalived.json"),
    ] {
        let path = agent.control().with_file_name(name);
        agent.process().signal(signal)?;
        let text = eventually(SOON, name, || fs::read_to_string(&path).ok())?;
        said.add(name, text)?;
    }
    said.add("upgrade", agent.ask("upgrade", &[])?.output.join("\n"))?;
    agent.stop().context("stop")?;
    reading.join().ok().context("the reader of events")?;
    let events = events.lock().expect("no panic").clone();
    said.add("events", events)?;
    said.add("the log", log(agent.process()))?;
    said.check()
}

/// With a log that says all that it can.
fn start(lan: &Lan, conf: &str) -> Result<Agent> {
    let environment = [("FAILOVERD_LOG", "trace")];
    Agent::start_conf_in(&lan.host(0).ns, conf, "VI_1", &environment)
}
