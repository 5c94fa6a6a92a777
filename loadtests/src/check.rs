//! Proves that the answers are right before anybody measures how fast they come.

use serde_json::Value as Json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Outcome,
    client::Connection,
    server::Server,
    workload::{ABOVE, Variant, Workload, WorkloadKind},
};

/// The first deals of a stage in board order.
const OF_STAGE: &str = "SELECT opportunity_id FROM opportunities WHERE tenant_id = $1 AND stage_id = $2 AND archived_at IS NULL \
    ORDER BY board_position, opportunity_id LIMIT 50";
/// Objects on a board: 50 deals, each with an owner, a contact, its company, and 5 activities with their owners.
const BOARD_OBJECTS: usize = 50 * (1 + 3 + 2 * 5);

/// Asks each variant once and compares the answer with what the tables say.
pub(crate) async fn answers(
    server: &Server,
    database: &mut PgConnection,
    workload: &Workload,
) -> Outcome<()> {
    let mut connection = server.connect().await?;
    for variant in &workload.variants {
        let wrong = |what: String| {
            format!(
                "{}: wrong answer in tenant {}: {what}",
                workload.name, variant.tenant
            )
        };
        let right = match workload.kind {
            WorkloadKind::Board => board(&mut connection, database, variant).await?,
            WorkloadKind::One => one(&mut connection, database, variant).await?,
            WorkloadKind::List => listed(&mut connection, database, variant).await?,
            WorkloadKind::Due | WorkloadKind::Latency => {
                due(&mut connection, database, variant).await?
            }
            WorkloadKind::Deep => deep(&mut connection, database, variant).await?,
            WorkloadKind::Move => moved(&mut connection, database, variant).await?,
            WorkloadKind::Create => created(&mut connection, variant).await?,
            // Its parts are checked by themselves.
            WorkloadKind::Mixed => Ok(()),
        };
        right.map_err(wrong)?;
    }
    Ok(())
}

type Judged = Outcome<Result<(), String>>;

async fn board(
    connection: &mut Connection,
    database: &mut PgConnection,
    variant: &Variant,
) -> Judged {
    let deals = &ask(connection, variant, 0).await?["data"]["opportunities"]["nodes"];
    let expected = ids(database, OF_STAGE, variant).await?;
    let found = objects(deals);
    Ok(same(&ids_in(deals), &expected).and_then(|()| {
        if found == BOARD_OBJECTS {
            Ok(())
        } else {
            Err(format!("{found} objects instead of {BOARD_OBJECTS}"))
        }
    }))
}

async fn deep(
    connection: &mut Connection,
    database: &mut PgConnection,
    variant: &Variant,
) -> Judged {
    let deals = &ask(connection, variant, 0).await?["data"]["opportunities"]["nodes"];
    Ok(same(
        &ids_in(deals),
        &ids(database, OF_STAGE, variant).await?,
    ))
}

async fn listed(
    connection: &mut Connection,
    database: &mut PgConnection,
    variant: &Variant,
) -> Judged {
    let deals = &ask(connection, variant, 0).await?["data"]["opportunities"]["nodes"];
    let expected: Vec<Uuid> = sqlx::query_scalar(
        "SELECT opportunity_id FROM opportunities WHERE tenant_id = $1 AND status = 'OPEN' AND archived_at IS NULL \
         AND amount_minor > $2 ORDER BY amount_minor DESC, opportunity_id DESC LIMIT 50",
    )
    .bind(variant.tenant)
    .bind(ABOVE)
    .fetch_all(database)
    .await?;
    let expected = expected.into_iter().map(|id| format!("opportunity:{id}"));
    Ok(same(&ids_in(deals), &expected.collect::<Vec<_>>()))
}

async fn created(connection: &mut Connection, variant: &Variant) -> Judged {
    let answer = ask(connection, variant, 0).await?;
    let contact = &answer["data"]["contactCreate"]["contact"];
    Ok(
        match contact["lastName"] == "Lovelace" && contact["owner"]["id"].is_string() {
            true => Ok(()),
            false => Err(format!("{answer} instead of a contact")),
        },
    )
}

async fn one(
    connection: &mut Connection,
    database: &mut PgConnection,
    variant: &Variant,
) -> Judged {
    let deal = &ask(connection, variant, 0).await?["data"]["opportunity"];
    let owner: String = sqlx::query_scalar(
        "SELECT m.name FROM opportunities o JOIN memberships m ON m.tenant_id = o.tenant_id AND m.user_id = o.owner_id \
         WHERE o.tenant_id = $1 AND o.opportunity_id = $2",
    )
    .bind(variant.tenant)
    .bind(variant.about)
    .fetch_one(database)
    .await?;
    Ok(if deal["owner"]["name"] == *owner {
        Ok(())
    } else {
        Err(format!("{deal} instead of one owned by {owner}"))
    })
}

async fn due(
    connection: &mut Connection,
    database: &mut PgConnection,
    variant: &Variant,
) -> Judged {
    let deals = &ask(connection, variant, 0).await?["data"]["dueActions"]["overdue"]["nodes"];
    let expected = ids(
        database,
        "SELECT opportunity_id FROM opportunities WHERE tenant_id = $1 AND $2::uuid IS NULL AND archived_at IS NULL \
         AND next_action_at < now() ORDER BY next_action_at, opportunity_id LIMIT 25",
        variant,
    )
    .await?;
    Ok(same(&ids_in(deals), &expected))
}

async fn moved(
    connection: &mut Connection,
    database: &mut PgConnection,
    variant: &Variant,
) -> Judged {
    for nth in 0..variant.questions.len() {
        let answer = ask(connection, variant, nth).await?;
        let said = answer["data"]["opportunityMoveStage"]["opportunity"]["stage"]["name"].clone();
        let stands: String = sqlx::query_scalar(
            "SELECT s.name FROM opportunities o JOIN stages s ON s.tenant_id = o.tenant_id AND s.stage_id = o.stage_id \
             WHERE o.tenant_id = $1 AND o.opportunity_id = $2",
        )
        .bind(variant.tenant)
        .bind(variant.about)
        .fetch_one(&mut *database)
        .await?;
        let wanted = ["Proposal", "Engaging"][nth % 2];
        if stands != wanted || said != *wanted {
            return Ok(Err(format!(
                "moved to {wanted}, it says {said} and stands in {stands}"
            )));
        }
    }
    Ok(Ok(()))
}

async fn ask(connection: &mut Connection, variant: &Variant, nth: usize) -> Outcome<Json> {
    Ok(serde_json::from_slice(
        &connection.ask(&variant.questions[nth]).await?,
    )?)
}

async fn ids(
    database: &mut PgConnection,
    sql: &'static str,
    variant: &Variant,
) -> Outcome<Vec<String>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(sql)
        .bind(variant.tenant)
        .bind(variant.about)
        .fetch_all(database)
        .await?;
    Ok(ids
        .into_iter()
        .map(|id| format!("opportunity:{id}"))
        .collect())
}

fn ids_in(records: &Json) -> Vec<String> {
    let ids = records
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|record| record["id"].as_str());
    ids.map(str::to_owned).collect()
}

fn same(found: &[String], expected: &[String]) -> Result<(), String> {
    if found == expected && !found.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} records, expected these {}: {found:?}, {expected:?}",
        found.len(),
        expected.len()
    ))
}

/// How many objects with an id there are, at any depth.
fn objects(json: &Json) -> usize {
    match json {
        Json::Array(items) => items.iter().map(objects).sum(),
        Json::Object(fields) => {
            usize::from(fields.contains_key("id")) + fields.values().map(objects).sum::<usize>()
        }
        _ => 0,
    }
}
