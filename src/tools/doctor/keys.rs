//! Whether the encryption keys open what is stored, and the signing keys sign.

use super::{Finding, Subject};
use crate::organization::{auth::keys, second_factor};

const CHECK: &str = "keys";
/// Secrets of second factors that are tried, the latest first.
const MOST: i64 = 200;
const ADVICE: &str =
    "add the key that sealed them to DEALGRAPH_ENCRYPTION_KEYS, behind the one that seals now";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let (Some(db), Some(vault)) = (&subject.db, &subject.vault) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    match keys::examine(db, vault).await {
        Ok(keys) => findings.push(judge(&keys)),
        Err(error) => findings.push(unreadable("signing keys", &error)),
    }
    match second_factor::examine(db, vault, MOST).await {
        Ok((0, _)) => {}
        Ok((tried, 0)) => {
            let found = format!("second factors whose secrets open: {tried}");
            findings.push(Finding::ok(CHECK, found));
        }
        Ok((tried, shut)) => {
            let found = format!(
                "the secrets of {shut} of {tried} second factors do not open, and their owners can't sign in"
            );
            findings.push(Finding::error(CHECK, found, ADVICE));
        }
        Err(error) => findings.push(unreadable("second factors", &error)),
    }
    findings
}

fn judge(keys: &[keys::ExaminedKey]) -> Finding {
    let of = |is: fn(&keys::ExaminedKey) -> bool| -> Vec<&str> {
        let those = keys.iter().filter(|key| is(key));
        those.map(|key| key.kid.as_str()).collect()
    };
    if keys.is_empty() {
        return Finding::ok(
            CHECK,
            "there is no signing key yet; the first server makes one",
        );
    }
    let shut = of(|key| key.is_current && !key.opens);
    if !shut.is_empty() {
        let found = format!("these signing keys do not open: {}", shut.join(", "));
        return Finding::error(CHECK, found, ADVICE);
    }
    let broken = of(|key| key.opens && !key.verifies);
    if !broken.is_empty() {
        let found = format!(
            "what these keys sign is not verified: {}",
            broken.join(", ")
        );
        let advice = "replace them by `dealgraph keys rotate`, then `dealgraph keys retire`";
        return Finding::error(CHECK, found, advice);
    }
    match keys.iter().filter(|key| key.is_current).count() {
        0 => Finding::ok(
            CHECK,
            "all signing keys have an end; the next server makes a new one",
        ),
        count => Finding::ok(
            CHECK,
            format!("signing keys that open, sign and verify: {count}"),
        ),
    }
}

fn unreadable(what: &str, error: &crate::base::error::Error) -> Finding {
    let found = format!("the {what} can't be read: {error}");
    Finding::error(
        CHECK,
        found,
        "see what is said of the logins and the schema",
    )
}
