//! The law on tenants that every statement must keep, judged by the grammar of Postgres: a statement that keeps it is one
//! task on one node of a Citus cluster, and one that the planner knows the tenant of on any Postgres.

use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode, ast::AstNode as _};

use super::{
    blocks::{BLOCKS, Named, bindings, calls, is_placeholder, named, own, table_of},
    statements::TENANT_TABLES,
};

/// What breaks the law in a statement: the rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

/// Functions that do something on the node where they run, and not for the cluster.
const OF_ONE_NODE: [&str; 6] = [
    "pg_advisory_lock",
    "pg_advisory_xact_lock",
    "pg_try_advisory_lock",
    "pg_try_advisory_xact_lock",
    "pg_notify",
    "nextval",
];

/// What breaks the law. Statements that look across tenants on purpose need not bind one, but nothing else is excused.
pub(crate) fn faults(sql: &str, is_beyond_tenants: bool) -> Vec<Fault> {
    let parsed = SourceFile::parse(sql);
    if let Some(error) = parsed.errors().first() {
        // What can't be read can't be judged.
        return vec![fault("unreadable", error.message())];
    }
    let tree = parsed.tree();
    let root = tree.syntax();
    let mut faults = Vec::new();
    let blocks = || {
        root.descendants()
            .filter(|node| BLOCKS.contains(&node.kind()))
    };
    for block in blocks() {
        judge(&block, is_beyond_tenants, &mut faults);
    }
    let with_writes = root
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::WITH_TABLE)
        .any(|with| with.descendants().any(|node| is_write(&node)));
    if with_writes && blocks().any(|block| block.kind() == SyntaxKind::INSERT) {
        faults.push(fault("insert-beside-writing-cte", first_words(root)));
    }
    let names_tenants = blocks().any(|block| !named(&block).is_empty());
    for call in calls(root) {
        if call == "set_config" {
            faults.push(fault("set_config", "it does not reach the workers"));
        }
        if names_tenants && OF_ONE_NODE.contains(&call.as_str()) {
            faults.push(fault("function-of-one-node", call));
        }
    }
    faults
}

/// The tenant tables in a statement that are not bound to a tenant by a placeholder of their own.
pub(crate) fn unbound(sql: &str) -> Vec<String> {
    let faults = faults(sql, false).into_iter();
    faults
        .filter(|fault| fault.rule == "unbound")
        .map(|fault| fault.what)
        .collect()
}

fn judge(block: &SyntaxNode, is_beyond_tenants: bool, faults: &mut Vec<Fault>) {
    if block.kind() == SyntaxKind::MERGE {
        faults.push(fault("merge", first_words(block)));
        return;
    }
    if block.kind() == SyntaxKind::INSERT {
        judge_insert(block, faults);
        return;
    }
    let named = named(block);
    let bindings = bindings(block);
    let is_bound = |named: &&Named| {
        bindings.iter().any(|(binding, within)| {
            let is_of = |alias: &str| alias.is_empty() || alias == named.alias;
            is_of(binding)
                && within
                    .as_ref()
                    .is_none_or(|part| part.text_range().contains_range(named.node.text_range()))
        })
    };
    let unbound: Vec<_> = named.iter().filter(|named| !is_bound(named)).collect();
    let locks = own(block).any(|node| node.kind() == SyntaxKind::LOCKING_CLAUSE);
    if locks && !unbound.is_empty() {
        faults.push(fault("lock-across-tenants", &unbound[0].table));
    }
    if !is_beyond_tenants {
        faults.extend(unbound.iter().map(|named| fault("unbound", &named.table)));
    }
}

/// Rows are written out, each with the tenant as its first value, or selected of the same tenant's tables.
fn judge_insert(insert: &SyntaxNode, faults: &mut Vec<Fault>) {
    let Some(table) = table_of(insert) else {
        return;
    };
    if !TENANT_TABLES.contains(&table.as_str()) {
        return;
    }
    let child = |kind| insert.children().find(|node| node.kind() == kind);
    let first_column = child(SyntaxKind::COLUMN_TARGET_LIST).and_then(|list| list.first_child());
    if first_column.is_none_or(|column| column.text() != "tenant_id") {
        faults.push(fault("unbound", &table));
        return;
    }
    if let Some(values) = child(SyntaxKind::VALUES) {
        let mut rows = values
            .descendants()
            .filter(|node| node.kind() == SyntaxKind::ROW);
        let is_bound = |row: SyntaxNode| {
            row.first_child()
                .is_some_and(|first| is_placeholder(&first))
        };
        if !rows.all(is_bound) {
            faults.push(fault("unbound", &table));
        }
        return;
    }
    let source = insert.children().find(|node| {
        matches!(
            node.kind(),
            SyntaxKind::SELECT | SyntaxKind::PAREN_SELECT | SyntaxKind::COMPOUND_SELECT
        )
    });
    let from_tables_alone = source.as_ref().is_some_and(|source| {
        let selects = source
            .descendants()
            .filter(|node| node.kind() == SyntaxKind::SELECT);
        selects.into_iter().all(|select| {
            let reads = own(&select).any(|node| node.kind() == SyntaxKind::RELATION_FROM_ITEM);
            let makes = own(&select).any(|node| node.kind() == SyntaxKind::FUNCTION_FROM_ITEM);
            reads && !makes
        })
    });
    if !from_tables_alone
        || insert
            .children()
            .any(|node| node.kind() == SyntaxKind::WITH_CLAUSE)
    {
        faults.push(fault("insert-of-made-rows", &table));
    }
}

fn is_write(node: &SyntaxNode) -> bool {
    BLOCKS.contains(&node.kind()) && node.kind() != SyntaxKind::SELECT
}

fn first_words(node: &SyntaxNode) -> String {
    node.text().to_string().chars().take(60).collect()
}

fn fault(rule: &'static str, what: impl Into<String>) -> Fault {
    let what = what.into();
    Fault { rule, what }
}
