//! From a file, or from text, to a [`Loaded`].

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Code, Diagnostic};
use super::language::{self, Surroundings};
use super::lexer::{self, MAX_FILE};
use super::lower::lower;
use super::model::Config;
use super::scripts::Scripts;
use super::sink::Sink;
use super::text::{Source, Span};
use super::tree;

/// What reading a configuration gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// `None` where `diagnostics` has an error.
    pub config: Option<Config>,
    /// In the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// What the configuration would run, and as whom.
    pub scripts: Scripts,
}

/// Reads and checks a keepalived.conf and what it includes. Never fails
/// otherwise than by its diagnostics: a file that cannot be read is one of them.
pub fn load(path: &Path) -> Loaded {
    load_as(path, None)
}

/// As [`load`]; `config_id` stands for the host name in `@id` lines.
pub fn load_as(path: &Path, config_id: Option<String>) -> Loaded {
    load_with(path, config_id, false)
}

/// As [`load_as`]; `-` and `/dev/stdin` are standard input, whatever it is. Its
/// includes start from the working directory. For commands that read once.
pub fn load_input(path: &Path, config_id: Option<String>) -> Loaded {
    if path != Path::new("-") && path != Path::new("/dev/stdin") {
        return load_as(path, config_id);
    }
    let surroundings = Surroundings {
        config_id,
        files: true,
        all_files: false,
    };
    match read_some(io::stdin().lock()) {
        Ok(bytes) => parse("stdin", &bytes, Some(Path::new("stdin")), &surroundings),
        Err(error) => unreadable("stdin", &error),
    }
}

/// As [`load_as`]; with `all_files` an included file that is missing is an
/// error, as with keepalived's `-e`.
pub fn load_with(path: &Path, config_id: Option<String>, all_files: bool) -> Loaded {
    let name = path.display().to_string();
    match read(path) {
        Ok(bytes) => {
            let surroundings = Surroundings {
                config_id,
                files: true,
                all_files,
            };
            parse(&name, &bytes, Some(path), &surroundings)
        }
        Err(error) => unreadable(&name, &error),
    }
}

fn unreadable(name: &str, error: &io::Error) -> Loaded {
    let message = format!("cannot be read: {error}");
    let help = "check the path and its permissions";
    failed(name, Code::Unreadable, message, help)
}

fn failed(name: &str, code: Code, message: String, help: &str) -> Loaded {
    let mut sink = Sink::new(name);
    sink.error(code, Span::FILE, message).help(help);
    Loaded {
        config: None,
        diagnostics: sink.finish(),
        scripts: Scripts::default(),
    }
}

/// At most one byte more than [`MAX_FILE`], so that too much can be told from
/// just enough.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a FIFO would wait for its writer.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    read_some(File::open(path)?)
}

fn read_some(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_FILE)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    input.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`load`], for text that is already there; `name` stands in the messages.
/// Includes are refused.
pub fn parse_str(name: &str, text: &str) -> Loaded {
    parse_bytes(name, text.as_bytes())
}

/// As [`parse_str`], for any bytes.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Loaded {
    parse(name, bytes, None, &Surroundings::default())
}

fn parse(name: &str, bytes: &[u8], path: Option<&Path>, surroundings: &Surroundings) -> Loaded {
    if bytes.len() > MAX_FILE {
        let message = format!("more than {} MiB", MAX_FILE >> 20);
        return failed(name, Code::FileTooBig, message, "is it the right file?");
    }
    let text: Arc<str> = Arc::from(lexer::decode(bytes));
    let mut sink = Sink::new(name);
    sink.set_main(Arc::clone(&text));
    let source = Source::new(0, text, path);
    let tokens = language::read(&source, surroundings, &mut sink);
    let tree = tree::build(tokens, &mut sink);
    let config = lower(&tree, &mut sink);
    Loaded {
        config: (!sink.has_errors()).then_some(config),
        scripts: Scripts::of(&tree, &sink),
        diagnostics: sink.finish(),
    }
}
