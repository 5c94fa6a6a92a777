//! What the README and the pages in `docs/` show is true: their queries give their answers on the demo tenants, their links
//! lead somewhere, and the lists of settings and of commands are the product's. Pages are found by looking into `docs/`.
//!
//! Every block says its language, and each is run but `text`:
//!
//! - `graphql` is asked, and of `sh` what it posts to the server with `-d` or `--data-urlencode`;
//! - `json` after it is the answer if it has `data` or `errors`, the variables otherwise. The answer of a subscription is
//!   its first event, and one answer more after any block is the next event of the latest subscription.
//!
//! Two words after the language say that a block is not run here. All others that are not are failures:
//!
//! - `not-run`: by nobody, such as commands that want a database of the reader's. A query is never one of these;
//! - `tested-by=<file>`: by that file, which names the page.
//!
//! A block that is asked may begin with lines that say:
//!
//! - `# as <email> in <slug>`, `# without a token` or `# with <name>`, a token that is kept: who asks;
//! - `# <name> is mailed to <email>`: the secret in the last mail to them is kept;
//! - `# <name> is a code of <name>`: what an authenticator app shows that has the kept secret.
//!
//! In an answer `"<any>"` stands for any value but null, and `"<name>"` for a text that is kept under this name:
//! documents below get it as their variable `$name`.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

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
/// Pages that are tried at the same time, each on a database of its own.
const AT_A_TIME: usize = 2;
/// The mark of a block that nobody runs.
const NOT_RUN: &str = "not-run";
/// The mark of a block that another file runs.
const TESTED_BY: &str = "tested-by=";
/// What the examples call their subscriptions.
const OPERATION: &str = "example";

/// A question with its variables and the answer that is promised, if one is.
#[derive(Default)]
struct Example {
    line: usize,
    document: String,
    variables: Option<Value>,
    answer: Option<Value>,
    /// What the latest subscription sends then.
    events: Vec<Value>,
}

#[test]
fn every_page_gives_its_answers() {
    let pages: Vec<(String, Vec<Example>)> = pages()
        .into_iter()
        .map(|page| {
            let examples = examples(&page);
            (page, examples)
        })
        .filter(|(_, examples)| !examples.is_empty())
        .collect();
    let count: usize = pages.iter().map(|(_, examples)| examples.len()).sum();
    assert!(
        pages.len() > 6 && count > 60,
        "there are {count} examples on {} pages",
        pages.len()
    );
    let left = Mutex::new(pages.into_iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((page, examples)) = next() {
                    run(&page, examples);
                }
            });
        }
    });
}

/// Runs the examples of a page in their order, on fresh demo data.
fn run(page: &str, examples: Vec<Example>) {
    test(async |world: &World| {
        let database = Database::migrated().await;
        let served = Served::over(&database, Arc::clone(&world.tokens), None).await;
        demo::load(&served.db, &Progress::hidden())
            .await
            .expect("the demo data loads");
        demo::set_passwords(&served.accounts)
            .await
            .expect("the people get their password");

        let mut reading = Reading {
            world,
            database,
            served,
            kept: Map::new(),
            followed: None,
        };
        for example in examples {
            let mut got = reading.ask(&example).await;
            // What it cost is in docs/limits.md, once.
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
                let next_event = reading.next_event().await;
                assert!(
                    fits(event, &next_event, &mut reading.kept),
                    "{page} line {line} gets\n{next_event:#}"
                );
            }
        }
        reading.served.stop().await;
        reading.database.drop().await;
    });
}

/// A reader who tries what a page shows.
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
            let token = token.expect("a subscriber has a token");
            let mut socket = Socket::at(&self.served.socket_url(), &token).await;
            socket.ask(OPERATION, &example.document, variables).await;
            self.followed = Some(socket);
            return self.next_event().await;
        }
        self.served
            .send(token.as_deref(), &example.document, &variables)
            .await
    }

    /// What the latest subscription sends next.
    async fn next_event(&mut self) -> Value {
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

    /// The secret in the last mail to an address that was not read before.
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
fn the_table_of_settings_is_the_products() {
    assert!(
        text_of("docs/configuration.md").contains(&config::markdown_table()),
        "put this into docs/configuration.md:\n{}",
        config::markdown_table()
    );
}

#[test]
fn the_list_of_commands_is_what_make_says() {
    let makefile = text_of("Makefile");
    let targets = || {
        makefile.lines().filter_map(|line| {
            let (target, rest) = line.split_once(':')?;
            let is_target = target.starts_with(|first: char| first.is_ascii_lowercase())
                && !target.contains(char::is_whitespace);
            is_target.then_some((target, rest))
        })
    };
    let list: String = targets()
        .map(|(target, rest)| {
            let (_, line) = rest
                .split_once("## ")
                .unwrap_or_else(|| panic!("make {target} does not say what it does"));
            format!("make {target:<12} {line}\n")
        })
        .collect();
    assert!(
        list.lines().count() > 10 && text_of("README.md").contains(&list),
        "put this into the README:\n{list}"
    );
    let mut unknown = Vec::new();
    for page in pages() {
        let (prose, blocks) = parts(&page);
        let in_prose = prose.split('`').skip(1).step_by(2);
        for said in blocks.lines().chain(in_prose) {
            let Some(words) = said.strip_prefix("make ") else {
                continue;
            };
            // One command in the list has words behind it that say what it does; elsewhere several may be named at once.
            let most = if list.contains(said) { 1 } else { usize::MAX };
            let named = words
                .split_whitespace()
                .take_while(|word| *word != "#" && !word.contains('='))
                .take(most);
            unknown.extend(
                named
                    .filter(|word| !targets().any(|(target, _)| target == *word))
                    .map(|word| format!("{page}: make {word}")),
            );
        }
    }
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn links_lead_somewhere() {
    let mut found = 0;
    let mut dead = Vec::new();
    for page in pages() {
        let folder = Path::new(&page).parent().expect("a page has a folder");
        let (text, _) = parts(&page);
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.contains("://"));
        for link in links {
            found += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => page.clone(),
                file => folder.join(file).to_string_lossy().into_owned(),
            };
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists()
                && (heading.is_empty() || headings(&file).iter().any(|known| known == heading));
            if !is_there {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(found > 40, "there are links: {found}");
    assert_eq!(dead, [""; 0]);
}

/// The headings of a page as links name them.
fn headings(page: &str) -> Vec<String> {
    let (text, _) = parts(page);
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|char| char.is_alphanumeric() || " -_".contains(*char))
                .map(|char| if char == ' ' { '-' } else { char })
                .collect()
        })
        .collect()
}

/// The text of a page, and what stands in its blocks.
fn parts(page: &str) -> (String, String) {
    let mut is_block = false;
    let (mut text, mut blocks) = (String::new(), String::new());
    for line in text_of(page).lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
            continue;
        }
        let part = if is_block { &mut blocks } else { &mut text };
        part.push_str(line);
        part.push('\n');
    }
    (text, blocks)
}

/// The README, then the pages in `docs/` and in the folders within.
fn pages() -> Vec<String> {
    fn walk(folder: &str, pages: &mut Vec<String>) {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        for entry in entries.expect("there are pages") {
            let entry = entry.expect("an entry");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => walk(&path, pages),
                false if path.ends_with(".md") => pages.push(path),
                false => {}
            }
        }
    }
    let mut pages = Vec::new();
    walk("docs", &mut pages);
    pages.sort();
    pages.insert(0, "README.md".to_owned());
    pages
}

fn text_of(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page))
        .unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// What a page shows; a block that is neither run nor marked is a failure.
fn examples(page: &str) -> Vec<Example> {
    let text = text_of(page);
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((fence, line)) = lines.next() {
        let Some(said) = fence.trim_start().strip_prefix("```") else {
            continue;
        };
        let block = lines
            .by_ref()
            .map(|(line, _)| line)
            .take_while(|line| line.trim() != "```");
        let block = block.collect::<Vec<_>>().join("\n");
        let (language, mark) = said.trim().split_once(' ').unwrap_or((said.trim(), ""));
        if language == "text" {
            continue;
        }
        if !mark.is_empty() {
            let is_known = mark == NOT_RUN && language != "graphql" && posted(&block).is_none()
                || mark
                    .strip_prefix(TESTED_BY)
                    .is_some_and(|file| text_of(file).contains(page));
            assert!(
                is_known,
                "{page} line {line}: {said} is no mark of this block"
            );
            continue;
        }
        match (language, examples.last_mut()) {
            ("sh", _) => {
                let (document, variables) = posted(&block).unwrap_or_else(|| {
                    panic!("{page} line {line}: nothing of this is run, and no mark says so")
                });
                examples.push(Example {
                    line,
                    document,
                    variables,
                    ..Example::default()
                });
            }
            ("graphql", _) => examples.push(Example {
                line,
                document: block,
                ..Example::default()
            }),
            ("json", Some(example)) => {
                let value: Value = serde_json::from_str(&block)
                    .unwrap_or_else(|error| panic!("{page} line {line}: {error}"));
                let is_answer = value.get("data").is_some() || value.get("errors").is_some();
                let is_asked_for = |name: &String| example.document.contains(&format!("${name}"));
                assert!(
                    is_answer
                        || value
                            .as_object()
                            .is_some_and(|all| all.keys().all(is_asked_for)),
                    "{page} line {line}: this is no answer, the query takes no such variables, and no mark says what it is"
                );
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
            _ => {
                panic!("{page} line {line}: this block of {said:?} is not run, and no mark says so")
            }
        }
    }
    examples
}

/// The document that a line of shell sends, by `-d '{"query":"…"}'` with its variables or by `--data-urlencode 'query=…'`.
fn posted(shell: &str) -> Option<(String, Option<Value>)> {
    if let Some((_, rest)) = shell.split_once("--data-urlencode 'query=") {
        return Some((rest.split_once('\'')?.0.to_owned(), None));
    }
    let body = shell.split_once("-d '")?.1.split_once('\'')?.0;
    let body: Value = serde_json::from_str(body).expect("the posted body is JSON");
    let document = body["query"].as_str().expect("it has a query").to_owned();
    Some((document, body.get("variables").cloned()))
}

/// Files whose refusals only the operator at a command line gets to read.
const OF_OPERATORS: [&str; 2] = [
    "src/organization/tenants/purge.rs",
    "src/organization/tenants/operator.rs",
];

#[test]
fn every_code_that_a_form_can_receive_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = [
        "docs/frontend.md",
        "docs/graphql.md",
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
