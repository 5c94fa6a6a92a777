//! Looking at the keys without changing any, for an operator who asks whether all is well.

use jsonwebtoken::{Header, Validation};
use serde_json::{Value, json};

use super::{VerificationKey, pair::Pair, store};
use crate::{
    base::error::Result,
    db::{Db, SystemReason},
    platform::Vault,
};

/// What a key that is in use is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedKey {
    /// Its id.
    pub kid: String,
    /// Whether it has no end, so that it signs or will.
    pub is_current: bool,
    /// Whether its private half opens.
    pub opens: bool,
    /// Whether what it signs is verified by its public half.
    pub verifies: bool,
}

/// Tries each key that is in use.
///
/// # Errors
/// The database.
pub async fn examine(db: &Db, vault: &Vault) -> Result<Vec<ExaminedKey>> {
    _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let mut tx = db.system(SystemReason::Keys).await?;
    let now = tx.now();
    let rows = store::in_use(&mut tx, now).await?;
    let examined = rows.into_iter().map(|row| {
        let pair = Pair::read(&row.kid, &row.public_key, &row.private_key, vault);
        let signing = pair.as_ref().and_then(|pair| pair.signing.as_ref());
        let verifies = pair.as_ref().is_some_and(|pair| {
            let Some(signing) = &pair.signing else {
                return false;
            };
            let header = Header::new(pair.checking.algorithm);
            let signed = jsonwebtoken::encode(&header, &json!({ "kid": row.kid }), signing);
            signed.is_ok_and(|token| verifies(&token, &pair.checking))
        });
        ExaminedKey {
            is_current: row.checks_until.is_none(),
            opens: signing.is_some(),
            verifies,
            kid: row.kid,
        }
    });
    Ok(examined.collect())
}

fn verifies(token: &str, key: &VerificationKey) -> bool {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(token, &key.key, &validation).is_ok()
}
