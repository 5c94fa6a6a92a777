//! Which of squawk's rules hold here. The others are about style, or about what the catalogue's own laws say.

use squawk_linter::Rule;

/// What holds a table against the requests of the version before, or rewrites or scans it while it does.
const BLOCKING: &[Rule] = &[
    Rule::RequireConcurrentIndexCreation,
    Rule::RequireConcurrentIndexDeletion,
    Rule::RequireConcurrentReindex,
    Rule::RequireConcurrentPartitionDetach,
    Rule::ConstraintMissingNotValid,
    Rule::DisallowedUniqueConstraint,
    Rule::AddingForeignKeyConstraint,
    Rule::AddingFieldWithDefault,
    Rule::AddingRequiredField,
    Rule::AddingNotNullableField,
    Rule::AddingSerialPrimaryKeyField,
    Rule::ChangingColumnType,
    Rule::BanAlterDomainWithAddConstraint,
    Rule::BanTruncateCascade,
    Rule::BanDropDatabase,
    // A statement of its own transaction that can't be run again.
    Rule::PreferRobustStmts,
    Rule::TransactionNesting,
    Rule::BanUncommittedTransaction,
];
/// What takes away something that the version before needs.
const CONTRACTING: &[Rule] = &[
    Rule::RenamingColumn,
    Rule::RenamingTable,
    Rule::RenamingObject,
    Rule::BanDropColumn,
    Rule::BanDropTable,
    Rule::BanDropNotNull,
    Rule::BanDropDefault,
    Rule::BanDropView,
    Rule::BanDropFunction,
    Rule::BanDropType,
    Rule::BanDropSchema,
    Rule::BanDropSequence,
    Rule::BanSetSchema,
];

/// Those for a migration; one that says which servers it serves may take things away.
pub(super) fn all(is_contract: bool) -> Vec<Rule> {
    let contracting: &[Rule] = if is_contract { &[] } else { CONTRACTING };
    [BLOCKING, contracting].concat()
}
