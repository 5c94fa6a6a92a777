//! Whether each login gets in, and whether the policies bind those of the server.

use super::{Finding, Subject};
use crate::db::{migrate::OWNER, probe};

const CHECK: &str = "logins";
/// What each login of the server begins its sessions with; `policies/00_roles.sql` sets more.
const SETTINGS: [(&str, &[&str]); 2] = [
    (
        "dealgraph_app",
        &[
            "statement_timeout=5s",
            "lock_timeout=2s",
            "idle_in_transaction_session_timeout=10s",
            "search_path=public",
        ],
    ),
    (
        "dealgraph_system",
        &[
            "statement_timeout=60s",
            "lock_timeout=2s",
            "idle_in_transaction_session_timeout=30s",
            "search_path=public",
        ],
    ),
];

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let logins = [
        ("DEALGRAPH_DATABASE_URL", &subject.app, "dealgraph_app"),
        (
            "DEALGRAPH_SYSTEM_DATABASE_URL",
            &subject.system,
            "dealgraph_system",
        ),
        ("DEALGRAPH_OWNER_DATABASE_URL", &subject.owner, OWNER),
    ];
    for (variable, options, wanted) in logins {
        let Some(options) = options else { continue };
        match probe::login(options).await {
            Ok(login) => findings.extend(judge(variable, &login, wanted)),
            Err(error) => findings.push(Finding::error(
                CHECK,
                format!("{variable} does not get in: {error}"),
                "look at the address, the password and pg_hba.conf",
            )),
        }
    }
    findings
}

fn judge(variable: &str, login: &probe::Login, wanted: &str) -> Vec<Finding> {
    let name = &login.login;
    let mut findings = Vec::new();
    let mut error =
        |found: String, advice: String| findings.push(Finding::error(CHECK, found, advice));
    if name != wanted {
        let found = format!("{variable} is the login {name}");
        error(found, format!("use {wanted}, which the policies are about"));
    }
    if wanted != OWNER {
        for (could, why, mend) in [
            (login.superuser, "is a superuser", "NOSUPERUSER"),
            (login.bypass, "has BYPASSRLS", "NOBYPASSRLS"),
            (login.creates_roles, "has CREATEROLE", "NOCREATEROLE"),
        ] {
            if could {
                let found = format!("{name} {why}, so that policies do not bind it");
                error(found, format!("ALTER ROLE {name} {mend}, or use {wanted}"));
            }
        }
        if login.owner {
            let found = format!("{name} owns tables or is a member of their owner");
            error(found, format!("use {wanted}, which owns nothing"));
        }
        if !login.member_of.is_empty() {
            let of = login.member_of.join(", ");
            let found = format!("{name} is a member of {of}");
            error(found, format!("REVOKE {of} FROM {name}"));
        }
        if !login.unbound.is_empty() {
            let found = format!(
                "row-level security does not bind {name} on {}",
                login.unbound.join(", ")
            );
            error(
                found,
                "run `dealgraph migrate`, which secures every table".to_owned(),
            );
        }
    }
    if let Some((_, settings)) = SETTINGS.iter().find(|(known, _)| known == name) {
        let missing = settings
            .iter()
            .filter(|setting| !login.settings.iter().any(|set| set == *setting));
        let missing: Vec<_> = missing.copied().collect();
        if !missing.is_empty() {
            findings.push(Finding::warning(
                CHECK,
                format!("{name} does not begin with {}", missing.join(", ")),
                "run `dealgraph migrate`, and look who changed it",
            ));
        }
    }
    if !login.encrypted && !login.local {
        findings.push(Finding::warning(
            CHECK,
            format!("{variable} is not encrypted"),
            "add sslmode=require, or better verify-full, to the address",
        ));
    }
    if findings.is_empty() {
        let bound = if wanted == OWNER {
            "it is the owner"
        } else {
            "the policies bind it"
        };
        findings.push(Finding::ok(CHECK, format!("{name} gets in and {bound}")));
    }
    findings
}
