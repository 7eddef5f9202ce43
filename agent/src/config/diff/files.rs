//! The files of an agent in words.

use std::path::PathBuf;

use super::Values;
use crate::config::files::{Files, JsonVersion};

/// By the keywords that set them.
pub(super) fn values(files: &Files) -> Values {
    let Files {
        state_dump,
        stats_dump,
        json_dump,
        json_version,
        data_use_instance,
        reload_file,
        instance,
        namespace,
        use_pid_dir,
    } = files;
    let mut values = Values::default();
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    values.list("state_dump_file", path(state_dump));
    values.list("stats_dump_file", path(stats_dump));
    values.list("json_dump_file", path(json_dump));
    let version = match json_version {
        JsonVersion::One => 1,
        JsonVersion::Two => 2,
    };
    values.set("json_version", version);
    values.set("data_use_instance", data_use_instance);
    values.list("reload_file", path(reload_file));
    values.list("instance", instance);
    values.list("net_namespace", namespace);
    values.set("use_pid_dir", use_pid_dir);
    values
}
