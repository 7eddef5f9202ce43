//! What each construct becomes, where it says it stands, and its limits.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::lexer::Word;

fn read_as(text: &str, id: &str) -> (Vec<Word>, Vec<Diagnostic>) {
    let mut sink = Sink::new("t");
    sink.set_main(text.into());
    let surroundings = Surroundings {
        all_files: false,
        config_id: Some(id.into()),
        files: false,
    };
    let tokens = read(&Source::new(0, text.into(), None), &surroundings, &mut sink);
    let words = tokens.into_iter().filter_map(|token| match token {
        Token::Word(word) => Some(word),
        Token::Open(_) | Token::Close(_) | Token::LineEnd => None,
    });
    (words.collect(), sink.finish())
}

/// The words of a text, and the codes of what was said about it.
fn words(text: &str) -> (String, Vec<Code>) {
    let (words, found) = read_as(text, "x");
    let words: Vec<_> = words.into_iter().map(|word| word.text).collect();
    (words.join(" "), found.into_iter().map(|d| d.code).collect())
}

#[track_caller]
fn good(text: &str, expected: &str) {
    assert_eq!(words(text), (expected.to_owned(), vec![]), "{text}");
}

// All observed with keepalived 2.2.7.
#[test]
fn definitions_are_replaced_where_they_are_used() {
    good("$A=foo\n$A\n${A}bar x$A,", "foo foobar xfoo,");
    good("$A=foo\n$Abar $A.y", "$Abar foo.y");
    good("$A=\nx$A y", "x y");
    good("$A=${B}1\n$B=q\n$A\n$B=r\n$A", "q1 r1");
    good("$A=$B\n$B=c d\nx $A", "x c d");
    good("$A=x # comment\nw$A v", "wx v");
    good("$A=\"x # y\"\nw$A v", "w x # y v");
    good("zz$A \"${B}\" $", "zz$A ${B} $");
    good("$1A=x $A-B=q", "$1A=x $A-B=q");
    good("  $A = foo\n$A", "$A = foo $A");
    good("$_A=y\n$_A", "y");
    good("$A=1\n$A=2\n$A", "2");
    good("a\\\nb", "a\\ b");
}

#[test]
fn many_lines_are_replaced_at_the_start_of_a_line() {
    good(
        "$A= \\\n one \\\n two ${B} \\\n three\n$B=bee\n$A",
        "one two bee three",
    );
    good("$A= \\\n one \\\n\n two\n$A", "two one");
    good("$A=q \\\n one \\\n two\n$A post", "q one two post");
    good("$L= \\\n a${I} \\\n b${I}\n~SEQ(I,1,2) $L", "a1 b1 a2 b2");
    good(
        "$R= \\\n r${N} \\\n e\n$V= \\\n $N=1 \\\n $R \\\n $N=2 \\\n $R\n$V",
        "r1 e r2 e",
    );
    good("$A= \\\n @x one \\\n @y two\n$A", "one");
    good("$A= \\\n open", "");
    let (text, codes) = words("$A= \\\n one \\\n two\npre $A post");
    assert_eq!(
        (text.as_str(), codes),
        ("pre $A post", vec![Code::Definition])
    );
}

#[test]
fn conditions() {
    good("@x one\n@^x two\n@ three\n@y four\n@^y five", "one five");
    good("$C=@x\n$C one\n$C  two", "one two");
    good("@x $A=1\n@y $A=2\nv$A", "v1");
    good("@x @x one", "@x one");
    good("@x\n@^y", "");
    let (text, codes) = words("@y $A= \\\n one \\\n two");
    assert_eq!(
        (text.as_str(), codes),
        ("one \\ two", vec![Code::Definition])
    );
}

#[test]
fn sequences_and_lists() {
    good("~SEQ(I,1,3) w${I}\nz$I", "w1 w2 w3 z3");
    good("~SEQ(I,3) w$I\n~SEQ(I,-2) w$I", "w1 w2 w3 w-1 w-2");
    good(
        "~SEQ(I,1,2,6) w$I\n~SEQ(I,5,-2,1) w$I\n~SEQ(I,3,1) w$I",
        "w1 w3 w5 w5 w3 w1 w3 w2 w1",
    );
    good(
        "~SEQx(I,8,12) w$I\n~SEQx(I, 0x90, 0x10, 0xb0) w$I",
        "w8 w9 wa wb wc w90 wa0 wb0",
    );
    good("~SEQ(I,1,2) ~SEQ(J,1,2) w${I}.${J}", "w1.1 w1.2 w2.1 w2.2");
    good(
        "$N=2\n~SEQ(I,1,${N}) w$I\n$S=~SEQ(K,1,2)\n$S v$K",
        "w1 w2 v1 v2",
    );
    good("~SEQ(I,1,2) $X=${I}\nw$X", "w2");
    good("~SEQ(I,4,4) w$I", "w4");
    good("~LST(I,a,b,c) w$I", "wa wb wc");
    good("~LST({I,J},{1,2},{3,4}) w${I}.${J}", "w1.2 w3.4");
    good("~LST({I,J},1,{2}) w${I}.${J}", "w1. w2.");
    good("~LST(A, 1, 2) ~SEQ(B, 1, 2) ${A}${B}", "11 12 21 22");
    for wrong in [
        "~SEQ(I,1,0,2) w",
        "~SEQ(I,1,1,0) w",
        "~SEQ(I,1,-1,2) w",
        "~SEQ(I,x,2) w",
        "~SEQ(I,1,2 w",
        "~SEQ(I) w",
        "~SEQ(1,2,3) w",
        "~SEQ(I,1,1,1,1) w",
        "~SEQ(I,99999999999999999999) w",
        "~SEQ(I,0x-1) w",
        "~SEQx(I,-1,1) w",
        "~LST(I,a,b c,d) w",
        "~LST(I) w",
        "~LST({I,J},{1,2,3}) w",
        "~LST({I,J) w",
        "~LST({I}x,1) w",
    ] {
        assert_eq!(
            words(wrong),
            (String::new(), vec![Code::BadSequence]),
            "{wrong}"
        );
    }
    good("x ~SEQ(I,1,2)", "x ~SEQ(I,1,2)");
}

#[test]
fn predefined_names() {
    good("a${_HASH}b${_BANG}c ${_INSTANCE}", "a#b!c x");
    good("${_RANDOM 5 5} ${_RANDOM 7 7}", "5 7");
    let pwd = words("${_PWD}").0;
    assert_eq!(
        PathBuf::from(pwd),
        Path::new(".").canonicalize().expect("a directory")
    );
    for _ in 0..20 {
        let number: u32 = words("${_RANDOM 10 12}").0.parse().expect("a number");
        assert!((10..=12).contains(&number));
        let number: u32 = words("${_RANDOM}").0.parse().expect("a number");
        assert!(number <= 32_767);
    }
    let seeded = "random_seed 7\n${_RANDOM} ${_RANDOM 1 1000000}";
    assert_eq!(words(seeded), words(seeded));
    assert_ne!(words(seeded), words(&seeded.replace("seed 7", "seed 8")));
    good("${_ENV CARGO_PKG_NAME}", "failoverd");
    assert_eq!(
        words("a${_ENV NO_SUCH_VARIABLE}b"),
        ("ab".into(), vec![Code::Definition])
    );
    // Braces of what has no value are braces.
    good(
        "\"${_RANDOM x} ${_RANDOM 9 3} ${_ENV} ${_NO}\"",
        "${_RANDOM x} ${_RANDOM 9 3} ${_ENV} ${_NO}",
    );
    assert_eq!(words("$_PWD=x\n$_PWD").1, [Code::Definition]);
}

#[test]
fn words_point_at_where_they_come_from() {
    let text = "$NET=10.0.0\n  vip ${NET}.7/24 dev\n~SEQ(I,1,2) a$I b\n$M= \\\n one two\n @x $M";
    let (words, _) = read_as(text, "x");
    let places: Vec<_> = words
        .iter()
        .map(|word| {
            (
                word.text.as_str(),
                word.span.line,
                word.span.column,
                word.span.width,
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("vip", 2, 3, 3),
            ("10.0.0.7/24", 2, 7, 11),
            ("dev", 2, 19, 3),
            ("a1", 3, 13, 3),
            ("b", 3, 17, 1),
            ("a2", 3, 13, 3),
            ("b", 3, 17, 1),
            ("one", 6, 5, 2),
            ("two", 6, 5, 2),
        ]
    );
}

#[test]
fn nothing_goes_on_forever() {
    let many = format!("$A0={}\n", "x".repeat(900));
    let double: String = (1..40)
        .map(|n| format!("$A{n}=${{A{m}}}${{A{m}}}\n", m = n - 1))
        .collect();
    for text in [
        "$A=$A\n$A".into(),
        "$A=${A}x\n${A}".into(),
        "$A=$B\n$B=$A\nx $A".into(),
        "$A= \\\n $A \\\n $A\n$A".into(),
        "$A=@x $A\n$A".into(),
        "$A=~SEQ(I,1,9) ${A}\n$A".into(),
        "~SEQ(I,1,9223372036854775807) x".into(),
        "~SEQ(I,1,9223372036854775807)".into(),
        "~SEQ(I,1,2000) ~SEQ(J,1,2000) ~SEQ(K,1,2000)".into(),
        format!("~SEQ(I,1,900000) {}", "y ".repeat(400)),
        format!("{many}{double}${{A39}}"),
        double + "${A39}",
        format!("$A= \\\n{}", "some words \\\n".repeat(10_000)),
    ] {
        let (_, codes) = words(&text);
        assert_eq!(codes, [Code::TooMuch], "{}", &text[..text.len().min(60)]);
    }
    assert_eq!(words(&(many + "x $A0 $A0")).1, [Code::LineTooLong]);
}

/// A directory of its own for one test, removed afterwards.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("failoverd-language-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("sub")).expect("a directory");
        Self(path.canonicalize().expect("it exists"))
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.join(name), text).expect("a file");
        self
    }

    /// What `main` becomes: words with their files and lines, and the codes.
    fn read(&self, main: &str) -> (String, Vec<Code>) {
        let path = self.0.join("main.conf");
        fs::write(&path, main).expect("a file");
        let mut sink = Sink::new("main.conf");
        sink.set_main(main.into());
        let surroundings = Surroundings {
            all_files: false,
            config_id: Some("x".into()),
            files: true,
        };
        let source = Source::new(0, main.into(), Some(&path));
        let tokens = read(&source, &surroundings, &mut sink);
        let words = tokens.into_iter().filter_map(|token| match token {
            Token::Word(word) => Some(format!(
                "{}@{}:{}",
                word.text, word.span.file, word.span.line
            )),
            Token::Open(_) | Token::Close(_) | Token::LineEnd => None,
        });
        let words: Vec<_> = words.collect();
        (
            words.join(" "),
            sink.finish().into_iter().map(|d| d.code).collect(),
        )
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_included_in_their_place() {
    let dir = Directory::new("include");
    dir.write("a.conf", "in_a\n")
        .write("b.conf", "\n$B=bee\nin_b");
    dir.write("sub/c.conf", "include d.conf\n${_PWD}")
        .write("sub/d.conf", "in_d");
    let read = |main: &str| dir.read(main);
    let clean = |words: &str| (words.to_owned(), vec![]);
    assert_eq!(
        read("one\ninclude a.conf\ntwo"),
        clean("one@0:1 in_a@1:1 two@0:3")
    );
    assert_eq!(
        read("include ?.conf\n$B"),
        clean("in_a@1:1 in_b@2:3 bee@0:2")
    );
    assert_eq!(read("include {b,a}.conf"), clean("in_b@1:3 in_a@2:1"));
    assert_eq!(
        read("@x include a.conf\n@y include b.conf"),
        clean("in_a@1:1")
    );
    assert_eq!(read("$F=a\ninclude ${F}.conf"), clean("in_a@1:1"));
    assert_eq!(
        read("include a.conf\ninclude a.conf"),
        clean("in_a@1:1 in_a@2:1")
    );
    let sub = dir.0.join("sub");
    assert_eq!(
        read("include sub/c.conf"),
        clean(&format!("in_d@2:1 {}@1:2", sub.display()))
    );
    let absolute = format!("include {}/a.conf", dir.0.display());
    assert_eq!(read(&absolute), clean("in_a@1:1"));
    assert_eq!(read("include sub/**.conf").1, []);
}

#[test]
fn what_is_missing_is_an_error_only_where_it_is_asked_for() {
    let dir = Directory::new("missing");
    dir.write("a.conf", "in_a");
    for (line, strict) in [
        ("include no.conf", false),
        ("include no*.conf", false),
        ("include \"a.conf\"", false),
        ("include sub", false),
        ("includer no.conf", false),
        ("includer sub", true),
        ("includem no.conf", true),
        ("includem no*.conf", false),
        ("includew no*.conf", true),
        ("includew no.conf", false),
        ("includeb {a,no}.conf", true),
        ("includem {a,no}.conf", false),
        ("includea no.conf", true),
    ] {
        let path = dir.0.join("main.conf");
        fs::write(&path, line).expect("a file");
        let found = crate::config::load(&path).diagnostics;
        let missing = found.iter().filter(|d| d.code == Code::IncludeMissing);
        let errors = missing.filter(|d| d.is_error()).count();
        assert_eq!(errors, usize::from(strict), "{line} {found:?}");
    }
    // `include_check` holds for the file that it stands in.
    dir.write(
        "check.conf",
        "include_check wildcard_match\ninclude no*.conf",
    );
    let errors = |main: &str| {
        let path = dir.0.join("main.conf");
        fs::write(&path, format!("global_defs {{\n{main}\n}}")).expect("a file");
        let found = crate::config::load(&path).diagnostics;
        found.iter().filter(|d| d.is_error()).count()
    };
    assert_eq!(errors("include_check\ninclude no*.conf"), 1);
    assert_eq!(errors("include_check match\ninclude no*.conf"), 0);
    assert_eq!(errors("include check.conf\ninclude no*.conf"), 1);
}

#[test]
fn circles_and_towers_of_files_end() {
    let dir = Directory::new("circle");
    dir.write("a.conf", "include b.conf")
        .write("b.conf", "include a.conf\nend");
    assert_eq!(
        dir.read("include a.conf"),
        ("end@2:2".into(), vec![Code::IncludeCycle])
    );
    assert_eq!(dir.read("include main.conf").1, [Code::IncludeCycle]);
    for n in 0..20 {
        dir.write(&format!("t{n}.conf"), &format!("include t{}.conf", n + 1));
    }
    assert_eq!(dir.read("include t0.conf").1, [Code::TooManyIncludes]);
    // Ten times ten times ten times ten files.
    for n in 0..4 {
        let next = format!("include w{}.conf\n", n + 1);
        dir.write(&format!("w{n}.conf"), &next.repeat(10));
    }
    dir.write("w4.conf", "");
    let (_, codes) = dir.read("include w0.conf");
    assert!(codes.contains(&Code::TooManyIncludes), "{codes:?}");
}

#[test]
fn text_that_is_in_no_file_includes_nothing() {
    assert_eq!(
        words("include /etc/passwd"),
        (String::new(), vec![Code::IncludeMissing])
    );
}
