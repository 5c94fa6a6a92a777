//! Our own rules: what squawk has no rule for.

use std::collections::BTreeSet;

use squawk_syntax::{
    SyntaxKind, SyntaxNode,
    ast::{AlterTableAction, AstNode as _, Constraint, Stmt},
};

use super::lint::{Finding, Migration};

/// The migration's floor: the oldest migration whose servers it still serves, if it sets one.
pub(super) fn contract(migration: &Migration) -> Option<i64> {
    migration.statements.iter().find_map(|statement| {
        let Stmt::Update(update) = statement else {
            return None;
        };
        if table_of(statement)? != "schema_state" {
            return None;
        }
        let set = update.set_clause()?.syntax().text().to_string();
        let (_, number) = set.split_once("floor")?;
        number.trim_start_matches([' ', '=']).trim().parse().ok()
    })
}

/// What breaks our own rules.
pub(super) fn findings(migration: &Migration, contract: Option<i64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |rule: &str, node: &SyntaxNode, message: &str| {
        findings.push(migration.finding(rule, start(node), message));
    };
    let (mut made, mut locked) = (BTreeSet::new(), BTreeSet::new());
    let validates = migration.statements.iter().any(is_validation);
    for (at, statement) in migration.statements.iter().enumerate() {
        let node = statement.syntax();
        let is_concurrent = node
            .descendants_with_tokens()
            .any(|part| part.kind() == SyntaxKind::CONCURRENTLY_KW);
        if is_concurrent && migration.is_transaction {
            find(
                "concurrently-in-transaction",
                node,
                "it can't run in a transaction: let the file begin with `-- no-transaction`",
            );
        }
        if !migration.is_transaction && at > 0 {
            find(
                "more-than-one-statement",
                node,
                "Postgres takes several statements for a transaction, and a run that broke is repeated: one statement per file",
            );
        }
        match statement {
            Stmt::Lock(_) => find(
                "lock-table",
                node,
                "it holds everybody up until the migration ends",
            ),
            Stmt::Do(_) | Stmt::Call(_) | Stmt::Execute(_) => find(
                "hidden-statements",
                node,
                "what it does is not seen here: write the statements out",
            ),
            Stmt::CreateTable(table) => {
                let name = table.table_name().and_then(|name| name.path());
                made.extend(name.and_then(|path| path.segment()).map(|name| name.text()));
            }
            Stmt::Update(_) | Stmt::Delete(_) | Stmt::Merge(_) | Stmt::Truncate(_) => {
                let table = table_of(statement).unwrap_or_default();
                if table != "schema_state" && !made.contains(&table) {
                    find(
                        "rows-of-a-table",
                        node,
                        "it locks each row until the migration ends: let the server bring rows on, in parts",
                    );
                }
            }
            Stmt::AlterTable(table)
                if !table_of(statement).is_some_and(|name| made.contains(&name)) =>
            {
                for action in table.actions() {
                    if let AlterTableAction::AddColumn(column) = &action
                        && column
                            .constraints()
                            .any(|said| matches!(said, Constraint::CheckConstraint(_)))
                    {
                        find(
                            "check-with-column",
                            action.syntax(),
                            "every row is looked at while everybody waits: add the constraint by itself, NOT VALID",
                        );
                    }
                }
            }
            _ => {}
        }
        if validates && !is_validation(statement) {
            find(
                "validation-with-others",
                node,
                "its locks are held while rows are looked at: let VALIDATE CONSTRAINT have a file of its own",
            );
        }
        if let Some(table) = locks(statement).filter(|table| !made.contains(table)) {
            let is_another = locked.insert(table) && locked.len() > 1;
            if is_another && migration.is_transaction {
                find(
                    "several-tables-locked",
                    node,
                    "while it waits for this table, everybody waits for the one before: one table per file",
                );
            }
        }
    }
    if let Some(floor) = contract
        && !(1..=migration.number).contains(&floor)
    {
        let node = migration.statements[0].syntax();
        find("floor", node, "the floor is a migration up to this one");
    }
    findings
}

/// The table that a statement locks against everybody, if it does.
fn locks(statement: &Stmt) -> Option<String> {
    match statement {
        Stmt::AlterTable(_) if is_validation(statement) => None,
        Stmt::AlterTable(_) | Stmt::DropTable(_) | Stmt::Truncate(_) => table_of(statement),
        Stmt::DropIndex(index) if index.concurrently_token().is_none() => table_of(statement),
        _ => None,
    }
}

fn is_validation(statement: &Stmt) -> bool {
    let Stmt::AlterTable(table) = statement else {
        return false;
    };
    let mut actions = table.actions().peekable();
    actions.peek().is_some()
        && actions.all(|action| matches!(action, AlterTableAction::ValidateConstraint(_)))
}

/// The first name of a table, or of an index, in a statement, without its schema.
fn table_of(statement: &Stmt) -> Option<String> {
    let path = statement
        .syntax()
        .descendants()
        .find(|node| matches!(node.kind(), SyntaxKind::PATH | SyntaxKind::PATH_REF))?;
    let name = path.text().to_string();
    let last = name.rsplit('.').next()?;
    Some(last.trim().trim_matches('"').to_owned())
}

/// Where a node begins, behind the comments before it.
fn start(node: &SyntaxNode) -> usize {
    let first = node
        .children_with_tokens()
        .find(|part| !matches!(part.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT));
    let start = first.map_or_else(
        || node.text_range().start(),
        |part| part.text_range().start(),
    );
    usize::from(start)
}
