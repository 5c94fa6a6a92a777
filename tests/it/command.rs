//! The one executable: what it prints is usable, and what it refuses it refuses in one sentence.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Output,
};

use dealgraph::{
    access::Role,
    base::ids::{TenantId, UserId},
    db::SystemReason,
    organization::members::provision::{self, NewMember, NewTenant},
    tools::dev::postgres::Endpoint,
};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::process::Command;

use crate::{
    defaults::child::{PATIENCE, binary, serve_command, url},
    harness::{Database, Who, World, open, test},
};

async fn run(mut command: Command) -> Output {
    let done = tokio::time::timeout(PATIENCE, command.output())
        .await
        .expect("it ends by itself");
    done.expect("the binary starts")
}

/// What a command says that fails.
async fn refusal(command: Command) -> String {
    let done = run(command).await;
    assert!(!done.status.success(), "{done:?}");
    assert!(done.stdout.is_empty(), "{done:?}");
    let said = String::from_utf8(done.stderr).expect("it is text");
    assert!(said.starts_with("dealgraph: "), "{said}");
    said
}

fn command(arguments: &[&str]) -> Command {
    let mut command = binary();
    command.args(arguments);
    command
}

#[tokio::test]
async fn schema_prints_the_schema_that_is_committed() {
    let done = run(command(&["schema"])).await;
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    let committed =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql"));
    let is_same =
        String::from_utf8(done.stdout).expect("it is text") == committed.expect("it is committed");
    assert!(is_same, "run `dealgraph schema > schema.graphql`");
}

#[tokio::test]
async fn a_variable_that_is_unknown_bad_or_missing_is_named() {
    for (name, value) in [
        ("DEALGRAPH_POOL_SIZ", "3"),
        ("DEALGRAPH_POOL_SIZE", "many"),
        ("DEALGRAPH_DATABASE_URL", "nonsense"),
    ] {
        let mut serve = command(&["serve"]);
        serve.env(name, value);
        let said = refusal(serve).await;
        assert!(said.contains(name) && !said.contains("nonsense"), "{said}");
    }
    let missing = refusal(command(&["serve"])).await;
    for name in [
        "DEALGRAPH_DATABASE_URL",
        "DEALGRAPH_SYSTEM_DATABASE_URL",
        "DEALGRAPH_ENCRYPTION_KEYS",
    ] {
        assert!(missing.contains(name), "{missing}");
    }
    assert!(
        refusal(command(&["migrate"]))
            .await
            .contains("DEALGRAPH_OWNER_DATABASE_URL")
    );
}

#[tokio::test]
async fn a_plan_that_the_file_does_not_name_is_refused_with_those_that_it_does() {
    let file = std::env::temp_dir().join(format!("dealgraph-plans-{}.json", std::process::id()));
    std::fs::write(&file, r#"{ "free": { "depth": 8 }, "large": {} }"#).expect("it can be written");
    let mut misspelt = command(&["tenant", "set-plan", "acme", "fre"]);
    misspelt.env("DEALGRAPH_PLANS", &file);
    let said = refusal(misspelt).await;
    std::fs::remove_file(&file).expect("it was there");
    assert!(
        said.contains("\"fre\"") && said.contains("only: free, large"),
        "{said}"
    );
}

#[test]
fn serve_refuses_logins_that_could_bypass_row_level_security() {
    test(async |world: &World| {
        for logins in [
            ("dealgraph_owner", "dealgraph_system"),
            ("dealgraph_app", "dealgraph_owner"),
            ("postgres", "dealgraph_system"),
            ("dealgraph_app", "postgres"),
        ] {
            let said = refusal(serve_command(&world.database, logins).await).await;
            let bad = if logins.0 == "dealgraph_app" {
                logins.1
            } else {
                logins.0
            };
            assert!(
                said.contains(bad) && said.contains("row-level security"),
                "{logins:?}: {said}"
            );
        }
        let mut empty = world.database.superuser().await;
        sqlx::query("DROP TABLE opportunities CASCADE")
            .execute(&mut empty)
            .await
            .expect("a superuser may");
        let said =
            refusal(serve_command(&world.database, ("dealgraph_app", "dealgraph_system")).await)
                .await;
        assert!(said.contains("dealgraph migrate"), "{said}");
    });
}

#[test]
fn token_prints_a_token_for_a_person_of_the_cluster_and_nothing_else() {
    test(async |world: &World| {
        let options = world.database.options("postgres").await;
        let folder = folder_of(&options);
        let folder = folder.to_str().expect("it is text");
        // The command reads the development cluster's own database, which the cluster of tests does not have yet.
        let mut superuser = PgConnection::connect_with(&options.clone().database("postgres"))
            .await
            .expect("it connects");
        sqlx::query("CREATE DATABASE dealgraph TEMPLATE world OWNER dealgraph_owner")
            .execute(&mut superuser)
            .await
            .expect("it is new");

        let mail = format!("person{}@a0a0.example", Who::Admin as u32 + 1);
        let done = run(command(&["token", "--data-dir", folder, "--email", &mail])).await;
        let token = String::from_utf8(done.stdout).expect("it is text");
        assert!(
            done.status.success() && done.stderr.is_empty(),
            "{token} {:?}",
            String::from_utf8(done.stderr)
        );
        assert_eq!(
            (token.lines().count(), token.trim().split('.').count()),
            (1, 3),
            "{token}"
        );

        let ask = async |more: &[&str]| {
            let mut token = command(&["token", "--data-dir", folder, "--email"]);
            token.args(more);
            refusal(token).await
        };
        assert!(
            ask(&["nobody@a0a0.example"])
                .await
                .contains("nobody@a0a0.example")
        );
        let which = ask(&["both@dealgraph.example"]).await;
        assert!(
            which.contains("--tenant")
                && which.contains("side-a0a0")
                && which.contains("side-b0b0"),
            "{which}"
        );
        let nowhere = refusal(command(&[
            "token",
            "--data-dir",
            "/nonexistent/dealgraph",
            "--email",
            &mail,
        ]))
        .await;
        assert!(nowhere.contains("/nonexistent/dealgraph"), "{nowhere}");
        sqlx::query("DROP DATABASE dealgraph WITH (FORCE)")
            .execute(&mut superuser)
            .await
            .expect("it is there");
        superuser.close().await.expect("the connection ends");
    });
}

/// The data folder of the cluster that these options lead to.
fn folder_of(options: &PgConnectOptions) -> PathBuf {
    let folders =
        (0..).map(|run| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{run}")));
    let is_ours = |folder: &PathBuf| {
        let endpoint = Endpoint::of(folder).expect("an account for the servers");
        endpoint
            .connect_options("postgres", "postgres")
            .get_socket()
            == options.get_socket()
    };
    folders
        .take_while(|folder| folder.exists())
        .find(is_ours)
        .expect("the cluster has a data folder")
}

#[tokio::test]
async fn dev_on_a_port_in_use_says_so_and_touches_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("never-{}", std::process::id()));
    let said = refusal(command(&[
        "dev",
        "--port",
        &port,
        "--data-dir",
        folder.to_str().expect("it is text"),
    ]))
    .await;
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
    assert!(!folder.exists());
}

#[test]
fn import_twice_loads_once_and_reports_what_it_repaired() {
    test(async |_: &World| {
        let database = Database::migrated().await;
        let db = open(&database, 1).await;
        let mut tx = db
            .system(SystemReason::Provisioning)
            .await
            .expect("the database answers");
        let tenant = NewTenant {
            id: TenantId::new(),
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            base_currency: "USD".to_owned(),
            time_zone: "America/New_York".to_owned(),
            locale: "en-US".to_owned(),
        };
        provision::tenant(&mut tx, &tenant)
            .await
            .expect("it is new");
        let admin = NewMember {
            user: UserId::new(),
            email: "admin@acme.example".to_owned(),
            name: "Ada".to_owned(),
            role: Role::Admin,
            team: None,
        };
        provision::members(&mut tx, tenant.id, &[admin])
            .await
            .expect("she is new");
        tx.commit().await.expect("the database answers");

        let import = async || {
            let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/maven");
            let mut import = command(&[
                "import",
                "maven",
                data.to_str().expect("it is text"),
                "--tenant",
                "acme",
            ]);
            import.env(
                "DEALGRAPH_DATABASE_URL",
                url(&database.options("dealgraph_app").await),
            );
            import.env(
                "DEALGRAPH_SYSTEM_DATABASE_URL",
                url(&database.options("dealgraph_system").await),
            );
            // A debug build writes 8,800 deals.
            let done = tokio::time::timeout(PATIENCE * 10, import.output())
                .await
                .expect("it ends by itself")
                .expect("it starts");
            let said = String::from_utf8(done.stdout).expect("it is text");
            assert!(
                done.status.success(),
                "{said}{}",
                String::from_utf8_lossy(&done.stderr)
            );
            said
        };
        let row = |said: &str, kind: &str| -> Vec<String> {
            let line = said
                .lines()
                .find(|line| line.starts_with(kind))
                .unwrap_or_else(|| panic!("{kind} in {said}"));
            line.split_whitespace()
                .skip(1)
                .map(|number| number.replace(',', ""))
                .collect()
        };
        let first = import().await;
        assert_eq!(row(&first, "opportunities"), ["8800", "0", "0"], "{first}");
        assert_eq!(row(&first, "companies"), ["85", "0", "0"], "{first}");
        assert_eq!(row(&first, "products"), ["7", "0", "0"], "{first}");
        assert!(
            first.contains("GTXPro") && first.contains("1,425"),
            "{first}"
        );
        let mut inspector = database.superuser().await;
        let state = "SELECT (SELECT string_agg(name || ' ' || deals, ', ' ORDER BY deals) FROM (
                SELECT s.name, count(*) AS deals FROM opportunities o JOIN stages s USING (tenant_id, stage_id) GROUP BY s.name) of)
            || format('; %s companies, %s without one, %s events to %s',
                (SELECT count(*) FROM companies), (SELECT count(*) FROM opportunities WHERE company_id IS NULL),
                (SELECT count(*) FROM events), (SELECT last_seq FROM tenant_seq))";
        let loaded: String = sqlx::query_scalar(state)
            .fetch_one(&mut inspector)
            .await
            .expect("it can be counted");
        let counts =
            "Prospecting 500, Engaging 1589, Lost 2473, Won 4238; 85 companies, 1425 without one, ";
        assert!(loaded.starts_with(counts), "{loaded}");
        // Made beside the verbs, and known to the response cache all the same.
        let changed = "SELECT changed ?& ARRAY['team', 'member', 'company', 'pipeline', 'opportunity'] FROM tenant_seq";
        let changed: bool = sqlx::query_scalar(changed)
            .fetch_one(&mut inspector)
            .await
            .expect("it can be asked");
        assert!(changed, "kinds of records changed without a trace");

        let second = import().await;
        assert_eq!(
            row(&second, "opportunities"),
            ["0", "8800", "0"],
            "{second}"
        );
        assert_eq!(row(&second, "members")[0], "0", "{second}");
        assert!(second.contains("Nothing was new"), "{second}");
        let again: String = sqlx::query_scalar(state)
            .fetch_one(&mut inspector)
            .await
            .expect("it can be counted");
        assert_eq!(again, loaded);
        db.close().await;
        database.drop().await;
    });
}
