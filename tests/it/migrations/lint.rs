//! The lint: squawk's rules and our own, each with what excuses it.

use std::collections::BTreeMap;

use squawk_linter::Linter;
use squawk_syntax::{
    SourceFile,
    ast::{AstNode as _, Stmt},
};

use super::{own, rules};

/// Something in a migration that must not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) line: usize,
    pub(super) message: String,
}

/// What a migration begins with that is no transaction; sqlx looks for it.
const NO_TRANSACTION: &str = "-- no-transaction";
/// What an exception begins with: `-- lint: allow <rule>: <reason>`, before the statement that it is for.
const EXCEPTION: &str = "-- lint: allow ";
/// No reason is shorter.
const SHORTEST_REASON: usize = 15;

/// A migration, parsed.
pub(super) struct Migration {
    pub(super) number: i64,
    pub(super) is_transaction: bool,
    pub(super) statements: Vec<Stmt>,
    text: String,
}

impl Migration {
    /// A finding at a place of the text.
    pub(super) fn finding(&self, rule: &str, offset: usize, message: &str) -> Finding {
        Finding {
            rule: rule.to_owned(),
            line: self.line(offset),
            message: message.to_owned(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Which statement a line belongs to, or comes before.
    fn statement_of(&self, line: usize) -> Option<usize> {
        self.statements.iter().position(|statement| {
            let end = statement.syntax().text_range().end();
            self.line(usize::from(end)) >= line
        })
    }
}

/// What is wrong with a migration.
pub(super) fn lint(file: &str, text: &str) -> Vec<Finding> {
    let parsed = SourceFile::parse(text);
    let number = file
        .split('_')
        .next()
        .and_then(|number| number.parse().ok());
    let migration = Migration {
        number: number.unwrap_or_else(|| panic!("{file} begins with a number")),
        is_transaction: !text.starts_with(NO_TRANSACTION),
        statements: parsed.tree().stmts().collect(),
        text: text.to_owned(),
    };
    let faults = parsed.errors();
    if let Some(fault) = faults.first() {
        // What can't be read can't be judged, nor excused.
        let at = usize::from(fault.range().start());
        return vec![migration.finding("unreadable", at, fault.message())];
    }
    let contract = own::contract(&migration);
    let mut linter = Linter::from(rules::all(contract.is_some()));
    linter.settings.assume_in_transaction = migration.is_transaction;
    let mut findings: Vec<Finding> = linter
        .lint(&parsed, text)
        .into_iter()
        .map(|violation| {
            let at = usize::from(violation.text_range.start());
            migration.finding(&violation.code.to_string(), at, &violation.message)
        })
        .collect();
    findings.extend(own::findings(&migration, contract));
    excuse(&migration, findings)
}

/// Leaves out what is excused, and adds exceptions that are none.
fn excuse(migration: &Migration, findings: Vec<Finding>) -> Vec<Finding> {
    let mut exceptions: BTreeMap<(String, Option<usize>), (usize, bool)> = BTreeMap::new();
    let mut left = Vec::new();
    for (at, line) in migration.text.lines().enumerate() {
        let (at, line) = (at + 1, line.trim());
        if line.contains("squawk-ignore") {
            let how = "exceptions are said by `-- lint: allow <rule>: <reason>`";
            left.push(bad("exception", at, how));
        }
        let Some(said) = line.strip_prefix(EXCEPTION) else {
            continue;
        };
        match said.split_once(": ") {
            Some((rule, reason)) if reason.trim().len() >= SHORTEST_REASON => {
                let place = (rule.to_owned(), migration.statement_of(at));
                exceptions.insert(place, (at, false));
            }
            _ => left.push(bad("exception", at, "it gives no reason")),
        }
    }
    for finding in findings {
        let place = (finding.rule.clone(), migration.statement_of(finding.line));
        match exceptions.get_mut(&place) {
            Some((_, is_used)) => *is_used = true,
            None => left.push(finding),
        }
    }
    for ((rule, _), (line, is_used)) in exceptions {
        if !is_used {
            left.push(bad(
                "exception",
                line,
                &format!("nothing of the statement below breaks {rule}"),
            ));
        }
    }
    left.sort_by_key(|finding| finding.line);
    left
}

fn bad(rule: &str, line: usize, message: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        line,
        message: message.to_owned(),
    }
}
