//! Asking over HTTP, on whichever server answers.

use std::{net::SocketAddr, time::Duration};

use hyper::{StatusCode, http::response::Parts};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::{history::Ending, readers::EARLY};
use crate::{
    Outcome,
    client::{Connection, Question},
};

/// Where the servers are, whether they run or not.
pub(crate) type Addresses = std::sync::Arc<[SocketAddr]>;

/// Longer than a server takes for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// On an answer that was made anew from the record.
const REBUILT: &str = "idempotency-rebuilt";
/// What can't be made anew.
const LOST: &str = "IDEMPOTENCY_ANSWER_LOST";

/// Codes of answers that do not say whether the write was done.
const VAGUE: [&str; 4] = [
    "UNAVAILABLE",
    "TIMEOUT",
    "INTERNAL",
    "IDEMPOTENCY_IN_PROGRESS",
];

/// A caller with a connection to one server or the other.
pub(crate) struct Asker {
    token: String,
    addresses: Addresses,
    dice: fastrand::Rng,
    connection: Option<Connection>,
}

/// How a mutation was answered.
pub(crate) struct Answer {
    pub(crate) ending: Ending,
    pub(crate) payload: Json,
    /// Whether it shows the record as it is now, since the server that wrote died before it had answered.
    pub(crate) is_rebuilt: bool,
}

impl Asker {
    pub(crate) fn new(token: String, addresses: Addresses, dice: fastrand::Rng) -> Self {
        Self {
            token,
            addresses,
            dice,
            connection: None,
        }
    }

    /// Reads, and refuses an answer with errors.
    pub(crate) async fn query(&mut self, document: &str, variables: &Json) -> Outcome<Json> {
        let (status, answer) = self.ask(document, variables).await?;
        match (status, answer.get("errors")) {
            (StatusCode::OK, None) => Ok(answer["data"].clone()),
            _ => Err(format!("{status}: {answer}").into()),
        }
    }

    /// Reads, whatever is answered.
    pub(crate) async fn ask(
        &mut self,
        document: &str,
        variables: &Json,
    ) -> Outcome<(StatusCode, Json)> {
        let question = Question::new(&self.token, document, variables)?;
        let (head, answer) = self.exchange(&question).await?;
        Ok((head.status, answer))
    }

    /// Runs a mutation under the name of its request, which is its idempotency key too if it `is_keyed`. What is `shown`
    /// of its payload is answered.
    pub(crate) async fn mutate(
        &mut self,
        request: &str,
        is_keyed: bool,
        (act, shown): (&str, &str),
        input: &Json,
    ) -> Outcome<Answer> {
        let verbs = ["Archive", "Restore", "Delete"];
        let of = match verbs.iter().find_map(|verb| act.strip_suffix(verb)) {
            Some(kind) => format!("{kind}Ref"),
            None => act.to_owned(),
        };
        let of = format!("{}{}Input", of[..1].to_uppercase(), &of[1..]);
        let document = format!(
            "mutation($input: {of}!) {{ {act}(input: $input) {{ {shown} userErrors {{ code message field }} }} }}"
        );
        let question = Question::new(&self.token, &document, &json!({ "input": input }))?;
        let mut question = question.named(request)?;
        if is_keyed {
            question = question.keyed(request)?;
        }
        let exchanged = self.exchange(&question).await;
        Ok(match exchanged {
            Ok((head, answer)) => Answer {
                is_rebuilt: head.headers.contains_key(REBUILT),
                ..judge(head.status, &answer, act)
            },
            Err(error) => Answer::vague(format!("cut off: {error}")),
        })
    }

    /// Connects to one that runs.
    async fn connect(&mut self) -> Outcome<Connection> {
        let first = self.dice.usize(..self.addresses.len());
        for place in first..first + self.addresses.len() {
            let address = self.addresses[place % self.addresses.len()];
            if let Ok(connection) = Connection::open(address).await {
                return Ok(connection);
            }
        }
        Err("no server runs".into())
    }

    async fn exchange(&mut self, question: &Question) -> Outcome<(Parts, Json)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let exchanged = timeout(PATIENCE, connection.exchange_all(question)).await;
        let (head, body) = exchanged.map_err(|_| "no answer came")??;
        // Now and then the other server is asked.
        if self.dice.u8(..) > 8 {
            self.connection = Some(connection);
        }
        Ok((head, serde_json::from_slice(&body)?))
    }
}

impl Answer {
    fn vague(why: String) -> Self {
        Self {
            ending: Ending::Unknown(why),
            payload: Json::Null,
            is_rebuilt: false,
        }
    }
}

fn judge(status: StatusCode, answer: &Json, act: &str) -> Answer {
    let code = |error: &Json| {
        error["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let errors: Vec<String> = answer["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(code)
        .collect();
    let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
    if message.starts_with(EARLY) {
        return Answer::vague("a token of the future".to_owned());
    }
    if status.is_server_error() || errors.iter().any(|code| VAGUE.contains(&code.as_str())) {
        return Answer::vague(format!("{status} {}", errors.join(" ")));
    }
    let payload = &answer["data"][act];
    let refused = payload["userErrors"]
        .as_array()
        .and_then(|errors| errors.first());
    let ending = match (errors.first(), refused) {
        // The server died between the write and its answer, and the record is gone since or passed to others.
        (Some(code), _) if code == LOST => Ending::Lost,
        (Some(code), _) => Ending::Refused(code.clone()),
        (None, Some(error)) => {
            Ending::Refused(error["code"].as_str().unwrap_or_default().to_owned())
        }
        (None, None) if payload.is_object() => Ending::Done(None),
        (None, None) => Ending::Unknown(format!("{status} {answer}")),
    };
    Answer {
        ending,
        payload: payload.clone(),
        is_rebuilt: false,
    }
}
