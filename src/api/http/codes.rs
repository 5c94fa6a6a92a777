//! The codes of errors: every error of an answer has one, those of the executor itself too.

use async_graphql::{ServerError, Value};

/// The code of an error; empty when it has none.
pub(super) fn code(error: &ServerError) -> String {
    match error
        .extensions
        .as_ref()
        .and_then(|extensions| extensions.get("code"))
    {
        Some(Value::String(code)) => code.clone(),
        Some(Value::Enum(code)) => code.to_string(),
        _ => String::new(),
    }
}

/// Gives an error a code.
pub(super) fn set_code(error: &mut ServerError, code: &str) {
    error.extensions.get_or_insert_default().set("code", code);
}

/// Gives an error of the executor itself a code. A resolver's error without one is not declared to be shown, so it is
/// logged and hidden.
pub(in crate::api) fn ensure_code(error: &mut ServerError) {
    if !code(error).is_empty() {
        return;
    }
    if error.path.is_empty() {
        set_code(error, "GRAPHQL_VALIDATION_FAILED");
    } else if is_about_input(&error.message) {
        set_code(error, "BAD_USER_INPUT");
    } else {
        tracing::error!(
            error = error.message,
            "a resolver answered an error without a code"
        );
        error.message = "an internal error occurred".to_owned();
        set_code(error, "INTERNAL");
    }
}

/// async-graphql words its errors about arguments in these ways.
fn is_about_input(message: &str) -> bool {
    ["Failed to parse \"", "Expected input type \"", "Variable "]
        .iter()
        .any(|start| message.starts_with(start))
}
