//! The commands of docs/operators/backup.md, run in their order: what comes back is what was there, to the last privilege,
//! and clients learn that their cursors are of another history.

pub(crate) mod machine;
pub(crate) mod page;
mod state;

use std::sync::Arc;

use dealgraph::{
    api::limits::Limits,
    base::clock::Clock,
    db::{Db, Logins, PoolOptions, journal::Hints, migrate},
    tools::app::Serving,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    defaults::served::Served,
    harness::{A, B, Side, Who, World, arrange, test},
    live::{DEALS, Socket, deal, document},
};
use machine::{Cluster, Machine};
use page::Page;
use state::{assert_same, catalogue};

/// What is asked before and after; every part of it is under policies.
const QUESTION: &str = "{ viewer { role tenant { name } } companies { nodes { name } } contacts { nodes { firstName } }
    leads { nodes { id version } } opportunities { nodes { id name version } } activities { nodes { subject } } }";
/// People of whom each is shown something else.
const ASKED: [(Side, Who); 4] = [
    (A, Who::Admin),
    (A, Who::Rep),
    (A, Who::OtherRep),
    (B, Who::Admin),
];

#[test]
fn what_comes_back_is_what_was_there() {
    test(async |world: &World| {
        let page = Page::read("docs/operators/backup.md", "tests/it/restores/mod.rs");
        let machine = Machine::new(world, "dealgraph-restores-").await;
        let source = machine.cluster("source", 5432).await;
        set_up(&source).await;
        let server = serve(&source, world).await;
        let (before, cursor) = (
            answers(&server, world).await,
            event_cursor(&server, world).await,
        );
        assert_everybody_is_shown_something_else(&before);

        // A dump, into another cluster.
        let [dump, restore] = page.blocks("A dump");
        source.run(dump).await;
        let refused = source
            .try_run("PGUSER=dealgraph_owner pg_dump dealgraph")
            .await;
        let refused = refused.expect_err("the owner is bound by policies");
        assert!(refused.contains("row-level security"), "{refused}");
        let state = state::of(&source).await;
        server.stop().await;
        let target = machine.cluster("target", 5433).await;
        target.run(restore).await;
        assert_same(&state::of(&target).await, &state);
        let [verify] = page.blocks("After a restore");
        let said = target.run_as_operator(verify).await;
        assert!(said.contains("no policy changed"), "{said}");
        let server = serve(&target, world).await;
        assert_eq!(answers(&server, world).await, before);
        assert_is_refused(&server, world, &cursor).await;
        server.stop().await;
        target.stop().await;

        // Base backup and log, and an accident after it.
        let server = serve(&source, world).await;
        let [archive, backup, watch] = page.blocks("Base backup and log");
        source.run(archive).await;
        source.run(backup).await;
        rename(&server, world, 1, "Meant").await;
        let (meant, cursor) = (
            answers(&server, world).await,
            event_cursor(&server, world).await,
        );
        let time = scalar(&source, "SELECT clock_timestamp()::text").await;
        rename(&server, world, 2, "Not meant").await;
        assert_ne!(answers(&server, world).await, meant);
        let epochs = epoch(&source).await;
        source.run(watch).await;
        server.stop().await;

        // Back to the moment before it.
        let [back, tidy] = page.blocks("Back to a point in time");
        source.at(&time).run(back).await;
        source.run(tidy).await;
        assert!(!source.read("postgresql.auto.conf").contains("recovery_"));
        let said = source.run_as_operator(verify).await;
        assert!(said.contains("no policy changed"), "{said}");
        let restored = state::of(&source).await;
        assert_same(&catalogue(&restored), &catalogue(&state));
        let server = serve(&source, world).await;
        assert_eq!(answers(&server, world).await, meant);
        assert_is_refused(&server, world, &cursor).await;
        rename(&server, world, 2, "Once more").await;
        server.stop().await;
        let restored = epoch(&source).await;
        assert_ne!(restored, epochs);

        // A copy of the disk knows nothing of having been put back, unless somebody says so.
        source.run("pg_ctl --wait stop && cp -a \"$PGDATA\" \"$PGDATA.copy\" && mv \"$PGDATA\" \"$PGDATA.gone\"").await;
        source
            .run("mv \"$PGDATA.copy\" \"$PGDATA\" && pg_ctl --wait --log=\"$PGDATA/log\" start")
            .await;
        assert_eq!(epoch(&source).await, restored);
        let [anew] = page.blocks("A snapshot of the disk");
        let unsaid = anew.replace(" --yes", " || echo refused");
        assert!(source.run_as_operator(&unsaid).await.contains("refused"));
        assert_eq!(epoch(&source).await, restored);
        let said = source.run_as_operator(anew).await;
        assert!(said.contains("2 tenants begin anew"), "{said}");
        assert_ne!(epoch(&source).await, restored);
        source.stop().await;
        page.assert_all_were_run();
    });
}

/// As an operator sets up a database, and with the two tenants of the world.
pub(crate) async fn set_up(cluster: &Cluster<'_>) {
    cluster
        .run_as_operator("psql --quiet --file=policies/superuser/logins.sql postgres")
        .await;
    migrate::run(&cluster.options("dealgraph_owner"))
        .await
        .expect("the logins fit");
    let mut superuser = connect(cluster).await;
    arrange(&mut superuser).await;
    superuser.close().await.expect("the connection ends");
}

async fn serve(cluster: &Cluster<'_>, world: &World) -> Served {
    let logins = Logins::by_name(|login| cluster.options(login));
    let options = PoolOptions {
        size: 4,
        system_size: 2,
        ..PoolOptions::default()
    };
    let db = Db::open(logins, &options, Clock::system(), Hints::default());
    let how = (Limits::default(), Serving::default());
    Served::of(db, Arc::clone(&world.tokens), None, how).await
}

pub(crate) fn token(world: &World, (side, who): (Side, Who)) -> String {
    let issued = world.tokens.issue(side.user(who), side.tenant());
    issued.expect("the key signs").token
}

/// What each of the people is shown.
async fn answers(server: &Served, world: &World) -> Vec<Value> {
    let mut answers = Vec::new();
    for person in ASKED {
        let mut answer = server
            .send(Some(&token(world, person)), QUESTION, &json!({}))
            .await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answers.push(answer["data"].take());
    }
    answers
}

fn assert_everybody_is_shown_something_else(answers: &[Value]) {
    for (n, answer) in answers.iter().enumerate() {
        assert_ne!(answer["opportunities"]["nodes"], json!([]));
        assert!(!answers[..n].contains(answer), "{answer}");
    }
}

async fn event_cursor(server: &Served, world: &World) -> Value {
    let admin = token(world, (A, Who::Admin));
    let answer = server
        .send(Some(&admin), "{ eventCursor }", &json!({}))
        .await;
    answer["data"]["eventCursor"].clone()
}

/// A client that comes back with a cursor of before is told to begin anew, and then can.
async fn assert_is_refused(server: &Served, world: &World, cursor: &Value) {
    let admin = token(world, (A, Who::Admin));
    let mut socket = Socket::at(&server.socket_url(), &admin).await;
    socket.ask("1", DEALS, json!({ "after": cursor })).await;
    assert_eq!(socket.failure("1").await.0, "RESYNC");
    socket.subscribe("2", DEALS, json!({})).await;
    rename(server, world, 3, "In the new history").await;
    let event = socket.event("2").await;
    assert_eq!(event["opportunity"]["name"], "In the new history");
}

async fn rename(server: &Served, world: &World, n: u32, name: &str) {
    let admin = token(world, (A, Who::Admin));
    let input = json!({ "input": { "id": deal(n), "name": name } });
    let answer = server
        .send(Some(&admin), &document("opportunityUpdate"), &input)
        .await;
    let faults = &answer["data"]["opportunityUpdate"]["userErrors"];
    assert_eq!(*faults, json!([]), "{answer}");
}

/// The epochs of both tenants.
async fn epoch(cluster: &Cluster<'_>) -> String {
    let sql = "SELECT string_agg(app.epoch(epoch), ' ' ORDER BY tenant_id) FROM tenant_seq";
    scalar(cluster, sql).await
}

pub(crate) async fn scalar(cluster: &Cluster<'_>, sql: &str) -> String {
    let mut superuser = connect(cluster).await;
    let value = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(&mut superuser)
        .await
        .expect("it can be read");
    superuser.close().await.expect("the connection ends");
    value
}

pub(crate) async fn connect(cluster: &Cluster<'_>) -> PgConnection {
    PgConnection::connect_with(&cluster.options("postgres"))
        .await
        .expect("the superuser connects")
}
