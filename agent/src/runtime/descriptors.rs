//! Descriptors that whoever started us left open.
//!
//! A daemon outlives its caller: a lock, a pipe or a mount point that it holds
//! by accident is held for as long as it runs. What was passed on purpose has a
//! number that the environment tells.

use std::collections::BTreeSet;

use crate::io::sys;

/// systemd's first one (sd_listen_fds(3)).
const FIRST_PASSED: u32 = 3;

/// Closes what was not passed on purpose. To be called first of all, and by
/// processes that are to stay.
pub fn close_inherited() {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        // Ours are text, and so are systemd's.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    sys::close_others(&passed(variables, std::process::id()));
}

/// Those that our other processes and systemd give us the numbers of.
fn passed(variables: impl Iterator<Item = (String, String)>, own: u32) -> BTreeSet<u32> {
    let (mut passed, mut listen, mut pid) = (BTreeSet::new(), 0, None);
    for (name, value) in variables {
        let Ok(number) = value.parse::<u32>() else {
            continue;
        };
        match name.as_str() {
            "LISTEN_FDS" => listen = number,
            "LISTEN_PID" => pid = Some(number),
            name if name.starts_with("FAILOVERD_") && name.ends_with("_FD") => {
                passed.insert(number);
            }
            _ => {}
        }
    }
    if pid == Some(own) {
        // No process has more.
        let end = FIRST_PASSED.saturating_add(listen.min(1 << 16));
        passed.extend(FIRST_PASSED..end);
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_on_purpose_is_known_by_the_environment() {
        let found = |variables: &[(&str, &str)]| -> Vec<u32> {
            let variables = variables.iter();
            let owned = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            passed(owned, 7).into_iter().collect()
        };
        assert_eq!(
            found(&[("FAILOVERD_GUARD_FD", "9"), ("OTHER_FD", "8")]),
            [9]
        );
        assert_eq!(found(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "7")]), [3, 4]);
        assert!(found(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "8")]).is_empty());
        assert!(found(&[("FAILOVERD_GUARD_FD", "x")]).is_empty());
        let most = found(&[("LISTEN_FDS", "4294967295"), ("LISTEN_PID", "7")]);
        assert_eq!(most.len(), 1 << 16);
    }
}
