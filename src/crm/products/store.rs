//! All SQL that only products need.

use super::model::Product;
use crate::{
    base::{
        error::{Error, Result},
        text::normalize,
    },
    db::{Sql, Tx, list::Record as _, rows_per_statement},
};

const COLUMNS: usize = 15;

pub(super) async fn insert(tx: &mut Tx, products: Vec<Product>) -> Result<Vec<Product>> {
    let tenant = tx.tenant();
    let mut created = Vec::with_capacity(products.len());
    for chunk in products.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO products AS t (tenant_id, product_id, name, name_normalized, code, code_normalized, \
             unit_price_minor, unit_price_currency, active, description, created_at, created_by, updated_at, \
             updated_by, version)",
        );
        let sql = sql.rows(
            chunk,
            |mut row,
             Product {
                 id,
                 fields: f,
                 stamps: s,
                 ..
             }| {
                row.bind(tenant)
                    .bind(*id)
                    .bind(f.name.clone())
                    .bind(normalize(&f.name))
                    .bind(f.code.clone())
                    .bind(normalize(&f.code))
                    .bind(f.unit_price_minor)
                    .bind(f.unit_price_currency.clone())
                    .bind(f.active)
                    .bind(f.description.clone())
                    .bind(s.created_at)
                    .bind(s.created_by.clone())
                    .bind(s.updated_at)
                    .bind(s.updated_by.clone())
                    .bind(s.version);
            },
        );
        created.extend(
            tx.all::<Product>(sql.push(" RETURNING ").push(Product::COLUMNS))
                .await?,
        );
    }
    Ok(created)
}

pub(super) async fn update(
    tx: &mut Tx,
    Product {
        id,
        fields: f,
        stamps: s,
        ..
    }: &Product,
) -> Result<Product> {
    let sql = Sql::new("UPDATE products t SET name = ")
        .bind(f.name.clone())
        .push(", name_normalized = ")
        .bind(normalize(&f.name))
        .push(", code = ")
        .bind(f.code.clone())
        .push(", code_normalized = ")
        .bind(normalize(&f.code))
        .push(", unit_price_minor = ")
        .bind(f.unit_price_minor)
        .push(", unit_price_currency = ")
        .bind(f.unit_price_currency.clone())
        .push(", active = ")
        .bind(f.active)
        .push(", description = ")
        .bind(f.description.clone())
        .push(", updated_at = ")
        .bind(s.updated_at)
        .push(", updated_by = ")
        .bind(s.updated_by.clone())
        .push(", version = ")
        .bind(s.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.product_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(Product::COLUMNS);
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change products"))
}
