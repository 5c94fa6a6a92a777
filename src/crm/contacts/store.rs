//! All SQL that only contacts need; that of their methods is in `methods/`.

use super::model::{Contact, refused_loop};
use crate::{
    base::{
        error::{Error, Result},
        ids::{ContactId, Typed as _},
    },
    db::{Sql, Tx, list::Record as _, rows_per_statement},
};

const COLUMNS: usize = 20;

pub(super) async fn insert(tx: &mut Tx, contacts: Vec<Contact>) -> Result<Vec<Contact>> {
    let tenant = tx.tenant();
    let mut created = Vec::with_capacity(contacts.len());
    for chunk in contacts.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO contacts AS t (tenant_id, contact_id, first_name, last_name, name_normalized, job_title, \
             department, company_id, reports_to_id, warmness_score, last_contacted_at, email_normalized, tags, \
             owner_id, team_path, created_at, created_by, updated_at, updated_by, version)",
        );
        let sql = sql.rows(
            chunk,
            |mut row,
             Contact {
                 id,
                 fields: f,
                 email,
                 stamps: s,
                 ..
             }| {
                row.bind(tenant)
                    .bind(*id)
                    .bind(f.first_name.clone())
                    .bind(f.last_name.clone())
                    .bind(f.name_normalized())
                    .bind(f.job_title.clone())
                    .bind(f.department.clone())
                    .bind(f.company_id)
                    .bind(f.reports_to_id)
                    .bind(f.warmness_score)
                    .bind(f.last_contacted_at)
                    .bind(email.clone())
                    .bind(f.tags.clone())
                    .bind(f.ownership.owner_id)
                    .bind(f.ownership.team_path.clone())
                    .bind(s.created_at)
                    .bind(s.created_by.clone())
                    .bind(s.updated_at)
                    .bind(s.updated_by.clone())
                    .bind(s.version);
            },
        );
        created.extend(
            tx.all::<Contact>(sql.push(" RETURNING ").push(Contact::COLUMNS))
                .await?,
        );
    }
    Ok(created)
}

pub(super) async fn update(tx: &mut Tx, contact: &Contact) -> Result<Contact> {
    let Contact {
        id,
        fields: f,
        email,
        stamps: s,
        ..
    } = contact;
    let sql = Sql::new("UPDATE contacts t SET first_name = ")
        .bind(f.first_name.clone())
        .push(", last_name = ")
        .bind(f.last_name.clone())
        .push(", name_normalized = ")
        .bind(f.name_normalized())
        .push(", job_title = ")
        .bind(f.job_title.clone())
        .push(", department = ")
        .bind(f.department.clone())
        .push(", company_id = ")
        .bind(f.company_id)
        .push(", reports_to_id = ")
        .bind(f.reports_to_id)
        .push(", warmness_score = ")
        .bind(f.warmness_score)
        .push(", last_contacted_at = ")
        .bind(f.last_contacted_at)
        .push(", email_normalized = ")
        .bind(email.clone())
        .push(", tags = ")
        .bind(f.tags.clone())
        .push(", owner_id = ")
        .bind(f.ownership.owner_id)
        .push(", team_path = ")
        .bind(f.ownership.team_path.clone())
        .push(", updated_at = ")
        .bind(s.updated_at)
        .push(", updated_by = ")
        .bind(s.updated_by.clone())
        .push(", version = ")
        .bind(s.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.contact_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(Contact::COLUMNS);
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this contact"))
}

/// Refuses a boss who is the contact itself or below it.
pub(super) async fn refuse_loop(tx: &mut Tx, id: ContactId, boss: Option<ContactId>) -> Result<()> {
    let Some(boss) = boss else { return Ok(()) };
    let sql = Sql::new(
        "WITH RECURSIVE above AS (\
         SELECT t.contact_id, t.reports_to_id, 1 AS depth FROM contacts t WHERE t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.contact_id = ")
    .bind(boss)
    .push(
        " UNION ALL SELECT b.contact_id, b.reports_to_id, above.depth + 1 FROM above \
         JOIN contacts b ON b.contact_id = above.reports_to_id AND b.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" WHERE above.depth < 100) SELECT count(*) FROM above WHERE contact_id = ")
    .bind(id.uuid());
    match tx.column::<i64>(sql).await?.first() {
        Some(0) => Ok(()),
        _ => Err(refused_loop()),
    }
}
