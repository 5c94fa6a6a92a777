//! What a token says, in the names of RFC 7519.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The claims of an access token. All but `nbf` and `sid` are required.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Who made the token.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The person: the uuid of a user.
    pub sub: Uuid,
    /// The tenant: the uuid it is valid in.
    pub tid: Uuid,
    /// The session it belongs to: the uuid of a signed-in device. Tokens of `dealgraph token` have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// From when on it is valid, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}
