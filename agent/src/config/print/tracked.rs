//! Trackers, `track_*` lists and `vrrp_sync_group`s.

use std::{collections::BTreeMap, time::Duration};

use super::instance::micros;
use super::tell;
use super::writer::{Writer, word};
use crate::config::model::{
    FileSpec, IfName, InitFile, Instance, Notify, ParamMatch, ProcessSpec, RunAs, ScriptSpec,
    Track, Trackers, Weight,
};
use crate::track::Kind;

/// The definitions, which stand ahead of those who track them.
pub fn definitions(trackers: &Trackers, writer: &mut Writer) {
    let Trackers {
        scripts,
        files,
        processes,
    } = trackers;
    scripts.iter().for_each(|spec| script(spec, writer));
    files.iter().for_each(|spec| file(spec, writer));
    processes.iter().for_each(|spec| process(spec, writer));
}

fn script(spec: &ScriptSpec, writer: &mut Writer) {
    let ScriptSpec {
        name,
        words,
        interval,
        timeout,
        rise,
        fall,
        weight: given,
        init_fail,
        run_as,
    } = spec;
    writer.named_block("vrrp_script", name, |writer| {
        writer.command("script", &tell::command_line(words), std::iter::empty());
        writer.set("interval", micros(*interval));
        writer.set("timeout", micros(*timeout));
        writer.set("rise", rise);
        writer.set("fall", fall);
        weight(*given, writer);
        if let Some(RunAs { user, group }) = run_as {
            writer.words("user", [user].into_iter().chain(group));
        }
        writer.flag("init_fail", *init_fail);
    });
}

fn file(spec: &FileSpec, writer: &mut Writer) {
    let FileSpec {
        name,
        path,
        weight: given,
        init,
    } = spec;
    writer.named_block("track_file", name, |writer| {
        writer.set("file", path);
        weight(*given, writer);
        if let Some(InitFile { value, overwrite }) = init {
            let overwrite = overwrite.then(|| "overwrite".to_owned());
            writer.words(
                "init_file",
                [value.to_string()].into_iter().chain(overwrite),
            );
        }
    });
}

fn process(spec: &ProcessSpec, writer: &mut Writer) {
    let ProcessSpec {
        name,
        process,
        params,
        param_match,
        weight: given,
        quorum,
        quorum_max,
        fork_delay,
        terminate_delay,
        full_command,
    } = spec;
    writer.named_block("vrrp_track_process", name, |writer| {
        writer.words("process", [process].into_iter().chain(params));
        match param_match {
            ParamMatch::Exact => {}
            ParamMatch::Initial => writer.set("param_match", "initial"),
            ParamMatch::Partial => writer.set("param_match", "partial"),
        }
        weight(*given, writer);
        writer.set("quorum", quorum);
        writer.maybe("quorum_max", *quorum_max);
        let delay = |delay: Duration| (!delay.is_zero()).then(|| micros(delay));
        writer.maybe("fork_delay", delay(*fork_delay));
        writer.maybe("terminate_delay", delay(*terminate_delay));
        writer.flag("full_command", *full_command);
    });
}

fn weight(Weight { value, reverse }: Weight, writer: &mut Writer) {
    let reverse = reverse.then(|| "reverse".to_owned());
    writer.words("weight", [value.to_string()].into_iter().chain(reverse));
}

/// What an instance tracks; of a member also what its group does.
pub fn lists(interfaces: &[IfName], tracks: &[Track], writer: &mut Writer) {
    let of = |wanted: Kind| {
        let entries = tracks
            .iter()
            .filter(move |track| track.tracker.kind == wanted);
        entries.map(move |Track { tracker, weight }| {
            let Weight { value, reverse } = weight;
            // A definition's would count otherwise.
            let reverse = match (reverse, wanted) {
                (true, _) => " reverse",
                (false, Kind::Interface) => "",
                (false, Kind::Script | Kind::File | Kind::Process) => " noreverse",
            };
            format!("{} weight {value}{reverse}", word(&tracker.name))
        })
    };
    let plain = interfaces.iter().map(|name| word(name.as_str()));
    writer.lines("track_interface", plain.chain(of(Kind::Interface)));
    writer.lines("track_script", of(Kind::Script));
    writer.lines("track_file", of(Kind::File));
    writer.lines("track_process", of(Kind::Process));
}

/// Its trackers stand with its members, so weights have to count there.
pub fn groups(instances: &[Instance], told: &BTreeMap<String, Notify>, writer: &mut Writer) {
    let mut names: Vec<&String> = Vec::new();
    for name in instances.iter().filter_map(|one| one.group.as_ref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        writer.named_block("vrrp_sync_group", name, |writer| {
            let members = instances
                .iter()
                .filter(|one| one.group.as_ref() == Some(name));
            writer.list("group", members.map(|one| &one.name));
            writer.flag("sync_group_tracking_weight", true);
            if let Some(notify) = told.get(name) {
                tell::notify(notify, writer);
            }
        });
    }
}
