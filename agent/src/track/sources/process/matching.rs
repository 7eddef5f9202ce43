//! Whether a process is one that is looked for.

use crate::config::model::{ParamMatch, ProcessSpec};

/// The kernel keeps this many bytes of a name.
const COMM: usize = 15;

/// What a process is called, as far as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Called {
    /// /proc/PID/comm without its end of line.
    pub comm: Vec<u8>,
    /// /proc/PID/cmdline: every word ends with a zero byte.
    pub cmdline: Vec<u8>,
}

/// Whether the command line is needed to know, or the name says it.
pub fn wants_cmdline(spec: &ProcessSpec) -> bool {
    spec.full_command || !spec.params.is_empty() || spec.param_match != ParamMatch::Exact
}

/// Whether `called` is what `spec` looks for. Names are compared whole, as
/// `pgrep -x` would, up to the length that the kernel keeps.
pub fn matches(spec: &ProcessSpec, called: &Called) -> bool {
    if !wants_cmdline(spec) {
        let wanted = spec.process.as_bytes();
        return called.comm == wanted.get(..COMM).unwrap_or(wanted);
    }
    let mut words = called.cmdline.split_inclusive(|byte| *byte == 0);
    let Some(command) = words.next() else {
        return false;
    };
    if without_end(command) != spec.process.as_bytes() {
        return false;
    }
    let given = called.cmdline.get(command.len()..).unwrap_or_default();
    let mut wanted = Vec::new();
    for word in &spec.params {
        wanted.extend_from_slice(word.as_bytes());
        wanted.push(0);
    }
    match (spec.param_match, wanted.as_slice()) {
        (ParamMatch::Exact, []) => true,
        (ParamMatch::Initial | ParamMatch::Partial, []) => given.is_empty(),
        (ParamMatch::Exact, wanted) => given == wanted,
        (ParamMatch::Partial, wanted) => given.starts_with(wanted),
        // All but the end of the last word, which may go on.
        (ParamMatch::Initial, [start @ .., _end]) => given.starts_with(start),
    }
}

fn without_end(word: &[u8]) -> &[u8] {
    word.strip_suffix(&[0]).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Weight;
    use core::time::Duration;

    pub fn spec(process: &str, params: &[&str], param_match: ParamMatch) -> ProcessSpec {
        ProcessSpec {
            name: "p".to_owned(),
            process: process.to_owned(),
            params: params.iter().map(|word| (*word).to_owned()).collect(),
            param_match,
            weight: Weight::default(),
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
            full_command: false,
        }
    }

    fn called(comm: &str, cmdline: &str) -> Called {
        Called {
            comm: comm.into(),
            cmdline: cmdline.replace(' ', "\0").into(),
        }
    }

    #[test]
    fn a_name_is_compared_whole_as_far_as_the_kernel_keeps_it() {
        let ssh = spec("ssh", &[], ParamMatch::Exact);
        assert!(matches(&ssh, &called("ssh", "whatever ")));
        assert!(!matches(&ssh, &called("sshd", "ssh ")));
        let long = spec("a-name-longer-than-fifteen", &[], ParamMatch::Exact);
        assert!(matches(&long, &called("a-name-longer-t", "")));
    }

    #[test]
    fn a_command_line_is_compared_as_asked() {
        let line = called("nginx", "/usr/sbin/nginx -c /etc/x.conf -q ");
        let is = |params: &[&str], how| matches(&spec("/usr/sbin/nginx", params, how), &line);
        assert!(is(&["-c", "/etc/x.conf", "-q"], ParamMatch::Exact));
        assert!(!is(&["-c", "/etc/x.conf"], ParamMatch::Exact));
        assert!(is(&["-c", "/etc/x.conf"], ParamMatch::Partial));
        assert!(!is(&["-c", "/etc/x"], ParamMatch::Partial));
        assert!(is(&["-c", "/etc/x"], ParamMatch::Initial));
        assert!(!is(&["-c", "/usr"], ParamMatch::Initial));
        assert!(!is(&[], ParamMatch::Partial) && !is(&[], ParamMatch::Initial));
        let none = called("nginx", "/usr/sbin/nginx ");
        let alone = spec("/usr/sbin/nginx", &[], ParamMatch::Initial);
        assert!(matches(&alone, &none));
        let full = ProcessSpec {
            full_command: true,
            ..spec("/usr/sbin/nginx", &[], ParamMatch::Exact)
        };
        assert!(matches(&full, &line) && matches(&full, &none));
        assert!(
            !matches(&full, &called("nginx", "")),
            "a kernel thread has none"
        );
        assert!(!matches(&full, &called("nginx", "nginx ")));
    }
}
