//! The page in `docs/examples/`: filled in by a browser, or its script by Node where there is no browser.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
};

use super::{form::Form, leads};
use crate::{
    harness::{Who, World, test},
    http::install,
};

#[test]
fn the_example_page_works_in_a_browser() {
    test(async |world: &World| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("tests/node");
        install(&folder).await;
        let mut node = Command::new("node");
        node.arg("lead-form.mjs")
            .arg(root.join("docs/examples/lead-form.html"))
            .args(std::env::var_os("LEAD_FORM_SCREENSHOTS"))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut node = node.spawn().expect("node is installed");
        let stdout = node.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let mut next = async || -> Value {
            let line = lines.next_line().await.expect("it is text");
            let line = line.expect("the script says more");
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
        };
        let origins = next().await;
        let allowed = origins["allowed"].as_str().expect("an origin");
        let form = Form::make(
            world,
            json!({ "allowedOrigins": [allowed], "thanksUrl": format!("{allowed}/thanks"), "honeypot": "website",
                    "consentText": "You may call or write to me about this.", "consentField": "agree" }),
        )
        .await;
        let address = world.address_of(&form.path);
        let mut stdin = node.stdin.take().expect("it is piped");
        let line = format!("{address}\n");
        stdin.write_all(line.as_bytes()).await.expect("it listens");
        let outcome = next().await;
        assert!(node.wait().await.expect("it ends").success());
        let thanks = json!({ "thanks": true, "said": "", "focus": "thanks" });
        assert_eq!(outcome["person"], thanks, "{outcome}");
        assert_eq!(outcome["program"], thanks, "{outcome}");
        assert_eq!(outcome["address"]["thanks"], false, "{outcome}");
        assert_eq!(outcome["address"]["focus"], "email", "{outcome}");
        let said = outcome["foreign"]["said"].as_str().expect("a text");
        assert!(said.contains("could not be sent"), "{outcome}");
        assert_eq!(outcome["plain"], json!({ "at": "/thanks" }), "{outcome}");
        let count = async |email: &str| leads(world, email).await.len();
        assert_eq!(
            (
                count("ada@example.com").await,
                count("plain@example.com").await
            ),
            (1, 1)
        );
        assert_eq!(
            (
                count("bot@example.com").await,
                count("foreign@example.com").await
            ),
            (0, 0)
        );
        let log = form.submissions(world, Who::Admin).await;
        let of_person = log.iter().find(|one| {
            let page = one["pageUrl"].as_str();
            page.is_some_and(|page| page.ends_with("/form?try=person"))
        });
        let of_person = of_person.expect("it is there");
        assert_eq!(
            of_person["consentText"],
            "You may call or write to me about this."
        );
    });
}
