//! Whether outside identity providers and issuers publish what we need of them.

use super::{Finding, Subject};
use crate::organization::identities::{Identities, IdentityFile};

const CHECK: &str = "identities";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(path) = &subject.config.auth.identity_file else {
        return Vec::new();
    };
    // The configuration's own topic says what is wrong with the file.
    let Ok(file) = IdentityFile::read(path) else {
        return Vec::new();
    };
    let identities = match Identities::new(file, subject.clock.clone()) {
        Ok(identities) => identities,
        Err(error) => {
            let found = format!("no outside server can be asked: {error}");
            let advice = "install the certificates that this machine trusts (ca-certificates)";
            return vec![Finding::error(CHECK, found, advice)];
        }
    };
    let judge = |(name, answers): (String, bool)| match answers {
        true => Finding::ok(CHECK, format!("{name} answers")),
        false => Finding::error(
            CHECK,
            format!("{name} does not publish what it should"),
            "look at its address in DEALGRAPH_IDENTITY_FILE, from this machine; the log says what it answered",
        ),
    };
    identities.examine().await.into_iter().map(judge).collect()
}
