//! Arranges rows as the superuser: the two tenants, and many rows for judging plans.

use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use super::people::{KINDS, Side, Who};

/// What every row of B that has text carries.
pub(super) const CANARY: &str = "CANARY-B";

/// Sets up both tenants.
pub(crate) async fn arrange(superuser: &mut PgConnection) {
    for side in [Side::A, Side::B] {
        run(superuser, &(vocabulary(side) + include_str!("world.sql"))).await;
    }
}

/// Copies the rows of tenant A so many times, with other values in whatever lists are filtered and sorted by.
pub(super) async fn multiply(superuser: &mut PgConnection, copies: u32) {
    let fill = include_str!("fill.sql").replace("{copies}", &copies.to_string());
    run(superuser, &(vocabulary(Side::A) + &fill)).await;
}

async fn run(superuser: &mut PgConnection, sql: &str) {
    let done = raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(superuser)
        .await;
    done.expect("the arrangement fits the tables: a new table needs rows in harness/world.sql");
}

/// The words of world.sql for one side.
fn vocabulary(side: Side) -> String {
    let (marker, both, kinds) = (side.marker(), Side::A.user(Who::Both), KINDS.join(","));
    let both = both.to_string().replace("user:", "");
    let canary = match side {
        Side::A => "''".to_owned(),
        Side::B => format!("' {CANARY}-' || in_table"),
    };
    let [rep, manager, other_rep] = [Who::Rep, Who::Manager, Who::OtherRep].map(Who::number);
    format!(
        "CREATE OR REPLACE FUNCTION pg_temp.marker() RETURNS text LANGUAGE sql RETURN '{marker}';
         CREATE OR REPLACE FUNCTION pg_temp.id(kind text, n int) RETURNS uuid LANGUAGE sql RETURN
             ('01980000-0000-7000-{marker}-' || lpad(to_hex(array_position('{{{kinds}}}'::text[], kind)), 4, '0')
              || lpad(to_hex(n), 8, '0'))::uuid;
         CREATE OR REPLACE FUNCTION pg_temp.member(n int) RETURNS uuid LANGUAGE sql RETURN
             CASE n WHEN {both_number} THEN '{both}'::uuid ELSE pg_temp.id('user', n) END;
         CREATE OR REPLACE FUNCTION pg_temp.mark(in_table text, n int DEFAULT 2) RETURNS text LANGUAGE sql RETURN
             CASE WHEN n > 1 THEN {canary} ELSE '' END;
         CREATE OR REPLACE FUNCTION pg_temp.author(in_table text) RETURNS text LANGUAGE sql RETURN
             'import:twin' || pg_temp.mark(in_table);
         CREATE OR REPLACE FUNCTION pg_temp.at(n int) RETURNS timestamptz LANGUAGE sql RETURN
             '2026-01-01 00:00:00Z'::timestamptz + n * interval '1 hour';
         CREATE OR REPLACE FUNCTION pg_temp.segment(n int) RETURNS text LANGUAGE sql RETURN
             right(pg_temp.id('team', n)::text, 12) || '.';
         CREATE OR REPLACE FUNCTION pg_temp.owner(n int) RETURNS uuid LANGUAGE sql RETURN
             pg_temp.member(CASE n WHEN 1 THEN {rep} WHEN 2 THEN {manager} WHEN 3 THEN {other_rep} WHEN 5 THEN {other_rep} END);
         CREATE OR REPLACE FUNCTION pg_temp.path(n int) RETURNS text LANGUAGE sql RETURN
             CASE n WHEN 1 THEN pg_temp.segment(1) || pg_temp.segment(2) WHEN 2 THEN pg_temp.segment(1)
                    WHEN 3 THEN pg_temp.segment(3) WHEN 5 THEN pg_temp.segment(3) END;
         CREATE OR REPLACE FUNCTION pg_temp.place(n int) RETURNS text LANGUAGE sql RETURN
             coalesce(pg_temp.path(n) || '|', '') || coalesce('u:' || pg_temp.owner(n)::text || '|', '');
        ",
        both_number = Who::Both.number(),
    )
}
