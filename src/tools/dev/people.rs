//! The demo people of a development server over HTTP, for the explorer's sign-in bar. Hands out tokens without a
//! password, so it answers only to pages of this very machine and never stands in `serve`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use chrono::SecondsFormat;
use serde::Deserialize;
use serde_json::json;

use super::token::choose;
use crate::{
    base::error::Result,
    db::{Db, SystemReason},
    organization::{
        auth::Tokens,
        members::provision::{self, KnownPerson},
    },
};

#[derive(Clone)]
struct PeopleState {
    db: Db,
    tokens: Arc<Tokens>,
}

/// `GET /dev/people` and `POST /dev/token`.
pub(super) fn router(db: Db, tokens: Arc<Tokens>) -> Router {
    Router::new()
        .route("/dev/people", get(people))
        .route("/dev/token", post(token))
        .layer(middleware::from_fn(this_machine_only))
        .with_state(PeopleState { db, tokens })
}

/// A foreign page could point its own name at this address; then the `Host` it sends is that name.
async fn this_machine_only(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(
        host,
        |(name, port)| if port.contains(']') { host } else { name },
    );
    if !matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

async fn people(State(state): State<PeopleState>) -> Response {
    match known(&state.db).await {
        Ok(people) => Json(
            people
                .iter()
                .map(|person| {
                    let role = async_graphql::resolver_utils::enum_value(person.role);
                    json!({
                        "email": person.email,
                        "name": person.name,
                        "role": role,
                        "tenant": person.slug,
                        "tenantName": person.tenant_name,
                    })
                })
                .collect::<Vec<_>>(),
        )
        .into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
struct Wanted {
    email: String,
    tenant: String,
}

async fn token(State(state): State<PeopleState>, Json(wanted): Json<Wanted>) -> Response {
    let people = match known(&state.db).await {
        Ok(people) => people,
        Err(error) => return (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    };
    let Ok(person) = choose(&people, &wanted.email, Some(&wanted.tenant)) else {
        return (
            StatusCode::NOT_FOUND,
            "there is no such person in this tenant",
        )
            .into_response();
    };
    match state.tokens.issue(person.user_id, person.tenant_id) {
        Ok(issued) => {
            let expires_at = issued.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            Json(json!({ "token": issued.token, "expiresAt": expires_at })).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn known(db: &Db) -> Result<Vec<KnownPerson>> {
    let mut tx = db.system(SystemReason::SignIn).await?;
    provision::known_people(&mut tx).await
}
