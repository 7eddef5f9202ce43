//! Mail, to a real server on another machine: one that is there, that is away
//! and comes back, and that says nothing.

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    keepalived::Keepalived,
    process::Process,
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};

use crate::lab::LONG;

/// Debian's, which has aiosmtpd; another one may come first in PATH.
pub const PYTHON: &str = "/usr/bin/python3";
const PORT: u16 = 2525;

fn conf(lan: &Lan, globals: &str) -> String {
    format!(
        "global_defs {{\nrouter_id lab\nnotification_email {{\nops@example.net\n\
         admin@example.net\n}}\nnotification_email_from failover@example.net\n\
         smtp_server {} {PORT}\nsmtp_connect_timeout 1\nsmtp_alert\n{globals}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority 100\n\
         version 3\nadvert_int 0.1\nvirtual_ipaddress {{\n10.77.1.100/24\n}}\n\
         track_interface {{\nt1\n}}\n}}\n",
        lan.host(1).port.v4
    )
}

fn lan() -> Result<Lan> {
    let lan = Lan::new(2)?;
    let ns = &lan.host(0).ns;
    ns.sh("ip link add t1 type veth peer name p1")?;
    ns.sh("ip link set t1 up")?;
    ns.sh("ip link set p1 up")?;
    Ok(lan)
}

/// What it gets is in its output.
pub fn server(lan: &Lan) -> Result<Process> {
    let client = lan.host(1);
    let mut command = client.ns.command(PYTHON);
    command
        .args(["-u", "-m", "aiosmtpd", "-n"])
        .args(["-c", "aiosmtpd.handlers.Debugging", "stdout"])
        .args(["-l", &format!("{}:{PORT}", client.port.v4)]);
    let server = Process::start("aiosmtpd", &mut command)?;
    // keepalived tries once only.
    let listening = || {
        let sockets = client.ns.sh(&format!("ss -ltnH sport = :{PORT}")).ok()?;
        sockets.contains("LISTEN").then_some(())
    };
    eventually(LONG, "the server", listening)?;
    Ok(server)
}

fn subjects(server: &Process) -> Vec<String> {
    let lines = server.lines().into_iter().map(|line| line.text);
    lines.filter(|line| line.starts_with("Subject: ")).collect()
}

pub fn wait_subjects(server: &Process, count: usize) -> Result<Vec<String>> {
    let found = eventually(LONG, &format!("{count} mails"), || {
        let found = subjects(server);
        (found.len() >= count).then_some(found)
    });
    found.with_context(|| {
        let lines = server.lines().into_iter().map(|line| line.text);
        lines.collect::<Vec<_>>().join("\n")
    })
}

fn fault_and_back(lan: &Lan, router: &dyn Router) -> Result<()> {
    let mark = router.process().mark();
    lan.host(0).ns.sh("ip link set p1 down")?;
    router
        .process()
        .wait_line_from(mark, "Entering FAULT STATE", LONG)?;
    lan.host(0).ns.sh("ip link set p1 up")?;
    router
        .process()
        .wait_line_from(mark, "Entering MASTER STATE", LONG)
        .map(drop)
}

#[test]
fn subjects_and_recipients_are_those_of_keepalived() -> Result<()> {
    require_agent!("keepalived", PYTHON);
    for globals in ["", "no_email_faults"] {
        let lans = [lan()?, lan()?];
        let servers = [server(&lans[0])?, server(&lans[1])?];
        let agent = Agent::start_conf(&lans[0].host(0).ns, &conf(&lans[0], globals), "VI_1")?;
        let keepalived =
            Keepalived::start_with(&lans[1].host(0).ns, &conf(&lans[1], globals), "VI_1")?;
        let both: [&dyn Router; 2] = [&agent, &keepalived];
        for (lan, router) in lans.iter().zip(both) {
            router.wait_state(State::Active, LONG)?;
            fault_and_back(lan, router)?;
        }
        let count = if globals.is_empty() { 5 } else { 4 };
        let ours = wait_subjects(&servers[0], count)?;
        let mut theirs = wait_subjects(&servers[1], count)?;
        // keepalived opens a connection for each at once, so that order is luck.
        let mut sorted = ours.clone();
        sorted.sort();
        theirs.sort();
        ensure!(sorted == theirs, "{sorted:#?} {theirs:#?}");
        let last = "Subject: [lab] VRRP Instance VI_1 - Entering MASTER state";
        ensure!(ours.last().is_some_and(|one| one == last), "{ours:?}");
        for server in &servers {
            let lines = server.lines();
            let has = |text: &str| lines.iter().any(|line| line.text == text);
            ensure!(has("To: ops@example.net, admin@example.net"), "{lines:#?}");
            ensure!(has("From: failover@example.net"), "{lines:#?}");
        }
    }
    Ok(())
}

#[test]
fn mail_waits_for_a_server_that_is_away_and_nobody_waits_for_it() -> Result<()> {
    require_agent!(PYTHON);
    let lan = lan()?;
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf(&lan, ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    agent.process().wait_line("mail is not sent", LONG)?;
    fault_and_back(&lan, &agent)?;
    let status = agent.status()?;
    ensure!(status["telling"]["mails_waiting"] == 5, "{status}");
    let server = server(&lan)?;
    let states = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"];
    let expected =
        states.map(|s| format!("Subject: [lab] VRRP Instance VI_1 - Entering {s} state"));
    let found = wait_subjects(&server, 5)?;
    ensure!(found == expected, "each once, in order: {found:#?}");
    agent.process().wait_line("mail is sent again", LONG)?;
    ensure!(agent.status()?["telling"]["mails_sent"] == 5);
    agent.stop()
}

#[test]
fn one_recipient_that_is_refused_takes_it_from_nobody_else() -> Result<()> {
    require_agent!(PYTHON);
    let lan = lan()?;
    let address = lan.host(1).port.v4;
    let mut server = lan.host(1).ns.command(PYTHON);
    let text = format!(
        "import asyncio\nfrom aiosmtpd.controller import Controller\n\
         no={{'gone@example.net':'550 not here','full@example.net':'452 not now'}}\n\
         class Some:\n    async def handle_RCPT(self,server,session,envelope,a,options):\n        \
         if a in no: return no[a]\n        envelope.rcpt_tos.append(a); return '250 ok'\n    \
         async def handle_DATA(self,server,session,envelope):\n        \
         print('taken',*envelope.rcpt_tos,flush=True); return '250 ok'\n\
         c=Controller(Some(),hostname='{address}',port={PORT})\nc.start()\n\
         print('listening',flush=True)\nasyncio.new_event_loop().run_forever()"
    );
    let server = Process::start("server", server.args(["-c", &text]))?;
    server.wait_line("listening", LONG)?;
    let others = "gone@example.net\nfull@example.net\naddress@\nops@example.net";
    let conf = conf(&lan, "").replace("ops@example.net", others);
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    fault_and_back(&lan, &agent)?;
    // Each of the five once to each of the two, whatever the others get.
    let taken = || {
        let lines = server.lines().into_iter().map(|line| line.text);
        let mut lines: Vec<String> = lines.filter(|line| line.starts_with("taken")).collect();
        lines.sort();
        lines
    };
    let all = || (taken().len() >= 10).then_some(());
    eventually(LONG, "five mails for two", all)?;
    agent
        .process()
        .wait_line("'address@' is no mail address", LONG)?;
    agent
        .process()
        .wait_line("given up for gone@example.net", LONG)?;
    let status = agent.status()?;
    ensure!(status["telling"]["mails_waiting"] == 5, "{status}");
    let ops = vec!["taken ops@example.net"; 5];
    let admin = vec!["taken admin@example.net"; 5];
    ensure!(taken() == [admin, ops].concat(), "{:?}", taken());
    agent.stop()
}

#[test]
fn a_server_that_hangs_or_refuses_is_in_nobody_s_way() -> Result<()> {
    require_agent!(PYTHON);
    let lan = lan()?;
    let address = lan.host(1).port.v4;
    let mut hangs = lan.host(1).ns.command(PYTHON);
    let text = format!(
        "import socket,time\ns=socket.create_server(('{address}',{PORT}))\n\
         print('listening',flush=True)\nkept=[]\nwhile True: kept.append(s.accept())"
    );
    let mut hangs = Process::start("hangs", hangs.args(["-c", &text]))?;
    hangs.wait_line("listening", LONG)?;
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf(&lan, ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    agent.process().wait_line("mail is not sent", LONG)?;
    fault_and_back(&lan, &agent)?;
    ensure!(agent.status()?["telling"]["mails_waiting"] == 5);
    hangs.kill()?;
    // One that takes no mail for that recipient: given up, and not for ever.
    let mut refuses = lan.host(1).ns.command(PYTHON);
    let text = format!(
        "import asyncio\nfrom aiosmtpd.controller import Controller\n\
         class No:\n    async def handle_RCPT(self,*a): return '550 not here'\n\
         c=Controller(No(),hostname='{address}',port={PORT})\nc.start()\n\
         print('listening',flush=True)\nasyncio.new_event_loop().run_forever()"
    );
    let refuses = Process::start("refuses", refuses.args(["-c", &text]))?;
    refuses.wait_line("listening", LONG)?;
    let given_up = || Some(agent.status().ok()?["telling"]["mails_dropped"] == 5).filter(|b| *b);
    eventually(LONG, "all given up", given_up)?;
    agent.process().wait_line("a mail is given up", LONG)?;
    agent.stop()
}
