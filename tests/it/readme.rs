//! What the README and the pages in `docs/` show is true: their queries give their answers on the demo tenants, and the
//! README's table of settings is the product's.
//!
//! A block of GraphQL, or of a shell that posts one, may be followed by JSON: an object with `data` or `errors` is the
//! answer, any other one the variables. The answer of a subscription is its first event, and one answer more after any
//! block is the next event of the latest subscription. The block may begin with lines that say:
//!
//! - `# as <email> in <slug>`, `# without a token` or `# with <name>`, a token that is kept: who asks;
//! - `# <name> is mailed to <email>`: the secret in the last mail to them is kept;
//! - `# <name> is a code of <name>`: what an authenticator app shows that has the kept secret.
//!
//! In an answer `"<any>"` stands for any value but null, and `"<name>"` for a text that is kept under this name:
//! documents below get it as their variable `$name`.

use std::{fs, path::Path, sync::Arc, time::Duration};

use chrono::Utc;
use dealgraph::{
    base::ids::{TenantId, Typed as _, UserId},
    platform::Progress,
    tools::{config, demo},
};
use serde_json::{Map, Value, json};
use totp_rs::{Builder, Secret};
use uuid::Uuid;

use crate::{
    defaults::served::Served,
    harness::{Database, World, mails_in, test},
    live::Socket,
};

/// As whom the examples are run that name nobody.
const READER: (&str, &str) = ("admin@maven.example", "maven");
/// What the examples call their subscriptions.
const OPERATION: &str = "example";

/// A question with its variables and the answer that is promised, if one is.
#[derive(Default)]
struct Example {
    line: usize,
    document: String,
    variables: Option<Value>,
    answer: Option<Value>,
    /// What the latest subscription tells then.
    events: Vec<Value>,
}

#[test]
fn its_queries_give_its_answers() {
    run("README.md");
}

#[test]
fn the_page_for_tenant_admins_gives_its_answers() {
    run("docs/tenant-admins.md");
}

#[test]
fn the_page_for_frontends_gives_its_answers() {
    run("docs/frontend.md");
}

#[test]
fn the_page_for_dashboards_gives_its_answers() {
    run("docs/live.md");
}

/// Runs the examples of a page in their order, on fresh demo data.
fn run(page: &str) {
    test(async |world: &World| {
        let database = Database::migrated().await;
        let served = Served::over(&database, Arc::clone(&world.tokens), None).await;
        demo::load(&served.db, &Progress::hidden())
            .await
            .expect("the demo data loads");
        demo::set_passwords(&served.accounts)
            .await
            .expect("the people get their password");

        let examples = examples(page);
        assert!(examples.len() > 5, "{page} has examples");
        let mut reading = Reading {
            world,
            database,
            served,
            kept: Map::new(),
            followed: None,
        };
        for example in examples {
            let mut got = reading.ask(&example).await;
            // What it cost is told by docs/limits.md, once.
            if let Some(answer) = got.as_object_mut() {
                answer.remove("extensions");
            }
            let line = example.line;
            match &example.answer {
                Some(answer) => assert!(
                    fits(answer, &got, &mut reading.kept),
                    "{page} line {line} answers\n{got:#}"
                ),
                None => assert!(
                    got.get("errors").is_none(),
                    "{page} line {line} answers {got}"
                ),
            }
            for event in &example.events {
                let told = reading.told().await;
                assert!(
                    fits(event, &told, &mut reading.kept),
                    "{page} line {line} tells\n{told:#}"
                );
            }
        }
        reading.served.stop().await;
        reading.database.drop().await;
    });
}

/// Somebody who tries what a page shows.
struct Reading<'w> {
    world: &'w World,
    database: Database,
    served: Served,
    kept: Map<String, Value>,
    /// The socket of the latest subscription.
    followed: Option<Socket<'w>>,
}

impl Reading<'_> {
    async fn ask(&mut self, example: &Example) -> Value {
        let mut token = None;
        let mut anonymous = false;
        for said in example.sayings() {
            if said == "without a token" {
                anonymous = true;
            } else if let Some(name) = said.strip_prefix("with ") {
                token = Some(self.kept(name));
            } else if let Some((email, slug)) = said
                .strip_prefix("as ")
                .and_then(|named| named.split_once(" in "))
            {
                token = Some(self.token_of((email, slug)).await);
            } else if let Some((name, email)) = said.split_once(" is mailed to ") {
                let secret = self.mailed(email).await;
                self.kept.insert(name.to_owned(), secret.into());
            } else if let Some((name, secret)) = said.split_once(" is a code of ") {
                let code = code(&self.kept(secret));
                self.kept.insert(name.to_owned(), code.into());
            }
        }
        if token.is_none() && !anonymous {
            token = Some(self.token_of(READER).await);
        }
        let variables = self.variables(example);
        if example.is_subscription() {
            let token = token.expect("whoever follows has a token");
            let mut socket = Socket::at(&self.served.socket_url(), &token).await;
            socket.ask(OPERATION, &example.document, variables).await;
            self.followed = Some(socket);
            return self.told().await;
        }
        self.served
            .send(token.as_deref(), &example.document, &variables)
            .await
    }

    /// What the latest subscription tells next.
    async fn told(&mut self) -> Value {
        let socket = self.followed.as_mut().expect("a subscription above");
        let mut message = socket.message(OPERATION).await;
        match message["type"].as_str() {
            Some("next") => message["payload"].take(),
            _ => json!({ "errors": message["payload"] }),
        }
    }

    /// The example's own variables, and those of its document that are kept.
    fn variables(&self, example: &Example) -> Value {
        let mut variables = example.variables.clone().unwrap_or_else(|| json!({}));
        for (name, value) in &self.kept {
            if example.document.contains(&format!("${name}:")) {
                variables[name] = value.clone();
            }
        }
        variables
    }

    fn kept(&self, name: &str) -> String {
        let kept = self.kept.get(name).and_then(Value::as_str);
        kept.unwrap_or_else(|| panic!("no answer above has <{name}>"))
            .to_owned()
    }

    async fn token_of(&self, reader: (&str, &str)) -> String {
        let (user, tenant) = member(&self.database, reader).await;
        let issued = self.world.tokens.issue(user, tenant);
        issued.expect("the key signs").token
    }

    /// The secret in the last mail to somebody that was not read before.
    async fn mailed(&self, email: &str) -> String {
        for _ in 0..400 {
            let mails = mails_in(&self.served.mails);
            let mail = mails.iter().rfind(|mail| mail.to == email);
            if let Some(secret) = mail.map(|mail| mail.token())
                && !self.kept.values().any(|kept| *kept == secret)
            {
                return secret;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{email} got no mail");
    }
}

async fn member(database: &Database, (email, slug): (&str, &str)) -> (UserId, TenantId) {
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

/// What an authenticator app shows now.
#[expect(clippy::disallowed_methods, reason = "an app has a clock of its own")]
fn code(secret: &str) -> String {
    let secret = Secret::try_from_base32(secret).expect("base32");
    let app = Builder::new().with_secret(secret).build().expect("an app");
    let seconds = u64::try_from(Utc::now().timestamp()).expect("after 1970");
    app.generate(seconds).to_string()
}

/// Whether an answer is the promised one; keeps what the promise names.
fn fits(promised: &Value, got: &Value, kept: &mut Map<String, Value>) -> bool {
    let name = promised.as_str().and_then(|text| {
        let name = text.strip_prefix('<')?.strip_suffix('>')?;
        Some(name.to_owned())
    });
    match (name, promised, got) {
        (Some(name), _, _) if name == "any" => !got.is_null(),
        (Some(name), _, Value::String(_)) => {
            kept.insert(name, got.clone());
            true
        }
        (None, Value::Object(promised), Value::Object(got)) => {
            promised.len() == got.len()
                && promised.iter().all(|(field, promised)| {
                    got.get(field).is_some_and(|got| fits(promised, got, kept))
                })
        }
        (None, Value::Array(promised), Value::Array(got)) => {
            promised.len() == got.len()
                && promised
                    .iter()
                    .zip(got)
                    .all(|(promised, got)| fits(promised, got, kept))
        }
        _ => promised == got,
    }
}

impl Example {
    /// What the lines say that the document begins with.
    fn sayings(&self) -> impl Iterator<Item = &str> {
        self.document
            .lines()
            .map_while(|line| line.strip_prefix("# "))
    }

    fn is_subscription(&self) -> bool {
        let mut lines = self.document.lines();
        let first = lines.find(|line| !line.starts_with('#'));
        first.is_some_and(|line| line.starts_with("subscription"))
    }
}

#[test]
fn its_table_of_settings_is_the_products() {
    assert!(
        text_of("README.md").contains(&config::markdown_table()),
        "put this into the README:\n{}",
        config::markdown_table()
    );
}

fn text_of(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page))
        .unwrap_or_else(|error| panic!("{page}: {error}"))
}

fn examples(page: &str) -> Vec<Example> {
    let text = text_of(page);
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = text.lines().zip(1..);
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
                    .unwrap_or_else(|error| panic!("{page} line {line}: {error}"));
                let is_answer = value.get("data").is_some() || value.get("errors").is_some();
                if is_answer && example.answer.is_some() {
                    example.events.push(value);
                    continue;
                }
                let place = if is_answer {
                    &mut example.answer
                } else {
                    &mut example.variables
                };
                assert!(
                    place.replace(value).is_none(),
                    "{page} line {line}: the query has one like this already"
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

/// Files whose refusals only the operator at a command line gets to read.
const OF_OPERATORS: [&str; 2] = ["src/tenants/purge.rs", "src/tenants/operator.rs"];

#[test]
fn every_code_that_a_form_can_be_told_is_written_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = [
        "README.md",
        "docs/frontend.md",
        "docs/limits.md",
        "docs/live.md",
        "docs/tenant-admins.md",
    ]
    .map(text_of);
    let mut missing = Vec::new();
    let mut found = 0;
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            if !is_source || OF_OPERATORS.iter().any(|file| path.ends_with(file)) {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source is text");
            for rest in text.split("Error::invalid(").skip(1) {
                let code = rest
                    .trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next());
                if let Some(code) = code {
                    found += 1;
                    let named = format!("`{code}`");
                    if !pages.iter().any(|page| page.contains(&named)) {
                        missing.push(code.to_owned());
                    }
                }
            }
        }
    }
    assert!(found > 50, "there are codes: {found}");
    assert_eq!(missing, [""; 0], "put them into docs/frontend.md");
}
