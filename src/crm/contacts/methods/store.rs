//! All SQL of contact methods.

use std::collections::HashMap;

use uuid::Uuid;

use super::model::ContactMethod;
use crate::{
    base::{
        error::Result,
        ids::{ContactMethodId, Typed as _},
    },
    crm::contacts::Contact,
    db::{ReadTx, Sql, Tx, rows_per_statement},
};

const COLUMNS: usize = 11;

#[derive(sqlx::FromRow)]
struct OfContact {
    contact_id: Uuid,
    #[sqlx(flatten)]
    method: ContactMethod,
}

/// The methods of contacts, each contact's in their order.
pub(super) async fn of(
    tx: &mut ReadTx,
    contacts: &[Uuid],
) -> Result<HashMap<Uuid, Vec<ContactMethod>>> {
    let sql = Sql::new(
        "SELECT t.contact_id, t.contact_method_id, t.kind, CASE WHEN s.shown THEN t.value ELSE '•••' END AS value, \
         CASE WHEN s.shown THEN t.value_normalized ELSE '•••' END AS value_normalized, t.label, t.preferred, \
         t.opted_out_at, t.position FROM contact_methods t CROSS JOIN LATERAL (SELECT CASE t.kind WHEN 'EMAIL' THEN app.shows('emails') \
         WHEN 'URL' THEN true WHEN 'SOCIAL' THEN true ELSE app.shows('phones') END) s(shown) WHERE t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.contact_id")
    .one_of(contacts)
    .push(" ORDER BY t.contact_id, t.position");
    let mut methods: HashMap<Uuid, Vec<ContactMethod>> = HashMap::with_capacity(contacts.len());
    for row in tx.all::<OfContact>(sql).await? {
        methods.entry(row.contact_id).or_default().push(row.method);
    }
    Ok(methods)
}

/// Inserts methods, each with its contact.
pub(in crate::crm::contacts) async fn insert(
    tx: &mut Tx,
    rows: &[(&Contact, &ContactMethod)],
) -> Result<()> {
    let tenant = tx.tenant();
    for chunk in rows.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO contact_methods (tenant_id, contact_method_id, contact_id, kind, value, value_normalized, \
             label, preferred, opted_out_at, position, visible_to)",
        );
        let sql = sql.rows(chunk, |mut row, (contact, method)| {
            row.bind(tenant)
                .bind(method.id)
                .bind(contact.id)
                .bind(method.kind.as_str())
                .bind(method.value.clone())
                .bind(method.value_normalized.clone())
                .bind(method.label.clone())
                .bind(method.preferred)
                .bind(method.opted_out_at)
                .bind(method.position)
                .bind(contact.visible_to.clone());
        });
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Writes what methods of a contact have become.
pub(super) async fn update(
    tx: &mut Tx,
    contact: &Contact,
    methods: &[&ContactMethod],
) -> Result<()> {
    if methods.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(
        "UPDATE contact_methods t SET kind = n.kind, value = n.value, value_normalized = n.value_normalized, \
         label = n.label, preferred = n.preferred, opted_out_at = n.opted_out_at, position = n.position FROM unnest(",
    )
    .bind(methods.iter().map(|method| method.id.uuid()).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.kind.as_str()).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.value.clone()).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.value_normalized.clone()).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.label.clone()).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.preferred).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.opted_out_at).collect::<Vec<_>>())
    .push(", ")
    .bind(methods.iter().map(|method| method.position).collect::<Vec<_>>())
    .push(
        ") AS n(id, kind, value, value_normalized, label, preferred, opted_out_at, position) \
         WHERE t.contact_method_id = n.id AND t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.contact_id = ")
    .bind(contact.id);
    tx.execute(sql).await.map(drop)
}

/// Takes methods of a contact away.
pub(super) async fn delete(
    tx: &mut Tx,
    contact: &Contact,
    methods: Vec<ContactMethodId>,
) -> Result<()> {
    if methods.is_empty() {
        return Ok(());
    }
    let sql = Sql::new("DELETE FROM contact_methods WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND contact_id = ")
        .bind(contact.id)
        .push(" AND contact_method_id = ANY(")
        .bind(methods.into_iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .push(")");
    tx.execute(sql).await.map(drop)
}

/// Makes the methods visible to exactly those who see the contact now.
pub(in crate::crm::contacts) async fn follow(tx: &mut Tx, contact: &Contact) -> Result<()> {
    let sql = Sql::new("UPDATE contact_methods t SET visible_to = ")
        .bind(contact.visible_to.clone())
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.contact_id = ")
        .bind(contact.id);
    tx.execute(sql).await.map(drop)
}
