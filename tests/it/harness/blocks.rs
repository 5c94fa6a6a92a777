//! The parts of a statement, by the grammar of Postgres: each with the tenant tables that it names and what its conditions
//! bind.

use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::statements::TENANT_TABLES;

/// What a part of a statement is that has tables and conditions of its own.
pub(super) const BLOCKS: [SyntaxKind; 5] = [
    SyntaxKind::SELECT,
    SyntaxKind::INSERT,
    SyntaxKind::UPDATE,
    SyntaxKind::DELETE,
    SyntaxKind::MERGE,
];

/// A tenant table that a block names.
pub(super) struct Named {
    pub(super) table: String,
    pub(super) alias: String,
    pub(super) node: SyntaxNode,
}

/// The tenant tables that a block itself names.
pub(super) fn named(block: &SyntaxNode) -> Vec<Named> {
    let items = own(block).filter(|node| {
        matches!(node.kind(), SyntaxKind::RELATION_FROM_ITEM)
            || (node.kind() == SyntaxKind::RELATION_NAME && node.parent().as_ref() == Some(block))
    });
    let named = items.filter_map(|node| {
        let table = table_of(&node)?;
        // An alias stands in the item, or beside the name of the table that is changed.
        let around = match node.kind() {
            SyntaxKind::RELATION_NAME => block.clone(),
            _ => node.clone(),
        };
        let alias = around
            .children()
            .filter(|child| {
                matches!(
                    child.kind(),
                    SyntaxKind::FROM_ALIAS | SyntaxKind::OPTIONAL_AS_ALIAS
                )
            })
            .find_map(|alias| {
                alias
                    .children()
                    .find(|child| child.kind() == SyntaxKind::TABLE_ALIAS)
            });
        let alias = alias.map_or_else(|| table.clone(), |alias| alias.text().to_string());
        Some(Named { table, alias, node })
    });
    named
        .filter(|named| TENANT_TABLES.contains(&named.table.as_str()))
        .collect()
}

/// What the conditions of a block bind: the alias whose `tenant_id` is a placeholder (empty where the column has none), and
/// the part of the FROM clause that this holds for. Only what every row must fulfil counts, and of an outer join only
/// what is joined.
pub(super) fn bindings(block: &SyntaxNode) -> Vec<(String, Option<SyntaxNode>)> {
    let mut bindings = Vec::new();
    for clause in own(block) {
        let within = match clause.kind() {
            SyntaxKind::WHERE_CLAUSE => None,
            SyntaxKind::ON_CLAUSE => {
                let Some(join) = clause.parent() else {
                    continue;
                };
                let is = |kind| join.children().any(|node| node.kind() == kind);
                if is(SyntaxKind::JOIN_FULL) {
                    continue;
                } else if is(SyntaxKind::JOIN_LEFT) {
                    Some(join)
                } else if is(SyntaxKind::JOIN_RIGHT) {
                    join.prev_sibling()
                } else {
                    None
                }
            }
            _ => continue,
        };
        let conditions = clause.first_child().map(conjuncts).unwrap_or_default();
        let bound = conditions.iter().filter_map(binds);
        bindings.extend(bound.map(|alias| (alias, within.clone())));
    }
    bindings
}

/// The conditions that all have to hold for one to.
fn conjuncts(condition: SyntaxNode) -> Vec<SyntaxNode> {
    let is_and = condition.kind() == SyntaxKind::BIN_EXPR
        && condition
            .children_with_tokens()
            .any(|part| part.kind() == SyntaxKind::AND_KW);
    if is_and || condition.kind() == SyntaxKind::PAREN_EXPR {
        condition.children().flat_map(conjuncts).collect()
    } else {
        vec![condition]
    }
}

/// The alias in `<alias>.tenant_id = $n`.
fn binds(condition: &SyntaxNode) -> Option<String> {
    let is_equation = condition.kind() == SyntaxKind::BIN_EXPR
        && condition
            .children_with_tokens()
            .any(|part| part.kind() == SyntaxKind::EQ);
    let mut sides = condition.children();
    let (left, right) = (sides.next()?, sides.next()?);
    if !is_equation || !is_placeholder(&right) {
        return None;
    }
    let column = left.text().to_string();
    match column.rsplit_once('.') {
        Some((alias, "tenant_id")) => Some(alias.to_owned()),
        None if column == "tenant_id" => Some(String::new()),
        _ => None,
    }
}

/// `$1` or `$1::uuid`.
pub(super) fn is_placeholder(node: &SyntaxNode) -> bool {
    match node.kind() {
        SyntaxKind::LITERAL => node.text().to_string().starts_with('$'),
        SyntaxKind::CAST_EXPR => node
            .first_child()
            .is_some_and(|inner| is_placeholder(&inner)),
        _ => false,
    }
}

/// The nodes of a block that are not in another one within.
pub(super) fn own(block: &SyntaxNode) -> impl Iterator<Item = SyntaxNode> {
    let mut found = Vec::new();
    let mut left: Vec<SyntaxNode> = block.children().collect();
    while let Some(node) = left.pop() {
        if !BLOCKS.contains(&node.kind()) {
            left.extend(node.children());
            found.push(node);
        }
    }
    found.into_iter()
}

/// The table that a node names first, without its schema.
pub(super) fn table_of(node: &SyntaxNode) -> Option<String> {
    let name = node
        .descendants()
        .find(|node| node.kind() == SyntaxKind::RELATION_NAME_REF)?;
    let path = name.text().to_string();
    Some(path.rsplit('.').next().unwrap_or_default().to_owned())
}

/// The names of the functions that are called.
pub(super) fn calls(root: &SyntaxNode) -> impl Iterator<Item = String> {
    let calls = root
        .descendants()
        .filter(|node| node.kind() == SyntaxKind::CALL_EXPR);
    calls.filter_map(|call| {
        let name = call.first_child()?.text().to_string();
        Some(name.rsplit('.').next().unwrap_or_default().to_lowercase())
    })
}
