//! A file that is not used, in one sentence.

use std::path::Path;

use super::diagnostic::{Code, Diagnostic};

/// Why the file is not used, in one sentence; `None` where the only problem
/// has said so.
pub fn verdict(file: &Path, diagnostics: &[Diagnostic]) -> Option<String> {
    if diagnostics.iter().any(|one| one.code == Code::Unreadable) {
        return None;
    }
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let file = file.display();
    Some(match errors {
        0 => format!("{file} is not used: it has no vrrp_instance"),
        1 => format!("{file} is not used: it has an error"),
        errors => format!("{file} is not used: it has {errors} errors"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Severity;

    #[test]
    fn one_sentence_says_why() {
        let one = |severity| Diagnostic::new(severity, Code::NoVip, "m");
        let said = |found: &[Diagnostic]| verdict(Path::new("a.conf"), found).unwrap_or_default();
        let (error, warning) = (one(Severity::Error), one(Severity::Warning));
        assert_eq!(
            said(&[warning.clone(), error.clone()]),
            "a.conf is not used: it has an error"
        );
        assert!(said(&[error.clone(), error]).ends_with("2 errors"));
        assert!(said(&[warning]).ends_with("no vrrp_instance"));
        let unreadable = Diagnostic::new(Severity::Error, Code::Unreadable, "m");
        assert_eq!(said(&[unreadable]), "");
    }
}
