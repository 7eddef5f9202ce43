//! The example of docs/scripts.md, as it stands there.

use std::fs;

use failoverd::script::Outcome;

use crate::lab::{Place, mode, outcome};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scripts.md");

/// The first block of the document in this language.
fn block(language: &str) -> String {
    let text = fs::read_to_string(DOCUMENT).expect("docs/scripts.md");
    let (_, rest) = text
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    let (block, _) = rest.split_once("```").expect("its end");
    block.to_owned()
}

#[test]
fn the_example_of_the_documentation_does_what_it_says() {
    let place = Place::new("document");
    let path = place.path("check-port");
    fs::write(&path, block("sh")).expect("a script");
    mode(std::path::Path::new(&path), 0o755);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener
        .local_addr()
        .expect("its number")
        .port()
        .to_string();
    assert_eq!(outcome(&[&path, "127.0.0.1", &port]), Outcome::Exited(0));
    drop(listener);
    assert_eq!(outcome(&[&path, "127.0.0.1", &port]), Outcome::Exited(1));
    assert_eq!(
        outcome(&[&path]),
        Outcome::Exited(2),
        "a wrong use is told from a failure"
    );
}

#[test]
fn its_configuration_is_right() {
    let loaded = failoverd::config::parse_str("docs/scripts.md", &block("text"));
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|found| found.severity == failoverd::config::Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}
