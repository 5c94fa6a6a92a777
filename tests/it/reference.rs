//! The server held against graphql-js, the reference implementation of the specification, on both of its read paths.

use std::{path::Path, process::Stdio, sync::Arc};

use dealgraph::{
    api::{
        Spend,
        limits::{Limits, Points},
    },
    tools::app::Serving,
};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    defaults::served::Served,
    harness::{Who, World, test},
    http::install,
    projection::WHOLE,
};

/// The key that the test's own field is answered under, which sends a document to the executor.
const MARK: &str = "\"to_the_executor\":";

#[test]
fn documents_are_answered_as_by_the_reference_implementation() {
    test(async |world: &World| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        install(&folder).await;
        let server = generous(world).await;
        let admin = world.a(Who::Admin);
        let mut reference = Command::new("node");
        reference
            .arg("reference.mjs")
            .arg(server.url())
            .env("DEALGRAPH_TOKEN", admin.token().expect("they have one"))
            // graphql-js is twice as quick without its checks for developers.
            .env("NODE_ENV", "production")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let done = reference.output().await.expect("node is installed");
        let text = String::from_utf8_lossy(&done.stdout);
        let summary: Value =
            serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
        assert_eq!(
            summary["deviating"],
            0,
            "{text}{}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(done.status.success());
        server.stop().await;
        judge_coverage(&summary);
        judge_paths(world, &summary["samples"]).await;
    });
}

/// The documents come to every stage, and most to both paths.
fn judge_coverage(summary: &Value) {
    let count = |what: &str| summary["stages"][what].as_u64().unwrap_or_default();
    let total = summary["total"].as_u64().expect("a number");
    // A single document that is made again comes to one.
    if total < 1_000 {
        return;
    }
    for (stage, of_a_thousand) in [
        ("executed", 500),
        ("on both paths", 400),
        ("invalid", 100),
        ("uncoercible", 20),
        ("unreadable", 5),
        ("unknown operation", 5),
    ] {
        assert!(
            count(stage) * 1_000 >= total * of_a_thousand,
            "{stage}: {summary}"
        );
    }
    let stages = summary["stages"].as_object().expect("an object").iter();
    let bound = stages.filter(|(stage, _)| stage.starts_with("bound"));
    let bound: u64 = bound.filter_map(|(_, count)| count.as_u64()).sum();
    assert!(bound * 100 <= total, "{summary}");
}

/// The two documents of a sample go the two ways: whole records are read for the executor, and mostly not otherwise.
async fn judge_paths(world: &World, samples: &Value) {
    let admin = world.a(Who::Admin);
    let reads_whole = async |document: &Value| {
        let document = document.as_str().expect("a text");
        let (answer, statements) = world.statements.during(admin.ask_anew(document)).await;
        // Where a field failed or was skipped there may be nothing to read; the usual limits hold here as well.
        let is_answered = answer.body["data"].to_string().contains(MARK);
        let is_whole = statements.iter().any(|sql| sql.contains(WHOLE));
        (is_answered, is_whole)
    };
    let (mut slow, mut quick) = (0, 0);
    for sample in samples.as_array().expect("a list") {
        if let (true, is_whole) = reads_whole(&sample[1]).await {
            assert!(is_whole, "{sample}");
            slow += 1;
            quick += usize::from(!reads_whole(&sample[0]).await.1);
        }
    }
    // A single document that is made again may be none.
    let is_run = samples.as_array().is_some_and(|samples| samples.len() > 1);
    assert!(!is_run || quick * 3 >= slow.max(1), "{quick} of {slow}");
}

/// A server whose limits no document of the test comes to, for they are not the specification's.
async fn generous(world: &World) -> Served {
    let limits = Limits {
        errors: 10_000,
        nodes: 1_000_000,
        depth: 64,
        aliases: 10_000,
        root_fields: 10_000,
        directives: 10_000,
        expanded_selections: 100_000,
        tokens: 100_000,
        points: Points {
            spend: Spend::Measure,
            ..Points::default()
        },
        ..Limits::default()
    };
    let serving = Serving {
        cache_bytes: 0,
        ..Serving::default()
    };
    Served::open(
        &world.database,
        Arc::clone(&world.tokens),
        None,
        (limits, serving),
    )
    .await
}
