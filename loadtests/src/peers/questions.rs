//! What `PostGraphile` is asked for the same data, by the same people.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Outcome,
    client::Question,
    script::Script,
    workload::{ABOVE, Variant, Workload, WorkloadKind},
};

const BOARD: &str = include_str!("../../peers/postgraphile/documents/board.graphql");
const ONE: &str = include_str!("../../peers/postgraphile/documents/one.graphql");
const LIST: &str = include_str!("../../peers/postgraphile/documents/list.graphql");
const DUE: &str = include_str!("../../peers/postgraphile/documents/due.graphql");
const DEEP: &str = include_str!("../../peers/postgraphile/documents/deep.graphql");
const MOVE: &str = include_str!("../../peers/postgraphile/documents/move.graphql");
const CREATE: &str = include_str!("../../peers/postgraphile/documents/create.graphql");

/// Its workloads, in the order of ours. Who asks is said by the settings that our own statements began with.
pub(super) async fn of_all(
    database: &mut PgConnection,
    ours: &[Arc<Workload>],
    scripts: &[Script],
) -> Outcome<Vec<Arc<Workload>>> {
    let mut all: Vec<Arc<Workload>> = Vec::with_capacity(ours.len());
    for (workload, script) in ours.iter().zip(scripts) {
        let mut variants = Vec::with_capacity(workload.variants.len());
        for (i, variant) in workload.variants.iter().enumerate() {
            let questions = match workload.kind {
                WorkloadKind::Mixed => mixed(&all, i)?,
                _ => questions(database, workload.kind, variant, &script.settings[i]).await?,
            };
            variants.push(Variant {
                tenant: variant.tenant,
                about: variant.about,
                questions,
            });
        }
        all.push(Arc::new(Workload {
            kind: workload.kind,
            name: workload.name,
            variants,
        }));
    }
    Ok(all)
}

async fn questions(
    database: &mut PgConnection,
    kind: WorkloadKind,
    variant: &Variant,
    settings: &[(String, String)],
) -> Outcome<Vec<Question>> {
    let settings: Map<String, Json> = settings
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let (settings, tenant) = (Json::Object(settings), variant.tenant);
    let ask = |document, variables: Json| Question::of_settings(&settings, document, &variables);
    let one = |document, variables| Ok(vec![ask(document, variables)?]);
    match kind {
        WorkloadKind::Board => one(BOARD, json!({ "tenant": tenant, "stage": variant.about })),
        WorkloadKind::Deep => one(DEEP, json!({ "tenant": tenant, "stage": variant.about })),
        WorkloadKind::One => one(ONE, json!({ "tenant": tenant, "id": variant.about })),
        WorkloadKind::List => one(
            LIST,
            json!({ "tenant": tenant, "above": ABOVE.to_string() }),
        ),
        WorkloadKind::Due | WorkloadKind::Latency => {
            let now = now(database).await?;
            one(DUE, json!({ "tenant": tenant, "now": now }))
        }
        WorkloadKind::Create => {
            let now = now(database).await?;
            let by = format!("user:{}", variant.about.unwrap_or_default());
            let contact = json!({
                "tenantId": tenant, "firstName": "Ada", "lastName": "Lovelace", "nameNormalized": "lovelace ada",
                "jobTitle": "Engineer", "ownerId": variant.about, "createdAt": now, "createdBy": by, "updatedAt": now,
                "updatedBy": by,
            });
            one(CREATE, json!({ "contact": contact }))
        }
        WorkloadKind::Move => {
            let stages: Vec<Uuid> = sqlx::query_scalar(
                "SELECT bench.id(4, nr, n) FROM bench.tenants, unnest(ARRAY[2, 1]) n WHERE tenant_id = $1",
            )
            .bind(tenant)
            .fetch_all(database)
            .await?;
            let patch = |stage| json!({ "tenant": tenant, "id": variant.about, "patch": { "stageId": stage } });
            stages
                .into_iter()
                .map(|stage| ask(MOVE, patch(stage)))
                .collect()
        }
        WorkloadKind::Mixed => Err("mixed from the others".into()),
    }
}

/// The time, as Postgres writes it.
async fn now(database: &mut PgConnection) -> Outcome<String> {
    Ok(sqlx::query_scalar("SELECT now()::text")
        .fetch_one(database)
        .await?)
}

/// As ours is mixed, of the same parts.
fn mixed(all: &[Arc<Workload>], i: usize) -> Outcome<Vec<Question>> {
    let variants = |kind| {
        let workload = all.iter().find(|workload| workload.kind == kind);
        workload
            .map(|workload| &workload.variants)
            .ok_or("the mixed workload needs board, one, list and move")
    };
    let of = |kind| {
        let variants = variants(kind)?;
        Outcome::Ok(variants[i % variants.len()].questions[0].clone())
    };
    let (one, list, board) = (
        of(WorkloadKind::One)?,
        of(WorkloadKind::List)?,
        of(WorkloadKind::Board)?,
    );
    let moves = &variants(WorkloadKind::Move)?[i].questions;
    let round = |moved: &Question| {
        let one = || one.clone();
        [
            one(),
            list.clone(),
            one(),
            one(),
            board.clone(),
            one(),
            list.clone(),
            one(),
            one(),
            moved.clone(),
        ]
    };
    Ok(moves.iter().flat_map(round).collect())
}
