//! Everything secret that clients of a test sent or were given, and that none of it is stored or revealed anywhere.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

/// Fields of inputs and answers that hold secrets.
const FIELDS: [&str; 10] = [
    "accessToken",
    "refreshToken",
    "token",
    "secret",
    "password",
    "newPassword",
    "currentPassword",
    "recoveryCode",
    "recoveryCodes",
    "otpauthUri",
];

/// Shorter ones, such as six digits, turn up by chance.
const SHORTEST: usize = 8;
/// What is left of a long secret that was cut short in front.
const TAIL: usize = 32;

/// The secrets of one world.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    /// Takes a secret.
    pub(crate) fn add(&self, secret: &str) {
        if secret.len() >= SHORTEST {
            self.lock().insert(secret.to_owned());
        }
    }

    /// Takes all secrets of a request or an answer, also those that stand in the text of a document.
    pub(crate) fn learn(&self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        _ if FIELDS.contains(&name.as_str()) => self.take(value),
                        Value::String(document) if name == "query" => self.learn_document(document),
                        value => self.learn(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    fn take(&self, value: &Value) {
        match value {
            // An address that is tried as a password is kept where addresses are.
            Value::String(secret) if secret.contains('@') => {}
            Value::String(secret) => self.add(secret),
            Value::Array(items) => items.iter().for_each(|item| self.take(item)),
            other => self.learn(other),
        }
    }

    fn learn_document(&self, document: &str) {
        for field in FIELDS {
            for (at, _) in document.match_indices(field) {
                let rest = document[at + field.len()..].trim_start();
                let value = rest.strip_prefix(':').map(str::trim_start);
                let text = value.and_then(|value| value.strip_prefix('"'));
                if let Some((secret, _)) = text.and_then(|text| text.split_once('"')) {
                    self.add(secret);
                }
            }
        }
    }

    /// The lines of a text that give a secret away, as text or as the bytes of it.
    pub(super) fn given_away_by(&self, text: &str) -> Vec<String> {
        let secrets = self.lock();
        let gives_away = |line: &&str| {
            secrets.iter().any(|secret| {
                let tail = secret
                    .char_indices()
                    .rev()
                    .nth(TAIL - 1)
                    .map_or(secret.as_str(), |(at, _)| &secret[at..]);
                let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
                line.contains(tail) || line.contains(&hex)
            })
        };
        text.lines().filter(gives_away).map(str::to_owned).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rows of all tables, one per line, each with the name of its table.
pub(super) async fn everything_kept(superuser: &mut PgConnection) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
    )
    .fetch_all(&mut *superuser)
    .await
    .expect("the catalogue can be read");
    let arms: Vec<String> = tables
        .iter()
        .map(|table| {
            format!("SELECT '{table}: ' || replace(t::text, E'\\n', ' ') FROM \"{table}\" t")
        })
        .collect();
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(arms.join(" UNION ALL ")))
        .fetch_all(superuser)
        .await
        .expect("all tables can be read");
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_wherever_they_were_said_and_wherever_they_turn_up() {
        let secrets = Secrets::default();
        secrets.learn(&json!({
            "query": "mutation { signIn(input: { email: \"a@b.example\", password : \"in the document\" }) { x } }",
            "variables": { "input": [{ "newPassword": "in a variable" }, { "email": "a@b.example" }] },
        }));
        secrets.learn(&json!({ "data": { "session": { "refreshToken": "dgr_0123456789012345678901234567890123456789" },
            "recoveryCodes": ["aaaa-bbbb-cccc"], "userErrors": [{ "code": "NOT_FOUND_AT_ALL" }] } }));
        for (line, is_found) in [
            ("said: in the document", true),
            ("said: in a variable!", true),
            ("cut: 89012345678901234567890123456789", true),
            ("bytes: \\x616161612d626262622d63636363", true),
            ("a@b.example NOT_FOUND_AT_ALL", false),
        ] {
            assert_eq!(!secrets.given_away_by(line).is_empty(), is_found, "{line}");
        }
    }
}
