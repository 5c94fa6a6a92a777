//! What the README shows is true: its queries give its answers on the demo tenant, and its table of settings is the product's.
//!
//! A block of GraphQL, or of a shell that posts one, may be followed by JSON: an object with `data` or `errors` is the
//! answer, any other one the variables.

use std::{fs, path::Path, sync::Arc};

use dealgraph::{
    config, demo,
    ids::{TenantId, Typed as _, UserId},
    import::Progress,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    defaults::served::Served,
    harness::{Database, World, test},
};

/// As whom the README's examples are run that name nobody.
const READER: (&str, &str) = ("admin@maven.example", "maven");

/// A question with its variables and the answer that is promised, if one is.
#[derive(Default)]
struct Example {
    line: usize,
    document: String,
    variables: Option<Value>,
    answer: Option<Value>,
}

#[test]
fn its_queries_give_its_answers() {
    test(async |world: &World| {
        let database = Database::migrated().await;
        let served = Served::over(&database, Arc::clone(&world.tokens), None).await;
        demo::load(&served.db, &Progress::hidden())
            .await
            .expect("the demo data loads");

        let examples = examples(&readme());
        assert!(examples.len() > 5, "the README has examples");
        for example in examples {
            let Example {
                line,
                document,
                variables,
                answer,
            } = &example;
            let (user, tenant) = reader(&database, example.reader()).await;
            let token = world
                .tokens
                .issue(user, tenant)
                .expect("the key signs")
                .token;
            let got = served
                .send(&token, document, variables.as_ref().unwrap_or(&json!({})))
                .await;
            match answer {
                Some(answer) => assert_eq!(got, *answer, "README.md line {line} answers\n{got:#}"),
                None => assert!(
                    got.get("errors").is_none(),
                    "README.md line {line} answers {got}"
                ),
            }
        }
        served.stop().await;
        database.drop().await;
    });
}

async fn reader(database: &Database, (email, slug): (&str, &str)) -> (UserId, TenantId) {
    let sql = "SELECT m.user_id, m.tenant_id FROM memberships m JOIN tenants t USING (tenant_id) WHERE m.email = $1 AND t.slug = $2";
    let mut inspector = database.superuser().await;
    let found: Option<(Uuid, Uuid)> = sqlx::query_as(sql)
        .bind(email)
        .bind(slug)
        .fetch_optional(&mut inspector)
        .await
        .expect("members can be read");
    let (user, tenant) = found.unwrap_or_else(|| panic!("{email} is not in {slug}"));
    (UserId::from_uuid(user), TenantId::from_uuid(tenant))
}

impl Example {
    /// The person and the tenant that the first line names: `# as <email> in <slug>`.
    fn reader(&self) -> (&str, &str) {
        let first = self.document.lines().next().unwrap_or_default();
        first
            .strip_prefix("# as ")
            .and_then(|named| named.split_once(" in "))
            .unwrap_or(READER)
    }
}

#[test]
fn its_table_of_settings_is_the_products() {
    assert!(
        readme().contains(&config::markdown_table()),
        "put this into the README:\n{}",
        config::markdown_table()
    );
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))
        .expect("there is a README")
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = readme.lines().zip(1..);
    while let Some((fence, line)) = lines.next() {
        let Some(language) = fence.trim_start().strip_prefix("```") else {
            continue;
        };
        let block = lines
            .by_ref()
            .map(|(line, _)| line)
            .take_while(|line| line.trim() != "```");
        let block = block.collect::<Vec<_>>().join("\n");
        match (language.trim(), examples.last_mut()) {
            ("sh", _) => examples.extend(posted(&block).map(|document| Example {
                line,
                document,
                ..Example::default()
            })),
            ("graphql", _) => examples.push(Example {
                line,
                document: block,
                ..Example::default()
            }),
            ("json", Some(example)) => {
                let value: Value = serde_json::from_str(&block)
                    .unwrap_or_else(|error| panic!("README.md line {line}: {error}"));
                let is_answer = value.get("data").is_some() || value.get("errors").is_some();
                let place = if is_answer {
                    &mut example.answer
                } else {
                    &mut example.variables
                };
                assert!(
                    place.replace(value).is_none(),
                    "README.md line {line}: the query has one like this already"
                );
            }
            _ => {}
        }
    }
    examples
}

/// The document that a line of shell posts as `-d '{"query":"…"}'`.
fn posted(shell: &str) -> Option<String> {
    let body = shell.split_once("-d '")?.1.split_once('\'')?.0;
    let body: Value = serde_json::from_str(body).expect("the posted body is JSON");
    Some(body["query"].as_str().expect("it has a query").to_owned())
}
