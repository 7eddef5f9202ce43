//! What is tracked, and what the manual says comes of it.

use std::{fs, path::Path};

use anyhow::Result;
use failoverd_tests::netns::Netns;

/// Of every instance without trackers; that of the peer is between what good
/// and bad health make of it.
const BASE: i64 = 130;
pub const PEER: u8 = 121;

/// Where an instance is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    Active,
    Backup,
    Fault,
}

/// State and effective priority of VI_1, VI_2 and VI_3.
pub type Picture = Vec<(State, u8)>;

/// Everything that is tracked. VI_1 and VI_2 are a group, VI_3 is alone.
#[derive(Clone, Debug)]
pub struct World {
    /// t1 weight 20, t2 a fault: of the group. t3 weight 30 reverse, t4 weight
    /// -40 reverse: of VI_3.
    links: [bool; 4],
    /// weight -1, of the group.
    of_group: i64,
    /// weight 2 reverse, of VI_3.
    of_one: i64,
    /// weight 0, of VI_2.
    of_member: i64,
    /// Good: weight -30 of the group; weight 25 reverse of VI_3; a fault of VI_3.
    scripts: [bool; 3],
}

impl Default for World {
    fn default() -> Self {
        Self {
            links: [true; 4],
            of_group: 0,
            of_one: 0,
            of_member: 0,
            scripts: [true; 3],
        }
    }
}

const OF_GROUP: [i64; 6] = [0, 7, 60, 253, -150, 15];
const OF_ONE: [i64; 6] = [0, 3, -90, 65, -20, 126];

impl World {
    /// Changes one thing, as `below` picks it, and says which.
    pub fn change(&mut self, mut below: impl FnMut(u64) -> u64) -> String {
        loop {
            let mut next = self.clone();
            let what = next.change_one(&mut below);
            // With equal priorities it would count who is Active already.
            if next.expected().iter().all(|(_, own)| *own != PEER) {
                *self = next;
                return what;
            }
        }
    }

    fn change_one(&mut self, below: &mut impl FnMut(u64) -> u64) -> String {
        let index = |number: u64| usize::try_from(number).unwrap_or(0);
        let pick = |values: [i64; 6], old: i64, number: u64| {
            let others: Vec<i64> = values.into_iter().filter(|value| *value != old).collect();
            others[index(number) % others.len()]
        };
        match below(10) {
            // What is a fault is mended sooner than broken, or little else happens.
            0 if !self.links[1] || below(4) == 0 => {
                self.links[1] = !self.links[1];
                format!("t2 up: {}", self.links[1])
            }
            1 if self.of_member != 0 || below(4) == 0 => {
                self.of_member = i64::from(self.of_member == 0);
                format!("member: {}", self.of_member)
            }
            2 if !self.scripts[2] || below(3) == 0 => {
                self.scripts[2] = !self.scripts[2];
                format!("script 2 good: {}", self.scripts[2])
            }
            3 | 4 => {
                self.of_group = pick(OF_GROUP, self.of_group, below(5));
                format!("group: {}", self.of_group)
            }
            5 | 6 => {
                self.of_one = pick(OF_ONE, self.of_one, below(5));
                format!("one: {}", self.of_one)
            }
            7 => {
                let which = index(below(2));
                self.scripts[which] = !self.scripts[which];
                format!("script {which} good: {}", self.scripts[which])
            }
            _ => {
                let which = [0, 2, 3][index(below(3))];
                self.links[which] = !self.links[which];
                format!("t{} up: {}", which + 1, self.links[which])
            }
        }
    }

    /// By the manual: all that is added is added to the base, within 1 to 254.
    pub fn expected(&self) -> Picture {
        let when = |condition: bool, weight: i64| if condition { weight } else { 0 };
        let [t1, t2, t3, t4] = self.links;
        let [first, second, third] = self.scripts;
        let group = BASE + when(t1, 20) - self.of_group + when(!first, -30);
        let one = BASE + when(t3, -30) + when(!t4, 40) - 2 * self.of_one + when(second, -25);
        let of_group = (group, t2 && self.of_member == 0);
        [of_group, of_group, (one, third)]
            .into_iter()
            .map(|(sum, good)| {
                let priority = u8::try_from(sum.clamp(1, 254)).unwrap_or(1);
                let state = match (good, priority > PEER) {
                    (false, _) => State::Fault,
                    (true, true) => State::Active,
                    (true, false) => State::Backup,
                };
                (state, priority)
            })
            .collect()
    }

    /// Makes a machine and its files so.
    pub fn apply(&self, ns: &Netns, directory: &Path) -> Result<()> {
        for (number, up) in (1..).zip(self.links) {
            let state = if up { "up" } else { "down" };
            ns.sh(&format!("ip link set p{number} {state}"))?;
        }
        let files = [
            ("group", self.of_group),
            ("one", self.of_one),
            ("member", self.of_member),
        ];
        for (name, value) in files {
            let path = directory.join(name);
            let text = format!("{value}\n");
            if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                fs::write(path, text)?;
            }
        }
        for (number, good) in self.scripts.into_iter().enumerate() {
            let path = directory.join(format!("good{number}"));
            match good {
                true => fs::write(path, "")?,
                false if path.exists() => fs::remove_file(path)?,
                false => {}
            }
        }
        Ok(())
    }
}

/// The file that tracks all of it. The group counts by its own lists.
pub fn conf(directory: &Path) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    let mut text = "global_defs {\nenable_script_security\nscript_user root\n}\n".to_owned();
    for (name, weight) in [("group", "-1"), ("one", "2"), ("member", "0")] {
        let path = path(name);
        text += &format!("track_file {name} {{\nfile {path}\nweight {weight}\n}}\n");
    }
    // The third decides at the second failure and at the third success.
    for (number, more) in [(0, ""), (1, ""), (2, "fall 2\nrise 3\n")] {
        let path = path(&format!("good{number}"));
        text += &format!(
            "vrrp_script s{number} {{\nscript \"/usr/bin/test -e {path}\"\ninterval 0.2\ntimeout 5\n{more}}}\n"
        );
    }
    let notify = path("notify");
    let instance = |number: u8, tracks: &str| {
        format!(
            "vrrp_instance VI_{number} {{\ninterface eth0\nvirtual_router_id {number}\n\
             priority {BASE}\nversion 3\nadvert_int 0.1\nnotify {notify}\n\
             virtual_ipaddress {{\n10.77.1.10{number}/24\n}}\n{tracks}}}\n"
        )
    };
    text += &instance(1, "");
    text += &instance(2, "track_file {\nmember\n}\n");
    text += &format!(
        "vrrp_sync_group G {{\ngroup {{\nVI_1\nVI_2\n}}\nnotify {notify}\n\
         track_interface {{\nt1 weight 20\nt2\n}}\ntrack_file {{\ngroup\n}}\n\
         track_script {{\ns0 weight -30\n}}\n}}\n"
    );
    text += &instance(
        3,
        "track_interface {\nt3 weight 30 reverse\nt4 weight -40 reverse\n}\n\
         track_file {\none weight 2 reverse\n}\n\
         track_script {\ns1 weight 25 reverse\ns2\n}\n",
    );
    text
}

/// The file of the peer, which tracks nothing.
pub fn peer() -> String {
    let instance = |number: u8| {
        format!(
            "vrrp_instance VI_{number} {{\ninterface eth0\nvirtual_router_id {number}\n\
             priority {PEER}\nversion 3\nadvert_int 0.1\n\
             virtual_ipaddress {{\n10.77.1.10{number}/24\n}}\n}}\n"
        )
    };
    let all: String = (1..=3).map(instance).collect();
    all + "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n}\n"
}
