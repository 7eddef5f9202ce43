//! The example of docs/notify.md, as it stands there.

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    process::Process,
    require_agent,
    router::{Router, State},
    topology::Lan,
};

use crate::{
    lab::{LONG, Place},
    mail,
};

const DOCUMENT: &str = include_str!("../../../docs/notify.md");

#[test]
fn the_example_of_the_documentation_tells_all_that_it_says() -> Result<()> {
    require_agent!(mail::PYTHON);
    let (lan, place) = (Lan::new(2)?, Place::new()?);
    let log = place.path("log.sh").display().to_string();
    let fifo = place.path("fifo");
    let text = DOCUMENT.split("```").nth(1).context("the example")?;
    let mut text = text.to_owned();
    for (from, to) in [
        ("/run/failoverd/events.fifo", fifo.display().to_string()),
        ("/usr/local/libexec/announce-route", format!("{log} route")),
        ("/usr/local/libexec/log-state", format!("{log} state")),
        ("10.77.1.2 2525", format!("{} 2525", lan.host(1).port.v4)),
    ] {
        ensure!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    let server: Process = mail::server(&lan)?;
    let lines = place.fifo("fifo")?;
    let agent = Agent::start_conf(&lan.host(0).ns, &text, "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    lines.wait(0, &["INSTANCE \"VI_1\" MASTER 100"])?;
    let expected = [
        "[state][the web address][INSTANCE][VI_1][BACKUP][100]",
        "[route][10.77.1.100]",
        "[state][the web address][INSTANCE][VI_1][MASTER][100]",
    ];
    place.wait_log("the scripts", |lines| lines == expected)?;
    let subjects = mail::wait_subjects(&server, 2)?;
    let master = "Subject: [router-a] VRRP Instance VI_1 - Entering MASTER state";
    ensure!(subjects[1] == master, "{subjects:?}");
    Ok(())
}
