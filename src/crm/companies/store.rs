//! All SQL that only companies need.

use super::model::Company;
use crate::{
    base::{
        error::{Error, Result},
        ids::{CompanyId, Typed as _},
        text::normalize,
    },
    db::{Sql, Tx, list::Record as _, rows_per_statement},
};

const COLUMNS: usize = 27;

pub(super) async fn insert(tx: &mut Tx, companies: Vec<Company>) -> Result<Vec<Company>> {
    let tenant = tx.tenant();
    let mut created = Vec::with_capacity(companies.len());
    for chunk in companies.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO companies AS t (tenant_id, company_id, name, name_normalized, domain, industry, \
             employee_count, annual_revenue_minor, annual_revenue_currency, founded_year, website, phone, \
             address_line, city, region, postal_code, country, description, parent_company_id, tags, owner_id, \
             team_path, created_at, created_by, updated_at, updated_by, version)",
        );
        let sql = sql.rows(
            chunk,
            |mut row,
             Company {
                 id,
                 fields: f,
                 stamps: s,
                 ..
             }| {
                row.bind(tenant)
                    .bind(*id)
                    .bind(f.name.clone())
                    .bind(normalize(&f.name))
                    .bind(f.domain.clone())
                    .bind(f.industry.clone())
                    .bind(f.employee_count)
                    .bind(f.annual_revenue_minor)
                    .bind(f.annual_revenue_currency.clone())
                    .bind(f.founded_year)
                    .bind(f.website.clone())
                    .bind(f.phone.clone())
                    .bind(f.address_line.clone())
                    .bind(f.city.clone())
                    .bind(f.region.clone())
                    .bind(f.postal_code.clone())
                    .bind(f.country.clone())
                    .bind(f.description.clone())
                    .bind(f.parent_company_id)
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
            tx.all::<Company>(sql.push(" RETURNING ").push(Company::COLUMNS))
                .await?,
        );
    }
    Ok(created)
}

pub(super) async fn update(
    tx: &mut Tx,
    Company {
        id,
        fields: f,
        stamps: s,
        ..
    }: &Company,
) -> Result<Company> {
    let sql = Sql::new("UPDATE companies t SET name = ")
        .bind(f.name.clone())
        .push(", name_normalized = ")
        .bind(normalize(&f.name))
        .push(", domain = ")
        .bind(f.domain.clone())
        .push(", industry = ")
        .bind(f.industry.clone())
        .push(", employee_count = ")
        .bind(f.employee_count)
        .push(", annual_revenue_minor = ")
        .bind(f.annual_revenue_minor)
        .push(", annual_revenue_currency = ")
        .bind(f.annual_revenue_currency.clone())
        .push(", founded_year = ")
        .bind(f.founded_year)
        .push(", website = ")
        .bind(f.website.clone())
        .push(", phone = ")
        .bind(f.phone.clone())
        .push(", address_line = ")
        .bind(f.address_line.clone())
        .push(", city = ")
        .bind(f.city.clone())
        .push(", region = ")
        .bind(f.region.clone())
        .push(", postal_code = ")
        .bind(f.postal_code.clone())
        .push(", country = ")
        .bind(f.country.clone())
        .push(", description = ")
        .bind(f.description.clone())
        .push(", parent_company_id = ")
        .bind(f.parent_company_id)
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
        .push(" AND t.company_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(Company::COLUMNS);
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this company"))
}

/// Refuses a parent that is the company itself or below it.
pub(super) async fn refuse_loop(
    tx: &mut Tx,
    id: CompanyId,
    parent: Option<CompanyId>,
) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let sql = Sql::new(
        "WITH RECURSIVE above AS (\
         SELECT t.company_id, t.parent_company_id, 1 AS depth FROM companies t WHERE t.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND t.company_id = ")
    .bind(parent)
    .push(
        " UNION ALL SELECT p.company_id, p.parent_company_id, above.depth + 1 FROM above \
         JOIN companies p ON p.company_id = above.parent_company_id AND p.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" WHERE above.depth < 100) SELECT count(*) FROM above WHERE company_id = ")
    .bind(id.uuid());
    match tx.column::<i64>(sql).await?.first() {
        Some(0) => Ok(()),
        _ => Err(Error::invalid(
            "LOOP",
            "parentCompanyId",
            "a company can't be above itself",
        )),
    }
}
