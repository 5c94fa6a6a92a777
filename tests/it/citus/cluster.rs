//! A real cluster, where there is one: `DEALGRAPH_CITUS_URL` leads to a coordinator as a superuser, whose workers this
//! machine reaches too, by the same login. The tests make a database on every node, and drop it.

use std::{env, process};

use dealgraph::{
    db::migrate::{self, Patience, Release},
    organization::identities::Identities,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions, raw_sql};
use url::Url;
use uuid::Uuid;

use crate::{
    harness::{A, B, Client, Database, Who, World, arrange, global_id, test_over},
    live::{DEALS, Socket, act, deal, document, rename},
};

const VARIABLE: &str = "DEALGRAPH_CITUS_URL";
/// The logins, by who makes each: Postgres 16 and newer lets a role change only those that it made.
const LOGINS: [(&str, &str, &str); 3] = [
    ("dealgraph_owner", "CREATEROLE", "RESET ROLE"),
    ("dealgraph_app", "NOINHERIT", "SET ROLE dealgraph_owner"),
    ("dealgraph_system", "NOINHERIT", "SET ROLE dealgraph_owner"),
];

async fn connect(options: &PgConnectOptions) -> PgConnection {
    let connected = PgConnection::connect_with(options).await;
    connected.expect("a superuser connects to every node")
}

async fn run(connection: &mut PgConnection, sql: String) {
    let done = raw_sql(AssertSqlSafe(sql.clone()))
        .execute(connection)
        .await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A database on all nodes, with both tenants in it, distributed over eight shards.
async fn distributed(url: &str) -> Database {
    let superuser: PgConnectOptions = url.parse().expect("an address of Postgres");
    let password = Url::parse(url)
        .expect("an address")
        .password()
        .map(str::to_owned);
    let password = password.map_or_else(String::new, |word| format!(" PASSWORD '{word}'"));
    let nodes: Vec<(String, i32, bool)> = sqlx::query_as(
        "SELECT nodename, nodeport, groupid = 0 FROM pg_dist_node WHERE noderole = 'primary' AND isactive ORDER BY groupid",
    )
    .fetch_all(&mut connect(&superuser).await)
    .await
    .expect("the database of the address has Citus and its nodes");
    let name = format!("dealgraph_test_{}", process::id());
    let mut of_nodes = Vec::new();
    for (host, port, is_coordinator) in &nodes {
        let node = match is_coordinator {
            true => superuser.clone(),
            false => superuser
                .clone()
                .host(host)
                .port(u16::try_from(*port).expect("a port")),
        };
        let mut connection = connect(&node).await;
        run(
            &mut connection,
            "SET citus.enable_create_role_propagation = off".to_owned(),
        )
        .await;
        for (login, rights, made_by) in LOGINS {
            let is_there: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                    .bind(login)
                    .fetch_one(&mut connection)
                    .await
                    .expect("roles are listed");
            if !is_there {
                run(
                    &mut connection,
                    format!("{made_by}; CREATE ROLE {login} LOGIN {rights}{password}; RESET ROLE"),
                )
                .await;
            }
        }
        run(
            &mut connection,
            format!("CREATE DATABASE {name} OWNER dealgraph_owner"),
        )
        .await;
        run(
            &mut connect(&node.clone().database(&name)).await,
            "CREATE EXTENSION citus".to_owned(),
        )
        .await;
        of_nodes.push(node);
    }
    let mut coordinator = connect(&superuser.clone().database(&name)).await;
    for (host, port, is_coordinator) in &nodes {
        let function = match is_coordinator {
            true => "citus_set_coordinator_host",
            false => "citus_add_node",
        };
        run(
            &mut coordinator,
            format!("SELECT {function}('{host}', {port})"),
        )
        .await;
    }
    run(&mut coordinator, migrate::SUPERUSER.to_owned()).await;
    let database = Database::outside(name, superuser, of_nodes);
    let owner = database.direct_options("dealgraph_owner").await;
    migrate::run(&owner).await.expect("the migrations apply");
    // Before, so that the rows go to the shards with their tables.
    arrange(&mut coordinator).await;
    coordinator.close().await.expect("the connection ends");
    let report = Release::this()
        .distribute(&owner, Patience::default(), 8)
        .await;
    let report = report.expect("the tables are distributed");
    assert_eq!(report.not_distributed, [""; 0]);
    database
}

/// The names of the records in a list, as somebody sees it.
async fn names(client: &Client<'_>, list: &str) -> Vec<String> {
    let read = client
        .query(&format!("{{ {list}(first: 50) {{ nodes {{ name }} }} }}"))
        .await;
    let nodes = read[list]["nodes"].as_array().expect("a list");
    let name = |node: &Value| node["name"].as_str().expect("a name").to_owned();
    nodes.iter().map(name).collect()
}

#[test]
fn two_tenants_create_list_move_and_follow_and_do_not_see_each_other() {
    let Some(url) = env::var_os(VARIABLE).and_then(|url| url.into_string().ok()) else {
        println!("skipped: {VARIABLE} is not set");
        return;
    };
    let outside = async || (distributed(&url).await, Identities::none(), ());
    test_over(outside, async |world: &World, ()| {
        for side in [A, B] {
            let admin = world.member(side, Who::Admin);
            let name = format!("Of {}", side.uuid("tenant", 1));
            let input = json!({ "input": { "name": name } });
            let made = admin.query_with(&document("companyCreate"), input).await;
            assert_eq!(made["companyCreate"]["userErrors"], json!([]));
        }
        for (side, other) in [(A, B), (B, A)] {
            let seen = names(&world.member(side, Who::Admin), "companies").await;
            let of = |side: crate::harness::Side| format!("Of {}", side.uuid("tenant", 1));
            assert!(
                seen.contains(&of(side)) && !seen.contains(&of(other)),
                "{seen:?}"
            );
        }
        // The rows from before were taken along, and the policies of the shards know who is a sales rep.
        let all = names(&world.a(Who::Admin), "opportunities").await.len();
        let own = names(&world.a(Who::Rep), "opportunities").await.len();
        assert!((1..all).contains(&own), "{own} of {all}");

        let mut a = Socket::open(&world.a(Who::Admin)).await;
        let mut b = Socket::open(&world.b(Who::Admin)).await;
        a.subscribe("1", DEALS, json!({})).await;
        b.subscribe("1", DEALS, json!({})).await;
        let stage = global_id("stage", A.uuid("stage", 2));
        let admin = world.a(Who::Admin);
        act(
            &admin,
            "opportunityMoveStage",
            json!({ "id": deal(1), "stageId": stage }),
        )
        .await;
        rename(&admin, 1, "Moved").await;
        assert_eq!(a.event("1").await["recordId"], deal(1).as_str());
        assert!(b.is_silent().await);

        assert_eq!(
            tasks(world, |tenant| format!("t.tenant_id = '{tenant}'")).await,
            1
        );
        assert_eq!(tasks(world, |_| "t.name IS NOT NULL".to_owned()).await, 8);
    });
}

/// How many shards a query of the server's login asks.
async fn tasks(world: &World, condition: impl FnOnce(Uuid) -> String) -> u64 {
    let mut app = world.database.connect("dealgraph_app").await;
    let mut tx = app.begin().await.expect("a transaction begins");
    let tenant = A.uuid("tenant", 1);
    run(
        &mut tx,
        format!("SET LOCAL app.tenant_id = '{tenant}'; SET LOCAL app.permissions = ',companies:read,'; SET LOCAL app.sees = '|'"),
    )
    .await;
    let condition = condition(tenant);
    let explain = format!("EXPLAIN SELECT t.name FROM companies t WHERE {condition}");
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain))
        .fetch_all(&mut *tx)
        .await
        .expect("it is explained");
    tx.rollback().await.expect("it ends");
    let count = plan
        .iter()
        .find_map(|line| line.trim().strip_prefix("Task Count: ")?.parse().ok());
    count.unwrap_or_else(|| panic!("{plan:#?}"))
}
