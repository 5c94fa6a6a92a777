//! What the users ask: the documents, and for whom and about what, chosen from the data.

use clap::ValueEnum;
use serde_json::{Value as Json, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Outcome, client::Question, cluster::Cluster};

/// A column of a board as a page shows it: fifty cards with their people and what happened last.
pub(crate) const BOARD: &str = "query Board($stage: ID!) { \
    opportunities(first: 50, filter: { stageId: { eq: $stage } }, orderBy: [{ field: BOARD_POSITION }]) { nodes { \
        id name status probability amount { amountMinor currency } expectedCloseOn stageEnteredAt version \
        owner { id name email } \
        primaryContact { id firstName lastName jobTitle email company { id name industry } } \
        activities(first: 5) { nodes { id kind subject occurredAt owner { id name } } } \
    } } }";
const ONE: &str = "query One($id: ID!) { \
    opportunity(id: $id) { id name status amount { amountMinor currency } owner { id name email } } }";
pub(crate) const LIST: &str = "query List($above: BigInt!) { opportunities(first: 50, \
        filter: { status: { eq: OPEN }, amountMinor: { gt: $above } }, orderBy: [{ field: AMOUNT, direction: DESC }]) { \
        nodes { id name status amount { amountMinor currency } owner { id name } company { id name } } \
        pageInfo { hasNextPage endCursor } } }";
const DEEP: &str = "query Deep($stage: ID!) { \
    opportunities(first: 50, filter: { stageId: { eq: $stage } }, orderBy: [{ field: BOARD_POSITION }]) { nodes { \
        id name status amount { amountMinor currency } owner { id name } \
        company { id name owner { id name } opportunities(first: 3) { nodes { id name status owner { id name } } } } \
    } } }";
const CREATE: &str = "mutation Create($input: ContactCreateInput!) { contactCreate(input: $input) { \
        contact { id firstName lastName version owner { id name } } userErrors { code message field } \
    } }";
pub(crate) const DUE: &str = "query Due { dueActions(scope: ALL) { overdue(first: 25) { nodes { \
        id name nextAction { at kind details } owner { id name } \
    } } } }";
const MOVE: &str = "mutation Move($input: OpportunityMoveStageInput!) { opportunityMoveStage(input: $input) { \
        opportunity { id version stage { id name } } userErrors { code message field } \
    } }";

/// The tenants of the data, by their numbers there.
const LARGE: i32 = 1;
const SMALL: [i32; 4] = [2, 11, 23, 42];
const DUE_SMALL: i32 = 51;
const DUE_LARGE: i32 = 52;
/// One deal in each of the tenants of ordinary size, so that no user waits for another's lock.
const MOVED: std::ops::RangeInclusive<i32> = 2..=49;

/// A kind of workload, for choosing on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorkloadKind {
    /// 50 deals with owner, primary contact and its company, and 5 latest activities each with owner.
    Board,
    /// A deal with its owner.
    One,
    /// The 50 largest open deals above an amount, with owner and company.
    List,
    /// The 25 that are overdue longest, with owner.
    Due,
    /// A board whose companies have their owners and latest deals, six levels deep.
    Deep,
    /// A deal moves to another stage.
    Move,
    /// A contact is created.
    Create,
    /// Nine reads (six deals, two lists, one board) to one move.
    Mixed,
    /// The due lists of a small and a large tenant, one user.
    Latency,
}

/// Something that is asked again and again.
pub(crate) struct Workload {
    pub(crate) kind: WorkloadKind,
    pub(crate) name: &'static str,
    /// Who asks about what. Users take theirs by their numbers and keep it, as pgbench's clients do.
    pub(crate) variants: Vec<Variant>,
}

/// A caller with what the caller asks, one after another.
pub(crate) struct Variant {
    pub(crate) tenant: Uuid,
    /// What is asked about: a stage, a deal, or nothing.
    pub(crate) about: Option<Uuid>,
    pub(crate) questions: Vec<Question>,
}

impl Workload {
    /// Whether pgbench can do the same: of what creates something or does one thing after another, no script is made.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(
            self.kind,
            WorkloadKind::Create | WorkloadKind::Mixed | WorkloadKind::Latency
        )
    }

    /// Whether a single user asks and only the time that takes is of interest.
    pub(crate) fn is_alone(&self) -> bool {
        self.kind == WorkloadKind::Latency
    }

    /// What a user asks as its nth request.
    pub(crate) fn question(&self, user: usize, nth: usize) -> &Question {
        let questions = &self.variants[user % self.variants.len()].questions;
        &questions[nth % questions.len()]
    }
}

/// All workloads, over the data as it is.
pub(crate) async fn all(database: &mut PgConnection, cluster: &Cluster) -> Outcome<Vec<Workload>> {
    let workload = |kind, name, variants| Workload {
        kind,
        name,
        variants,
    };
    let mut boards = Vec::new();
    let mut ones = Vec::new();
    let mut lists = Vec::new();
    let mut dues = Vec::new();
    let mut deeps = Vec::new();
    for tenant in [LARGE, LARGE, LARGE, LARGE].into_iter().chain(SMALL) {
        let i = boards.len() as i32;
        let stage = id(database, (4, tenant, i % 4)).await?;
        let deal = id(database, (7, tenant, 7 + 113 * i)).await?;
        let typed = json!({ "stage": format!("stage:{stage}") });
        boards.push(
            variant(
                database,
                cluster,
                tenant,
                (Some(stage), BOARD, std::slice::from_ref(&typed)),
            )
            .await?,
        );
        deeps.push(variant(database, cluster, tenant, (Some(stage), DEEP, &[typed])).await?);
        let typed = json!({ "above": ABOVE });
        lists.push(variant(database, cluster, tenant, (None, LIST, &[typed])).await?);
        let typed = json!({ "id": format!("opportunity:{deal}") });
        ones.push(variant(database, cluster, tenant, (Some(deal), ONE, &[typed])).await?);
        dues.push(variant(database, cluster, tenant, (None, DUE, &[Json::Null])).await?);
    }
    let mut moves = Vec::new();
    let mut creates = Vec::new();
    for tenant in MOVED {
        moves.push(moving(database, cluster, tenant).await?);
        let owner = id(database, (2, tenant, 1)).await?;
        let typed = json!({ "input": {
            "firstName": "Ada", "lastName": "Lovelace", "jobTitle": "Engineer", "ownerId": format!("user:{owner}"),
        } });
        creates.push(variant(database, cluster, tenant, (Some(owner), CREATE, &[typed])).await?);
    }
    let mixed = mixed(&boards, &ones, &lists, &moves);
    let small = variant(database, cluster, DUE_SMALL, (None, DUE, &[Json::Null])).await?;
    let large = variant(database, cluster, DUE_LARGE, (None, DUE, &[Json::Null])).await?;
    Ok(vec![
        workload(WorkloadKind::Board, "board", boards),
        workload(WorkloadKind::One, "one", ones),
        workload(WorkloadKind::List, "list", lists),
        workload(WorkloadKind::Due, "due list", dues),
        workload(WorkloadKind::Deep, "deep board", deeps),
        workload(WorkloadKind::Move, "move stage", moves),
        workload(WorkloadKind::Create, "create contact", creates),
        workload(WorkloadKind::Mixed, "mixed", mixed),
        workload(WorkloadKind::Latency, SMALL_DUE_LIST, vec![small]),
        workload(WorkloadKind::Latency, LARGE_DUE_LIST, vec![large]),
    ])
}

/// The names of the two due lists that are compared.
pub(crate) const SMALL_DUE_LIST: &str = "due list of 1,000 deals, one user";
pub(crate) const LARGE_DUE_LIST: &str = "due list of 100,000 deals, one user";

/// Each user reads in one tenant and moves a deal in another one now and then, to and fro.
fn mixed(
    boards: &[Variant],
    ones: &[Variant],
    lists: &[Variant],
    moves: &[Variant],
) -> Vec<Variant> {
    let users = moves.iter().take(48).enumerate();
    let variant = |(i, moved): (usize, &Variant)| {
        let question = |of: &[Variant]| of[i % of.len()].questions[0].clone();
        let round = |moved: &Question| {
            let [one, list, board] = [ones, lists, boards].map(question);
            let (a, b, c) = (one.clone(), one.clone(), one.clone());
            [
                a,
                list.clone(),
                b,
                c,
                board,
                one.clone(),
                list,
                one.clone(),
                one,
                moved.clone(),
            ]
        };
        Variant {
            tenant: moved.tenant,
            about: moved.about,
            questions: moved.questions.iter().flat_map(round).collect(),
        }
    };
    users.map(variant).collect()
}

/// What a deal of the list is worth more than, in minor units.
pub(crate) const ABOVE: i64 = 1_000_000;

/// An open deal that goes to and fro between two stages.
async fn moving(database: &mut PgConnection, cluster: &Cluster, tenant: i32) -> Outcome<Variant> {
    let deal: Uuid = sqlx::query_scalar(
        "SELECT opportunity_id FROM opportunities JOIN bench.tenants USING (tenant_id) \
         WHERE nr = $1 AND status = 'OPEN' ORDER BY opportunity_id DESC LIMIT 1",
    )
    .bind(tenant)
    .fetch_one(&mut *database)
    .await?;
    let mut inputs = Vec::new();
    for stage in [2, 1] {
        let stage = id(database, (4, tenant, stage)).await?;
        inputs.push(json!({ "input": { "id": format!("opportunity:{deal}"), "stageId": format!("stage:{stage}") } }));
    }
    variant(database, cluster, tenant, (Some(deal), MOVE, &inputs)).await
}

/// The admin of a tenant, asking a document with each of these variables in rotation.
pub(crate) async fn variant(
    database: &mut PgConnection,
    cluster: &Cluster,
    number: i32,
    (about, document, variables): (Option<Uuid>, &str, &[Json]),
) -> Outcome<Variant> {
    let tenant: Uuid = sqlx::query_scalar("SELECT tenant_id FROM bench.tenants WHERE nr = $1")
        .bind(number)
        .fetch_one(&mut *database)
        .await?;
    let token = cluster
        .token(id(database, (2, number, 1)).await?, tenant)
        .await?;
    let questions = variables
        .iter()
        .map(|variables| Question::new(&token, document, variables))
        .collect::<Outcome<_>>()?;
    Ok(Variant {
        tenant,
        about,
        questions,
    })
}

/// The id of the nth record of a kind in a tenant, as the data's own function makes it.
pub(crate) async fn id(
    database: &mut PgConnection,
    (kind, tenant, n): (i32, i32, i32),
) -> Outcome<Uuid> {
    let id = sqlx::query_scalar("SELECT bench.id($1, $2, $3)")
        .bind(kind)
        .bind(tenant)
        .bind(n)
        .fetch_one(database)
        .await?;
    Ok(id)
}
