//! Making what was planned, through the product's verbs.

use std::collections::HashMap;

use super::{
    super::{ImportError, Session, Tally, create_missing},
    Crew,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
    },
    crm::{
        companies::{self, NewCompany},
        opportunities::{self, NewOpportunity},
        pipelines::{self, NewPipeline, Pipeline},
        products::{self, NewProduct},
    },
    db::{Sql, SystemReason, SystemTx, journal::Entry},
    organization::members::provision,
};

/// Sets up teams and members as the system, and returns who is who by normalised name: a person whose address was
/// known before keeps their identity.
///
/// # Errors
/// The database.
pub async fn provision(
    session: &Session,
    crew: &Crew,
) -> Result<(HashMap<String, UserId>, Tally), ImportError> {
    let members: Vec<_> = crew.members.values().cloned().collect();
    session.progress.start("Members and teams", members.len());
    let mut tx = session.db.system(SystemReason::Provisioning).await?;
    let before = known(&mut tx, session, crew).await?.len();
    let tenant = session.tenant();
    let new_teams = provision::teams(&mut tx, tenant, &crew.teams).await?;
    let new_members = provision::members(&mut tx, tenant, &members).await?;
    let by_email: HashMap<String, UserId> =
        known(&mut tx, session, crew).await?.into_iter().collect();
    // What is kept of teams and people has to be worked out anew, so both leave a trace.
    let author = &session.actor.author;
    let imported = |kind: &str, id| Entry::new(author, format!("{kind}.imported")).about(kind, id);
    let mut entries = Vec::new();
    if let Some(team) = crew.teams.first().filter(|_| new_teams > 0) {
        entries.push(imported("team", team.id.uuid()));
    }
    if let Some(user) = by_email.values().min().filter(|_| new_members > 0) {
        entries.push(imported("member", user.uuid()));
    }
    if !entries.is_empty() {
        tx.audit(tenant, entries, &session.origin).await?;
    }
    tx.commit().await?;
    session.progress.advance(members.len());
    let user = |email: &String| by_email.get(email).copied();
    let by_name = crew
        .members
        .iter()
        .filter_map(|(name, member)| Some((name.clone(), user(&member.email)?)));
    Ok((
        by_name.collect(),
        Tally {
            new: by_email.len() - before,
            existing: before,
        },
    ))
}

async fn known(tx: &mut SystemTx, session: &Session, crew: &Crew) -> Result<Vec<(String, UserId)>> {
    let emails: Vec<String> = crew
        .members
        .values()
        .map(|member| member.email.clone())
        .collect();
    let sql = Sql::new("SELECT email, user_id FROM memberships WHERE tenant_id = ")
        .bind(session.tenant())
        .push(" AND email = ANY(")
        .bind(emails)
        .push(")");
    tx.all(sql).await
}

/// Creates the pipeline; it becomes the preferred one where there is no other.
///
/// # Errors
/// The tenant has another pipeline of this name; the database.
pub async fn put_pipeline(session: &Session, pipeline: NewPipeline) -> Result<Tally, ImportError> {
    session.progress.start("Pipeline", 1);
    let taken = ImportError::PipelineTaken(pipeline.name.clone());
    let done = create_missing::<Pipeline, _>(
        session,
        vec![pipeline],
        |pipeline| pipeline.id.uuid(),
        async |tx, missing| {
            let preferred = pipelines::stages(tx, None).await?.is_empty();
            let mut created = Vec::with_capacity(missing.len());
            for pipeline in missing {
                created.push(
                    pipelines::create(
                        tx,
                        NewPipeline {
                            preferred,
                            ..pipeline
                        },
                    )
                    .await?,
                );
            }
            Ok(created)
        },
    );
    match done.await {
        Err(ImportError::Refused {
            source: Error::Invalid { code: "TAKEN", .. },
            ..
        }) => Err(taken),
        done => done,
    }
}

/// Creates products.
///
/// # Errors
/// As [`create_missing`].
pub async fn put_products(
    session: &Session,
    products: Vec<NewProduct>,
) -> Result<Tally, ImportError> {
    session.progress.start("Products", products.len());
    create_missing(
        session,
        products,
        |product| product.id.uuid(),
        products::create_many,
    )
    .await
}

/// Creates companies, layer by layer.
///
/// # Errors
/// As [`create_missing`].
pub async fn put_companies(
    session: &Session,
    layers: Vec<Vec<NewCompany>>,
) -> Result<Tally, ImportError> {
    session
        .progress
        .start("Companies", layers.iter().map(Vec::len).sum());
    let mut tally = Tally::default();
    for layer in layers {
        tally += create_missing(
            session,
            layer,
            |company| company.id.uuid(),
            companies::create_many,
        )
        .await?;
    }
    Ok(tally)
}

/// Creates opportunities.
///
/// # Errors
/// As [`create_missing`].
pub async fn put_deals(
    session: &Session,
    deals: Vec<NewOpportunity>,
) -> Result<Tally, ImportError> {
    session.progress.start("Opportunities", deals.len());
    create_missing(
        session,
        deals,
        |deal| deal.id.uuid(),
        opportunities::create_many,
    )
    .await
}
