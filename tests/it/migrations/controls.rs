//! Each rule refuses what it is for, lets pass what to write instead, and is excused by a reason and nothing less.

use super::lint::lint;

/// A rule, what it refuses, and what to write instead.
const CONTROLS: &[(&str, &str, &str)] = &[
    (
        "unreadable",
        "ALTER TABLE leads ADD COLUM x text oops;",
        "ALTER TABLE leads ADD COLUMN x text;",
    ),
    (
        "require-concurrent-index-creation",
        "CREATE INDEX leads_x_idx ON leads (tenant_id, x);",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS leads_x_idx ON leads (tenant_id, x);",
    ),
    (
        "require-concurrent-index-creation",
        "CREATE UNIQUE INDEX leads_x_idx ON leads (tenant_id, x);",
        "CREATE TABLE made (tenant_id uuid, x int); CREATE UNIQUE INDEX made_x_idx ON made (tenant_id, x);",
    ),
    (
        "concurrently-in-transaction",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_x_idx ON leads (tenant_id, x);",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS leads_x_idx ON leads (tenant_id, x);",
    ),
    (
        "prefer-robust-stmts",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY leads_x_idx ON leads (tenant_id, x);",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS leads_x_idx ON leads (tenant_id, x);",
    ),
    (
        "more-than-one-statement",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_idx ON leads (a);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS b_idx ON leads (b);",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_idx ON leads (a);",
    ),
    (
        "require-concurrent-index-deletion",
        "DROP INDEX leads_x_idx;",
        "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS leads_x_idx;",
    ),
    (
        "require-concurrent-reindex",
        "REINDEX TABLE leads;",
        "-- no-transaction\nREINDEX TABLE CONCURRENTLY leads;",
    ),
    (
        "adding-required-field",
        "ALTER TABLE leads ADD COLUMN x text NOT NULL;",
        "ALTER TABLE leads ADD COLUMN x text NOT NULL DEFAULT '';",
    ),
    (
        "adding-field-with-default",
        "ALTER TABLE leads ADD COLUMN x uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE leads ADD COLUMN x timestamptz DEFAULT now();",
    ),
    (
        "adding-field-with-default",
        "ALTER TABLE leads ADD COLUMN x text GENERATED ALWAYS AS (lower(name)) STORED;",
        "ALTER TABLE leads ADD COLUMN x text;",
    ),
    (
        "changing-column-type",
        "ALTER TABLE leads ALTER COLUMN name TYPE varchar(10);",
        "ALTER TABLE leads ADD COLUMN short_name text;",
    ),
    (
        "adding-not-nullable-field",
        "ALTER TABLE leads ALTER COLUMN phone SET NOT NULL;",
        "ALTER TABLE leads ADD CONSTRAINT leads_phone_check CHECK (phone IS NOT NULL) NOT VALID;",
    ),
    (
        "constraint-missing-not-valid",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_check CHECK (x > 0);",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_check CHECK (x > 0) NOT VALID;",
    ),
    (
        "check-with-column",
        "ALTER TABLE leads ADD COLUMN x int CONSTRAINT leads_x_check CHECK (x > 0);",
        "ALTER TABLE leads ADD COLUMN x int, ADD CONSTRAINT leads_x_check CHECK (x > 0) NOT VALID;",
    ),
    (
        "adding-foreign-key-constraint",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_fkey FOREIGN KEY (tenant_id, x) REFERENCES companies;",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_fkey FOREIGN KEY (tenant_id, x) REFERENCES companies NOT VALID;",
    ),
    (
        "disallowed-unique-constraint",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_key UNIQUE (tenant_id, x);",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_key UNIQUE USING INDEX leads_x_idx;",
    ),
    (
        "constraint-missing-not-valid",
        "ALTER TABLE leads ADD CONSTRAINT leads_x_check CHECK (x > 0) NOT VALID;\nALTER TABLE leads VALIDATE CONSTRAINT leads_x_check;",
        "ALTER TABLE leads VALIDATE CONSTRAINT leads_x_check;",
    ),
    (
        "validation-with-others",
        "ALTER TABLE companies ADD COLUMN x text;\nALTER TABLE leads VALIDATE CONSTRAINT leads_x_check;",
        "ALTER TABLE leads VALIDATE CONSTRAINT leads_x_check;\nALTER TABLE companies VALIDATE CONSTRAINT companies_x_check;",
    ),
    (
        "several-tables-locked",
        "ALTER TABLE leads ADD COLUMN x text;\nALTER TABLE companies ADD COLUMN x text;",
        "ALTER TABLE leads ADD COLUMN x text;\nALTER TABLE leads ADD COLUMN y text;",
    ),
    (
        "several-tables-locked",
        "ALTER TABLE leads ADD COLUMN x text;\nALTER TABLE companies ADD COLUMN x text;",
        "CREATE TABLE made (tenant_id uuid);\nALTER TABLE made ADD COLUMN x text;\nALTER TABLE leads ADD COLUMN x text;",
    ),
    (
        "lock-table",
        "LOCK TABLE leads IN EXCLUSIVE MODE;",
        "ALTER TABLE leads ADD COLUMN x text;",
    ),
    (
        "rows-of-a-table",
        "UPDATE leads SET phone = NULL;",
        "CREATE TABLE made (x int);\nUPDATE made SET x = 1;",
    ),
    (
        "rows-of-a-table",
        "DELETE FROM leads WHERE phone IS NULL;",
        "INSERT INTO made (x) VALUES (1);",
    ),
    (
        "hidden-statements",
        "DO $$ BEGIN EXECUTE 'LOCK TABLE leads'; END $$;",
        "ALTER TABLE leads ADD COLUMN x text;",
    ),
    (
        "transaction-nesting",
        "BEGIN;\nALTER TABLE leads ADD COLUMN x text;\nCOMMIT;",
        "ALTER TABLE leads ADD COLUMN x text;",
    ),
    (
        "ban-drop-column",
        "ALTER TABLE leads DROP COLUMN phone;",
        "UPDATE app.schema_state SET floor = 30;\nALTER TABLE leads DROP COLUMN phone;",
    ),
    (
        "ban-drop-table",
        "DROP TABLE leads;",
        "UPDATE app.schema_state SET floor = 30;\nDROP TABLE leads;",
    ),
    (
        "renaming-column",
        "ALTER TABLE leads RENAME COLUMN phone TO telephone;",
        "ALTER TABLE leads RENAME COLUMN phone TO telephone;\nUPDATE app.schema_state SET floor = 40;",
    ),
    (
        "renaming-table",
        "ALTER TABLE leads RENAME TO prospects;",
        "ALTER TABLE leads RENAME TO prospects;\nUPDATE app.schema_state SET floor = 40;",
    ),
    (
        "ban-drop-not-null",
        "ALTER TABLE leads ALTER COLUMN status DROP NOT NULL;",
        "ALTER TABLE leads ALTER COLUMN status SET DEFAULT 'NEW';",
    ),
    (
        "ban-drop-default",
        "ALTER TABLE leads ALTER COLUMN status DROP DEFAULT;",
        "ALTER TABLE leads ALTER COLUMN status SET DEFAULT 'NEW';",
    ),
    (
        "floor",
        "UPDATE app.schema_state SET floor = 41;\nDROP TABLE leads;",
        "UPDATE app.schema_state SET floor = 40;\nDROP TABLE leads;",
    ),
];

fn rules(sql: &str) -> Vec<String> {
    let findings = lint("0040_control.sql", sql);
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_rule_refuses_what_it_is_for_and_nothing_else() {
    for (rule, bad, good) in CONTROLS {
        let found = rules(bad);
        assert!(found.iter().any(|found| found == rule), "{bad}\n{found:?}");
        assert_eq!(rules(good), [""; 0], "{good}");
    }
}

#[test]
fn a_finding_says_where_it_is() {
    let sql = "-- A comment.\nALTER TABLE leads\n    ADD COLUMN x text;\n\nLOCK TABLE leads;\n";
    let findings = lint("0040_control.sql", sql);
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.rule.as_str(), finding.line))
        .collect();
    assert_eq!(found, [("lock-table", 5)]);
}

#[test]
fn an_exception_is_for_one_statement_and_gives_a_reason() {
    let excused = "-- lint: allow lock-table: the table has at most three rows\nLOCK TABLE leads;";
    assert_eq!(rules(excused), [""; 0]);
    for (sql, expected) in [
        // No reason, or none to speak of.
        ("-- lint: allow lock-table\nLOCK TABLE leads;", "exception"),
        (
            "-- lint: allow lock-table: small\nLOCK TABLE leads;",
            "exception",
        ),
        // For another rule, and for another statement.
        (
            "-- lint: allow hidden-statements: the table has at most three rows\nLOCK TABLE leads;",
            "lock-table",
        ),
        (
            "-- lint: allow lock-table: the table has at most three rows\nLOCK TABLE leads;\nLOCK TABLE leads;",
            "lock-table",
        ),
        // For nothing.
        (
            "-- lint: allow lock-table: the table has at most three rows\nCREATE TABLE made (x int);",
            "exception",
        ),
        // What can't be read can't be excused.
        (
            "-- lint: allow unreadable: the parser is too old for this\nALTER TABLE oops oops;",
            "unreadable",
        ),
        (
            "-- squawk-ignore ban-drop-table\nDROP TABLE leads;",
            "exception",
        ),
    ] {
        let found = rules(sql);
        assert!(
            found.iter().any(|rule| rule == expected),
            "{sql}\n{found:?}"
        );
    }
}
