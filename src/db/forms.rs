//! Bringing stored text to the form that this version compares it in, after the forms themselves have changed.
//!
//! A form is made by the server ([`crate::base::text::Form`]), so no migration can say it in SQL. It runs once for each version of
//! the forms, beside the migrations.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::base::text::Form;

/// Counts the changes to what [`Form::whole`] makes of a text that is in its form already.
const VERSION: i32 = 1;
/// Rows that are looked at in one statement.
const BATCH: i64 = 1000;

/// The columns that hold a form are named for it. What is ASCII is in all forms already.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped \
     AND a.attname LIKE '%\\_normalized' ORDER BY 1, 2";

/// Which form the rows of a column hold.
fn forms(column: &str) -> &'static [(Form, &'static str)] {
    match column {
        "email_normalized" => &[(Form::Email, "TRUE")],
        // The methods of a contact are addresses, names in social networks, and numbers, which are ASCII.
        "value_normalized" => &[
            (Form::Email, "kind = 'EMAIL'"),
            (Form::Name, "kind = 'SOCIAL'"),
        ],
        _ => &[(Form::Name, "TRUE")],
    }
}

/// Brings all columns to the forms of this version, unless that was done; as their owner.
pub(super) async fn bring(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection
        .execute(
            "CREATE TABLE IF NOT EXISTS app.text_forms (
                version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
        )
        .await?;
    let is_done =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM app.text_forms WHERE version = $1)")
            .bind(VERSION)
            .fetch_one(&mut *connection)
            .await?;
    if is_done {
        return Ok(());
    }
    let columns: Vec<(String, String)> =
        sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await?;
    for (table, column) in &columns {
        for (form, condition) in forms(column) {
            bring_column(connection, table, column, *form, condition).await?;
        }
    }
    sqlx::query("INSERT INTO app.text_forms (version) VALUES ($1)")
        .bind(VERSION)
        .execute(connection)
        .await?;
    Ok(())
}

async fn bring_column(
    connection: &mut PgConnection,
    table: &str,
    column: &str,
    form: Form,
    condition: &str,
) -> Result<(), sqlx::Error> {
    let read = format!(
        "SELECT ctid::text, {column} FROM {table}
         WHERE ctid > $1::tid AND octet_length({column}) <> char_length({column}) AND {condition} ORDER BY ctid LIMIT {BATCH}"
    );
    let write = format!("UPDATE {table} SET {column} = $1 WHERE ctid = $2::tid");
    let mut tx = connection.begin().await?;
    // The owner sees rows of no tenant otherwise. Nobody else sees more: the table is locked until this is undone.
    let unforced = format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY");
    tx.execute(AssertSqlSafe(unforced)).await?;
    let (mut place, mut clashes) = ("(0,0)".to_owned(), 0);
    loop {
        let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(read.clone()))
            .bind(&place)
            .fetch_all(&mut *tx)
            .await?;
        let Some((last, _)) = rows.last() else { break };
        place.clone_from(last);
        for (row, stored) in &rows {
            let Ok(formed) = form.whole(stored) else {
                continue;
            };
            if formed == *stored {
                continue;
            }
            let mut attempt = tx.begin().await?;
            let written = sqlx::query(AssertSqlSafe(write.clone()))
                .bind(&formed)
                .bind(row)
                .execute(&mut *attempt)
                .await;
            match written {
                Ok(_) => attempt.commit().await?,
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    attempt.rollback().await?;
                    clashes += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
    let forced = format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY");
    tx.execute(AssertSqlSafe(forced)).await?;
    tx.commit().await?;
    if clashes > 0 {
        tracing::warn!(
            table,
            column,
            clashes,
            "these are another's by the new form, and were left as they are"
        );
    }
    Ok(())
}
