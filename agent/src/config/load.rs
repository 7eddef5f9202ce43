//! From a file, or from text, to a [`Loaded`].

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::diagnostic::{Code, Diagnostic};
use super::lexer::{self, MAX_FILE, Span};
use super::lower::lower;
use super::model::Config;
use super::sink::Sink;
use super::tree;

/// What reading a configuration gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// `None` where `diagnostics` has an error.
    pub config: Option<Config>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and checks a keepalived.conf. Never fails otherwise than by its
/// diagnostics: a file that cannot be read is one of them.
pub fn load(path: &Path) -> Loaded {
    let name = path.display().to_string();
    match read(path) {
        Ok(bytes) => parse_bytes(&name, &bytes),
        Err(error) => {
            let mut sink = Sink::new(&name);
            sink.error(
                Code::Unreadable,
                Span::FILE,
                format!("cannot be read: {error}"),
            )
            .help("check the path and its permissions");
            Loaded {
                config: None,
                diagnostics: sink.finish(""),
            }
        }
    }
}

/// At most one byte more than [`MAX_FILE`], so that too much can be told from
/// just enough.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a FIFO would wait for its writer.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_FILE)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`load`], for text that is already there; `name` stands in the messages.
pub fn parse_str(name: &str, text: &str) -> Loaded {
    parse_bytes(name, text.as_bytes())
}

/// As [`parse_str`], for any bytes.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Loaded {
    if bytes.len() > MAX_FILE {
        let mut sink = Sink::new(name);
        let message = format!("more than {} MiB", MAX_FILE >> 20);
        sink.error(Code::FileTooBig, Span::FILE, message)
            .help("is it the right file?");
        return Loaded {
            config: None,
            diagnostics: sink.finish(""),
        };
    }
    let text = lexer::decode(bytes);
    let mut sink = Sink::new(name);
    let tokens = lexer::lex(&text, &mut sink);
    let tree = tree::build(tokens, &mut sink);
    let config = lower(&tree, &mut sink);
    Loaded {
        config: (!sink.has_errors()).then_some(config),
        diagnostics: sink.finish(&text),
    }
}
