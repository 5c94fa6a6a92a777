//! What receivers take that are not ours: the libraries of Standard Webhooks for JavaScript and Python.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
};

use super::Setting;
use crate::{harness::test, live::node::all_checks_pass_with};

#[test]
fn the_library_for_javascript_verifies_what_arrives() {
    let settings = [("DEALGRAPH_OUTBOUND_ALLOW_LOOPBACK", "on")];
    all_checks_pass_with("webhooks.mjs", 4, &settings);
}

/// A Python with the library.
async fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = folder.join("bin/python");
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/requirements.txt");
    let run = async |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        let done = command.output().await.expect("Python is installed");
        let text = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program:?} {arguments:?}: {text}");
    };
    let place = folder.to_str().expect("a path");
    run(Path::new("python3"), &["-m", "venv", place]).await;
    let wanted = wanted.to_str().expect("a path");
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let arguments = [&install[..], &["--require-hashes", "--requirement", wanted]].concat();
    run(&python, &arguments).await;
    python
}

#[test]
fn the_library_for_python_verifies_what_arrives() {
    test(async |world| {
        let python = python().await;
        let mut receiver = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/webhooks.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(receiver.stdout.take().expect("it is piped")).lines();
        let port = said.next_line().await.expect("text").expect("a port");
        let setting = Setting::begin(world).await;
        let input = json!({ "name": "Python", "url": format!("http://127.0.0.1:{port}/"),
                            "subscriptions": [{ "topic": "OPPORTUNITY" }] });
        let made = setting
            .admin("webhookEndpointCreate", "secret", input)
            .await;
        let secret = made["secret"].as_str().expect("a secret");
        let mut stdin = receiver.stdin.take().expect("it is piped");
        let line = format!("{secret}\n");
        stdin.write_all(line.as_bytes()).await.expect("it listens");
        setting.rename(1, "Read by Python — ok").await;
        let line = said.next_line().await.expect("text").expect("a message");
        let verified: Value = serde_json::from_str(&line).expect("JSON");
        let name = "Read by Python — ok";
        assert_eq!(
            verified,
            json!({ "verified": true, "type": "opportunity.updated", "name": name })
        );
        setting.end().await;
    });
}
