//! Setting endpoints up, as their tenants' people do.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use dealgraph::platform::standard_webhooks::SigningKey;
use serde_json::{Value as Json, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::{Inbox, Receiver, inbox::Kept, moods::Moods};
use crate::{
    Outcome, receiver,
    soak::{
        Plan,
        ask::Asker,
        history::{Ending, Write},
        kind::{Kind, uuid_of},
        sight::Watch,
        subscribers::SharedState,
        world::{ADMIN, Person, Tenant},
    },
};

/// How often one asks: that somebody's role has changed is known everywhere a moment later.
const ATTEMPTS: u32 = 50;

/// An endpoint as it was set up.
pub(crate) struct Hook {
    pub(crate) id: Uuid,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) watches: Vec<Watch>,
}

/// Starts a tenant's receiver and sets its endpoints up; with the writes that this took.
pub(crate) async fn set_up(
    tenant: &Tenant,
    shared: &Arc<SharedState>,
    plan: Plan,
    dice: &mut fastrand::Rng,
) -> Outcome<(Vec<Hook>, Vec<Write>)> {
    let people = [&tenant.people[ADMIN], &tenant.integrator];
    let inboxes = people.map(|person| {
        Arc::new(Inbox {
            name: format!("the endpoint of {} of {}", person.name, tenant.slug),
            is_masked: person.is_masked,
            has_false_clocks: plan == Plan::Chaos,
            key: OnceLock::new(),
            shared: Arc::clone(shared),
            kept: Mutex::new(Kept {
                moods: Moods::new(dice.fork()),
                arrivals: Vec::new(),
            }),
        })
    });
    let address = receiver::start(Arc::new(Receiver(inboxes.to_vec()))).await?;
    let (mut hooks, mut writes) = (Vec::new(), Vec::new());
    for (number, (person, inbox)) in people.into_iter().zip(inboxes).enumerate() {
        let url = format!("http://{address}/{number}");
        let asker = Asker::new(person.token.clone(), shared.addresses.clone(), dice.fork());
        let (payload, made) = create(asker, (number, &url)).await?;
        let secret = payload["secret"].as_str().and_then(SigningKey::parse);
        let secret = secret.ok_or("an endpoint has no secret")?;
        _ = inbox.key.set(secret);
        let id = uuid_of(&payload["webhookEndpoint"]["id"]).ok_or("an endpoint has no id")?;
        writes.push(made);
        let watches = watches(person, &inbox.name);
        hooks.push(Hook { id, inbox, watches });
    }
    Ok((hooks, writes))
}

async fn create(mut asker: Asker, (number, url): (usize, &str)) -> Outcome<(Json, Write)> {
    let topics = Kind::ALL.map(|kind| json!({ "topic": kind.word().to_uppercase() }));
    let input =
        json!({ "name": format!("Receiver {number}"), "url": url, "subscriptions": topics });
    let (act, shown) = ("webhookEndpointCreate", "secret webhookEndpoint { id }");
    for attempt in 1.. {
        let request = format!("hook{number}-{attempt}");
        let answer = asker.mutate(&request, false, (act, shown), &input).await?;
        match answer.ending {
            Ending::Done(_) => {
                let write = Write {
                    request,
                    act,
                    of: None,
                    expected: None,
                    mark: None,
                    ending: answer.ending,
                    at: Default::default(),
                };
                return Ok((answer.payload, write));
            }
            Ending::Refused(_) if attempt < ATTEMPTS => sleep(Duration::from_millis(100)).await,
            other => return Err(format!("{act}: {other:?} {}", answer.payload).into()),
        }
    }
    Err("an endpoint was never asked for".into())
}

/// What an endpoint follows, with the rights of whoever set it up.
fn watches(person: &Person, name: &str) -> Vec<Watch> {
    let watch = |kind| Watch {
        name: name.to_owned(),
        sight: person.sight.clone(),
        kind,
        filter: None,
    };
    Kind::ALL.map(watch).into()
}
