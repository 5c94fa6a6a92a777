//! Subscriptions as the clients see them that frontends use, against the real binary.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    defaults::child::Child,
    harness::{World, test},
    http::install,
};

#[test]
fn clients_of_graphql_ws_follow_over_a_socket() {
    all_checks_pass("live-ws.mjs", 11);
}

#[test]
fn clients_of_graphql_sse_and_event_sources_follow_over_streams() {
    all_checks_pass("live-sse.mjs", 12);
}

#[test]
fn the_javascript_of_the_page_for_dashboards_follows_a_board() {
    all_checks_pass("live-docs.mjs", 13);
}

/// Runs a script against a server of its own.
pub(crate) fn all_checks_pass(script: &str, total: usize) {
    all_checks_pass_with(script, total, &[]);
}

/// The same against a server with settings.
pub(crate) fn all_checks_pass_with(script: &str, total: usize, settings: &[(&str, &str)]) {
    test(async |world: &World| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        install(&folder).await;
        let server = Child::serve(world, settings).await;
        let mut checks = Command::new("node");
        checks
            .arg(script)
            .arg(server.url())
            .env("DEALGRAPH_TOKEN", server.token())
            .current_dir(&folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let done = checks.output().await.expect("node is installed");
        let text = String::from_utf8_lossy(&done.stdout);
        let summary: Value =
            serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
        assert_eq!(
            summary,
            json!({ "total": total, "ok": total, "failed": [] }),
            "{text}{}\n{}",
            String::from_utf8_lossy(&done.stderr),
            server.log()
        );
        assert!(done.status.success());
        assert!(server.stop().await.success());
    });
}
