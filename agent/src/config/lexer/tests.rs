//! Words, quotes, escapes, comments, places and limits.

use super::super::sink::Sink;
use super::*;

fn tokens(text: &str) -> (Vec<Token>, Vec<Code>) {
    let mut sink = Sink::new("t");
    let mut tokens = Vec::new();
    for (line, number) in text.split('\n').zip(1u32..) {
        let line = Line::new(without_comment(line), 0, number);
        lex(&line, &mut sink, &mut tokens);
    }
    let codes = sink.finish().into_iter().map(|d| d.code).collect();
    (tokens, codes)
}

fn words(text: &str) -> (Vec<String>, Vec<Code>) {
    let (tokens, codes) = tokens(text);
    let words = tokens
        .into_iter()
        .map(|token| match token {
            Token::Word(word) => word.text,
            Token::Open(_) => "{".into(),
            Token::Close(_) => "}".into(),
            Token::LineEnd => "\n".into(),
        })
        .collect();
    (words, codes)
}

fn good(text: &str) -> Vec<String> {
    let (words, codes) = words(text);
    assert_eq!(codes, [], "{text:?}");
    words
}

#[test]
fn comments_start_anywhere_outside_quotes() {
    assert_eq!(good("a # b"), ["a", "\n"]);
    assert_eq!(good("!x\na!b"), ["a", "\n"]);
    assert_eq!(good("a \"# ! b\" c#\""), ["a", "# ! b", "c", "\n"]);
    assert_eq!(good("# { \" }"), [""; 0]);
}

// keepalived reads `a"b#c"d` as three words: observed with 2.2.7.
#[test]
fn quotes_and_braces_end_words() {
    assert_eq!(good("a\"b#c\"d"), ["a", "b#c", "d", "\n"]);
    assert_eq!(good("p{q}r"), ["p", "{", "q", "}", "r", "\n"]);
    assert_eq!(good("x \"{ }\" \"\""), ["x", "{ }", "", "\n"]);
    assert_eq!(good("a\\x"), ["a\\x", "\n"]);
}

#[test]
fn carriage_returns_and_all_blanks_are_space() {
    assert_eq!(
        good("a\r\n\tb\u{b}c\u{c}d\r"),
        ["a", "\n", "b", "c", "d", "\n"]
    );
}

#[test]
fn scripts_read_escapes_and_joined_quotes() {
    assert!(READS_ESCAPES.is_sorted());
    for (text, expected) in [
        ("abcd\" efg h jkl \"mnop", vec!["abcd efg h jkl mnop"]),
        ("abcd \"efg h jkl\" mnop", vec!["abcd", "efg h jkl", "mnop"]),
        ("'a \"b\" c'", vec!["a \"b\" c"]),
        ("\"it's\"", vec!["it's"]),
        ("a\\ b \\\"c \\\\", vec!["a b", "\"c", "\\"]),
        ("\"a\\\"b\" c", vec!["a\"b", "c"]),
        (
            "\\a\\b\\E\\f\\n\\r\\t\\v",
            vec!["\u{7}\u{8}\u{1b}\u{c}\n\r\t\u{b}"],
        ),
        ("\\101\\x42\\x043\\cC\\q\\1", vec!["ABC\u{3}q\u{1}"]),
        ("\\xg \\777", vec!["xg", "\u{ff}"]),
        ("end\\", vec!["end\\"]),
        ("\"\" ''", vec!["", ""]),
    ] {
        let mut all = vec!["script"];
        all.extend(expected);
        all.push("\n");
        assert_eq!(good(&format!("script {text}")), all, "{text}");
    }
    assert_eq!(
        good("vrrp_script s { script \"a { b }\" }"),
        ["vrrp_script", "s", "{", "script", "a { b }", "}", "\n"]
    );
    // Not where the word is an argument.
    assert_eq!(good("x script a'b"), ["x", "script", "a'b", "\n"]);
}

#[test]
fn places_are_in_characters() {
    let (tokens, _) = tokens("a\n  \"äö\" {");
    let Some(Token::Word(word)) = tokens.get(2) else {
        panic!("{tokens:?}")
    };
    let at = |column, width| Span {
        file: 0,
        line: 2,
        column,
        width,
    };
    assert_eq!(word.span, at(3, 4));
    assert_eq!(tokens.get(3), Some(&Token::Open(at(8, 1))));
}

#[test]
fn an_unclosed_quote_ends_with_its_line() {
    let expected = ["a", "b c", "\n", "d", "\n"].map(String::from).to_vec();
    assert_eq!(words("a \"b c\nd"), (expected, vec![Code::UnclosedQuote]));
    for text in ["script \"b", "script 'b", "script a\\'b\"c"] {
        assert_eq!(words(text).1, [Code::UnclosedQuote], "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_reported_outside_comments_only() {
    let latin1 = decode(b"a # gr\xfc\xdfe\nstate \xff\n");
    assert_eq!(words(&latin1).1, [Code::NotText]);
    assert_eq!(words("a\0b").1, [Code::NotText]);
    assert_eq!(decode(b"\xef\xbb\xbfa"), "a");
}

#[test]
fn the_line_limit_does_not_count_the_comment() {
    let filler = "x".repeat(MAX_LINE);
    assert_eq!(good(&filler).len(), 2);
    assert_eq!(good(&format!("a # {filler}")), ["a", "\n"]);
    assert_eq!(
        words(&format!("{filler}y")),
        (vec![], vec![Code::LineTooLong])
    );
}
