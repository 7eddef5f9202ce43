//! The files of an agent, and what it is told apart by.

use super::writer::Writer;
use crate::config::files::{Files, JsonVersion};

/// What stands in `global_defs`; [`names`] has the rest.
pub fn globals(files: &Files, writer: &mut Writer) {
    let Files {
        state_dump,
        stats_dump,
        json_dump,
        json_version,
        data_use_instance,
        reload_file,
        instance: _,
        namespace: _,
        use_pid_dir: _,
    } = files;
    for (keyword, path) in [
        ("state_dump_file", state_dump),
        ("stats_dump_file", stats_dump),
        ("json_dump_file", json_dump),
    ] {
        writer.maybe(keyword, path.as_ref().map(|path| path.display()));
    }
    match json_version {
        JsonVersion::One => {}
        JsonVersion::Two => writer.set("json_version", 2),
    }
    writer.switch("data_use_instance", *data_use_instance, false);
    if let Some(path) = reload_file {
        match path.is_absolute() {
            true => writer.set("reload_file", path.display()),
            // The one beside the pid file has no name of its own.
            false => writer.flag("reload_file", true),
        }
    }
}

/// What stands outside of all blocks.
pub fn names(files: &Files, writer: &mut Writer) {
    writer.maybe("instance", files.instance.as_ref());
    writer.maybe("net_namespace", files.namespace.as_ref());
    writer.flag("use_pid_dir", files.use_pid_dir);
}
