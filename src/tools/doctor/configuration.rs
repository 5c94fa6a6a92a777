//! Whether each variable and each file that one names can be read.

use super::{Finding, Subject};
use crate::{
    api::{Plan, Trusted},
    organization::identities::IdentityFile,
};

const CHECK: &str = "configuration";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = subject
        .problems
        .iter()
        .map(|problem| {
            let found = format!("{} is {}", problem.name, problem.found);
            Finding::error(CHECK, found, format!("expected {}", problem.expected))
        })
        .collect();
    let server = &subject.config.server;
    let mut read = |variable: &str, refused: Option<String>| {
        if let Some(why) = refused {
            let advice = "mend the file, or let the variable name another one";
            findings.push(Finding::error(CHECK, format!("{variable}: {why}"), advice));
        }
    };
    if let Some(path) = &server.documents {
        let refused = Trusted::read(path).err().map(|error| error.to_string());
        read("DEALGRAPH_DOCUMENTS", refused);
    }
    if let Some(path) = &server.plans {
        let refused = Plan::read_all(path).err().map(|error| error.to_string());
        read("DEALGRAPH_PLANS", refused);
    }
    if let Some(path) = &subject.config.auth.identity_file {
        let refused = IdentityFile::read(path)
            .err()
            .map(|error| error.to_string());
        read("DEALGRAPH_IDENTITY_FILE", refused);
    }
    if server.documents_only && server.documents.is_none() {
        findings.push(Finding::error(
            CHECK,
            "DEALGRAPH_DOCUMENTS_ONLY is on and DEALGRAPH_DOCUMENTS lists none",
            "name the file of documents",
        ));
    }
    findings.extend(plain_app_url(subject));
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "all variables and files can be read"));
    }
    findings
}

fn plain_app_url(subject: &Subject<'_>) -> Option<Finding> {
    let url = &subject.config.accounts.app_url;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_plain = url.scheme() == "http" && !is_local;
    is_plain.then(|| {
        let found = "DEALGRAPH_APP_URL is not https, and the links that are mailed let people in";
        Finding::warning(CHECK, found, "serve the frontend by https")
    })
}
