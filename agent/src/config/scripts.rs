//! What a configuration would run, and as whom: for the check of `failoverd check`.

use std::sync::Arc;

use super::keywords::{Argument, Block, Body, Kind, find};
use super::lexer::Word;
use super::sink::Sink;
use super::text::Span;
use super::tree::Statement;

/// The commands of a configuration and what it says about users.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scripts {
    pub scripts: Vec<Script>,
    /// `enable_script_security`.
    pub security: bool,
    /// `script_user`.
    pub user: Option<String>,
}

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The keyword that asks for it.
    pub keyword: String,
    /// The program, without its arguments.
    pub program: String,
    /// A user given with the command or in its block.
    pub user: Option<String>,
    /// keepalived reports a command of this keyword that it cannot find.
    pub must_exist: bool,
    /// The file that it stands in, and where.
    pub file: Option<Arc<str>>,
    pub place: Span,
}

impl Scripts {
    pub fn of(tree: &[Statement], sink: &Sink) -> Self {
        let mut found = Self::default();
        found.block(Block::Root, tree);
        for script in &mut found.scripts {
            script.file = sink.name(script.place.file);
        }
        found
    }

    fn block(&mut self, block: Block, statements: &[Statement]) {
        for statement in statements {
            let Some(row) = find(block, statement.keyword()) else {
                continue;
            };
            match (block, row.name) {
                (Block::GlobalDefs, "enable_script_security") => self.security = true,
                (Block::GlobalDefs, "script_user") => {
                    self.user = statement.arguments().first().map(|word| word.text.clone());
                }
                _ => {}
            }
            let takes_script = row.shape.words.first().is_some_and(|first| match first {
                Argument::One(kind) | Argument::Maybe(kind) | Argument::Several(kind) => {
                    *kind == Kind::Script
                }
                Argument::Rest(..) => false,
            });
            if let Some(command) = statement.arguments().first().filter(|_| takes_script) {
                self.script(block, statement, command, statements);
            }
            if let (Body::Keywords(inner), Some(statements)) = (row.shape.body, &statement.block) {
                self.block(inner, statements);
            }
        }
    }

    fn script(
        &mut self,
        block: Block,
        statement: &Statement,
        command: &Word,
        around: &[Statement],
    ) {
        let own_block = matches!(block, Block::VrrpScript | Block::MiscCheck);
        let user = if own_block {
            let user = around.iter().rfind(|other| other.keyword() == "user");
            user.and_then(|user| user.arguments().first())
        } else {
            statement.arguments().get(1)
        };
        // A command line may stand in one pair of quotes.
        let program = command.text.split_ascii_whitespace().next();
        self.scripts.push(Script {
            keyword: statement.keyword().to_owned(),
            program: program.unwrap_or_default().to_owned(),
            user: user.map(|user| user.text.clone()),
            must_exist: own_block,
            file: None,
            place: command.span,
        });
    }
}
