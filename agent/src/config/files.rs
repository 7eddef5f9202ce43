//! Where the agent writes what scripts and exporters read, and under which name it runs.

use std::path::PathBuf;

/// What `json_dump_file` has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum JsonVersion {
    /// An array of instances.
    #[default]
    One,
    /// An object with the instances under `vrrp`.
    Two,
}

/// The files of an agent, and what their names are made of. `None` leaves the
/// place in the runtime directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Files {
    /// `state_dump_file`: keepalived.data.
    pub state_dump: Option<PathBuf>,
    /// `stats_dump_file`: keepalived.stats.
    pub stats_dump: Option<PathBuf>,
    /// `json_dump_file`: keepalived.json.
    pub json_dump: Option<PathBuf>,
    pub json_version: JsonVersion,
    /// `data_use_instance`: the names of the dumps carry `instance` and
    /// `namespace`.
    pub data_use_instance: bool,
    /// `reload_file`: there while a reload reads.
    pub reload_file: Option<PathBuf>,
    /// `instance`: told apart by this on one machine.
    pub instance: Option<String>,
    /// `net_namespace`: entered before anything else.
    pub namespace: Option<String>,
    /// `use_pid_dir`: pid files in keepalived's own directory.
    pub use_pid_dir: bool,
}

impl Files {
    /// What a running agent cannot change: the keyword, for each that differs.
    pub fn fixed_differences(&self, new: &Self) -> Vec<&'static str> {
        let differs = [
            ("instance", self.instance != new.instance),
            ("net_namespace", self.namespace != new.namespace),
            ("use_pid_dir", self.use_pid_dir != new.use_pid_dir),
        ];
        let differs = differs.into_iter().filter(|(_, differs)| *differs);
        differs.map(|(keyword, _)| keyword).collect()
    }
}
