//! A PgBouncer in transaction mode between the servers and Postgres: each transaction may have another of its few
//! connections, which served anybody before.

use std::sync::Arc;

use dealgraph::{
    api::limits::Limits,
    base::{clock::Clock, error::Result},
    db::{Db, Logins, PoolOptions, Sql, SystemReason, journal::Hints},
    tools::{app::Serving, dev::pgbouncer::PgBouncer},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{OURS, TASKS, cut_off_many, expected, look, touch};
use crate::{
    defaults::{child::PATIENCE, served::Served},
    harness::{A, B, Who, World, test},
    live::{DEALS, Socket, deal, document},
};

/// Connections to Postgres that each login has at the PgBouncer.
const FEW: u32 = 3;
const BOARD: &str = "{ opportunities { totalCount nodes { name stage { name } owner { name } company { name } } } }";

/// What a server has: more connections to the PgBouncer than that has to Postgres.
async fn open(world: &World, bouncer: &PgBouncer, prepared: bool) -> Db {
    let login = async |user| {
        let direct = world.database.direct_options(user).await;
        let login = bouncer.in_front_of(direct);
        login.statement_cache_capacity(if prepared { 200 } else { 0 })
    };
    let options = PoolOptions {
        size: 8,
        tenant_share: 8,
        system_size: 4,
        acquire_timeout: PATIENCE,
        prepared,
        ..PoolOptions::default()
    };
    let logins = Logins {
        app: login("dealgraph_app").await,
        system: login("dealgraph_system").await,
    };
    Db::open(logins, &options, Clock::system(), Hints::default())
}

/// Two servers that keep no answers.
async fn servers(world: &World, bouncer: &PgBouncer, prepared: bool) -> [Served; 2] {
    let server = async || {
        let serving = Serving {
            cache_bytes: 0,
            ..Serving::default()
        };
        let db = open(world, bouncer, prepared).await;
        let tokens = Arc::clone(&world.tokens);
        Served::of(db, tokens, None, (Limits::default(), serving)).await
    };
    [server().await, server().await]
}

fn token(world: &World, who: Who) -> String {
    let issued = world.tokens.issue(A.user(who), A.tenant());
    issued.expect("the key signs").token
}

async fn rename(server: &Served, token: &str, n: u32, name: &str) {
    let input = json!({ "input": { "id": deal(n), "name": name } });
    let mutation = document("opportunityUpdate");
    let answer = server.send(Some(token), &mutation, &input).await;
    let errors = &answer["data"]["opportunityUpdate"]["userErrors"];
    assert_eq!(errors, &json!([]), "{answer}");
}

async fn serve_boards_mutations_and_subscriptions(world: &World, prepared: bool) {
    let Some(bouncer) = world.database.bouncer(FEW).await else {
        return;
    };
    let mut inspector = world.database.superuser().await;
    let others: i64 = sqlx::query_scalar(OURS)
        .fetch_one(&mut inspector)
        .await
        .unwrap();
    let servers = servers(world, &bouncer, prepared).await;
    let (admin, analyst) = (token(world, Who::Admin), token(world, Who::Analyst));
    let board = world.member(A, Who::Admin).ask_anew(BOARD).await.data();
    let mut sockets = Vec::new();
    for server in &servers {
        let mut socket = Socket::at(&server.socket_url(), &analyst).await;
        socket.subscribe("1", DEALS, json!({})).await;
        sockets.push(socket);
    }
    let boards = join_all((0..60).map(|n| servers[n % 2].send(Some(&admin), BOARD, &Value::Null)));
    for answer in boards.await {
        assert_eq!(answer["data"], board, "{answer}");
    }
    let reading = async {
        let many = (0..60).map(|n| servers[n % 2].send(Some(&admin), BOARD, &Value::Null));
        for answer in join_all(many).await {
            assert_eq!(answer["errors"], Value::Null, "{answer}");
        }
    };
    let writing = async {
        for round in 0..10 {
            for (n, server) in (1..).zip(&servers) {
                rename(server, &admin, n, &format!("Round {round} at {n}")).await;
            }
        }
    };
    tokio::join!(reading, writing);
    for socket in &mut sockets {
        for round in 0..10 {
            for n in 1..=2 {
                let event = socket.event("1").await;
                assert_eq!(event["recordId"], json!(deal(n)));
                // The record that comes with it is as it is by now.
                let change = &event["changes"][0];
                let name = format!("Round {round} at {n}");
                assert_eq!(
                    (&change["field"], &change["after"]),
                    (&json!("name"), &json!(name))
                );
            }
        }
    }
    let connections: i64 = sqlx::query_scalar(OURS)
        .fetch_one(&mut inspector)
        .await
        .unwrap();
    let connections = connections - others;
    assert!((1..=i64::from(FEW)).contains(&connections), "{connections}");
    drop(sockets);
    for server in servers {
        server.stop().await;
    }
}

#[test]
fn two_servers_over_a_bouncer_with_few_connections_serve_all_there_is() {
    test(async |world| serve_boards_mutations_and_subscriptions(world, true).await);
}

/// As behind a PgBouncer older than 1.21, by `DEALGRAPH_STATEMENT_CACHE=0`.
#[test]
fn they_do_without_prepared_statements_too() {
    test(async |world| serve_boards_mutations_and_subscriptions(world, false).await);
}

/// Four readers at once over fewer connections, each with a statement of its own.
async fn read_without_transactions(world: &World, prepared: bool) {
    let Some(bouncer) = world.database.bouncer(FEW).await else {
        return;
    };
    let db = open(world, &bouncer, prepared).await;
    let texts = [
        "SELECT 1000 + ",
        "SELECT 2000 + ",
        "SELECT 3000 + ",
        "SELECT 4000 + ",
    ];
    let reading = (1..).zip(texts).map(async |(n, text)| {
        let reader = db.autocommit_reader(SystemReason::Health).await;
        let mut reader = reader.unwrap();
        for round in 0..100 {
            let read = reader.all::<(i32,)>(Sql::new(text).bind(round)).await;
            assert_eq!(read.unwrap(), [(n * 1000 + round,)]);
        }
    });
    join_all(reading).await;
    db.close().await;
}

#[test]
fn a_statement_without_a_transaction_is_not_taken_for_another_ones() {
    test(async |world| {
        read_without_transactions(world, true).await;
        read_without_transactions(world, false).await;
    });
}

/// What a session of Postgres that served others knows of them, outside of any transaction of the product's.
async fn left(plain: &mut PgConnection) -> Vec<Option<String>> {
    let mut found = Vec::new();
    for setting in [
        "tenant_id",
        "user_id",
        "permissions",
        "account",
        "author",
        "masks",
    ] {
        let name = format!("app.{setting}");
        let value = sqlx::query_scalar("SELECT nullif(current_setting($1, true), '')")
            .bind(name)
            .fetch_one(&mut *plain)
            .await;
        found.push(value.unwrap());
    }
    found
}

async fn process(db: &Db) -> Result<i32> {
    let session = db.read_session(A.actor(Who::Admin));
    let pid = session.run(async |tx| tx.column(Sql::new("SELECT pg_backend_pid()")).await);
    Ok(pid.await?.remove(0))
}

#[test]
fn nothing_of_a_client_is_left_for_the_next_one_on_the_same_connection_of_postgres() {
    test(async |world| {
        let Some(bouncer) = world.database.bouncer(1).await else {
            return;
        };
        let (here, there) = (
            open(world, &bouncer, true).await,
            open(world, &bouncer, true).await,
        );
        let login = world.database.direct_options("dealgraph_app").await;
        let mut plain = PgConnection::connect_with(&bouncer.in_front_of(login))
            .await
            .unwrap();
        let shared = process(&here).await.unwrap();
        for round in 0..50 {
            for (db, side) in [(&here, A), (&there, B), (&there, A), (&here, B)] {
                match round % 5 {
                    0 => touch(db, side).await.unwrap(),
                    1 => {
                        let session = db.read_session(side.actor(Who::Admin));
                        let refused =
                            session.run(async |tx| tx.rows(Sql::new("SELECT 1 / 0")).await);
                        assert!(refused.await.is_err(), "it was meant to fail");
                    }
                    2 => drop(db.system(SystemReason::Health).await.unwrap()),
                    _ => {}
                }
                assert_eq!(
                    look(db, side).await.unwrap(),
                    expected(side),
                    "round {round}"
                );
                assert_eq!(left(&mut plain).await, [const { None }; 6], "round {round}");
            }
        }
        assert_eq!(process(&there).await.unwrap(), shared, "they share it");
        plain.close().await.unwrap();
        here.close().await;
        there.close().await;
    });
}

#[test]
fn requests_cut_off_at_any_point_leave_nothing_behind_a_bouncer_either() {
    test(async |world| {
        let Some(bouncer) = world.database.bouncer(FEW).await else {
            return;
        };
        let servers = [
            open(world, &bouncer, true).await,
            open(world, &bouncer, true).await,
        ];
        let tasks = (0..TASKS as u64).map(|seed| {
            let db = servers[seed as usize % 2].clone();
            tokio::spawn(cut_off_many(db, seed))
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no request mixes tenants");
        }
        super::nobody_stays_in_a_transaction(&world.database).await;
        for db in servers {
            db.close().await;
        }
    });
}
