//! Who watches what, and over what.

use std::sync::{Arc, atomic::AtomicI64};

use serde_json::{Value as Json, json};

use super::{
    Client, SharedState, Track,
    line::Transport::{self, SlowSocket, Socket, Stream},
};
use crate::soak::{
    board::Board,
    kind::Kind,
    sight::{Filter, Watch},
    world::{NORTHERNER, Person, Tenant},
};

/// A subscription, before it has a subscriber.
struct Subject {
    kind: Kind,
    field: String,
    filter: Json,
    meets: Option<Filter>,
    has_board: bool,
}

/// Each member watches everything over one socket, something over each of two streams, and everything and the rest over a
/// slow socket.
pub(crate) fn clients(
    tenant: &Tenant,
    shared: &Arc<SharedState>,
    dice: &mut fastrand::Rng,
) -> Vec<Client> {
    let mut clients = Vec::new();
    for (number, person) in tenant.people.iter().enumerate() {
        let mut add = |transport: Transport, subjects: Vec<Subject>| {
            let tracks = subjects.into_iter().map(|subject| {
                let place = format!(
                    "{} of {} over {transport:?} {}",
                    person.name,
                    tenant.slug,
                    clients.len()
                );
                subject.for_person(person, &place)
            });
            clients.push(Client {
                shared: Arc::clone(shared),
                person: Arc::clone(person),
                asker: tenant.asker(number, &shared.addresses, dice.fork()),
                transport,
                dice: dice.fork(),
                tracks: tracks.collect(),
                round: 0,
            });
        };
        let mut narrow = filtered(tenant);
        add(Socket, all(tenant));
        add(Stream, vec![all(tenant).swap_remove(number % 6)]);
        add(Stream, vec![narrow.swap_remove(number % 3)]);
        let everything = all(tenant).into_iter().chain(narrow);
        add(SlowSocket, everything.collect());
    }
    clients
}

/// So many more, each of which watches one thing over a socket, as different members.
pub(crate) fn crowd(
    tenant: &Tenant,
    shared: &Arc<SharedState>,
    dice: &mut fastrand::Rng,
    sockets: usize,
) -> Vec<Client> {
    let mut clients = Vec::with_capacity(sockets);
    for number in 0..sockets {
        let member = number % tenant.people.len();
        let person = &tenant.people[member];
        let mut subjects: Vec<_> = all(tenant).into_iter().chain(filtered(tenant)).collect();
        let subject = subjects.swap_remove(number / tenant.people.len() % subjects.len());
        let place = format!("{} of {} in the crowd {number}", person.name, tenant.slug);
        clients.push(Client {
            shared: Arc::clone(shared),
            person: Arc::clone(person),
            asker: tenant.asker(member, &shared.addresses, dice.fork()),
            transport: Socket,
            dice: dice.fork(),
            tracks: vec![subject.for_person(person, &place)],
            round: 0,
        });
    }
    clients
}

fn subject(kind: Kind) -> Subject {
    Subject {
        kind,
        field: format!("{}Events(after: $after, filter: $filter)", kind.word()),
        filter: Json::Null,
        meets: None,
        has_board: false,
    }
}

fn board(tenant: &Tenant) -> Subject {
    let id = tenant.pipelines[0].id;
    Subject {
        field: format!(
            "boardEvents(after: $after, filter: $filter, pipelineId: \"pipeline:{id}\")"
        ),
        meets: Some(Filter::Refers("pipeline_id", id)),
        has_board: true,
        ..subject(Kind::Opportunity)
    }
}

fn all(tenant: &Tenant) -> Vec<Subject> {
    let mut all: Vec<Subject> = Kind::ALL.into_iter().map(subject).collect();
    all.push(board(tenant));
    all
}

fn filtered(tenant: &Tenant) -> Vec<Subject> {
    let narrow = |kind, filter, meets| Subject {
        filter,
        meets: Some(meets),
        ..subject(kind)
    };
    let owner = tenant.people[NORTHERNER].sight.user;
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let starts = Filter::StartsWith("name_normalized", "a");
    let on_board = Subject {
        filter: json!({ "name": { "startsWith": "a" } }),
        has_board: false,
        meets: Some(Filter::Both(
            Box::new(Filter::Refers("pipeline_id", tenant.pipelines[0].id)),
            Box::new(starts.clone()),
        )),
        ..board(tenant)
    };
    vec![
        narrow(
            Kind::Opportunity,
            json!({ "status": { "eq": "OPEN" } }),
            Filter::Is("status", words(&["OPEN"])),
        ),
        narrow(
            Kind::Opportunity,
            json!({ "ownerId": { "eq": format!("user:{owner}") } }),
            Filter::Refers("owner_id", owner),
        ),
        on_board,
        narrow(
            Kind::Opportunity,
            json!({ "company": { "industry": { "eq": "steel" } } }),
            Filter::Unknowable,
        ),
        narrow(
            Kind::Company,
            json!({ "industry": { "eq": "steel" } }),
            Filter::Is("industry", words(&["steel"])),
        ),
        narrow(
            Kind::Contact,
            json!({ "warmnessScore": { "gte": 50 } }),
            Filter::AtLeast("warmness_score", 50),
        ),
        narrow(
            Kind::Lead,
            json!({ "status": { "in": ["NEW", "CONTACTED"] } }),
            Filter::Is("status", words(&["NEW", "CONTACTED"])),
        ),
        narrow(
            Kind::Activity,
            json!({ "status": { "eq": "PLANNED" } }),
            Filter::Is("status", words(&["PLANNED"])),
        ),
    ]
}

impl Subject {
    fn for_person(self, person: &Person, place: &str) -> Track {
        let field = self.field.split('(').next().unwrap_or_default();
        let name = match &self.filter {
            Json::Null => format!("{place}, {field}"),
            filter => format!("{place}, {field} where {filter}"),
        };
        let pipeline = match &self.meets {
            Some(Filter::Refers("pipeline_id", id)) if self.has_board => Some(*id),
            _ => None,
        };
        Track {
            watch: Watch {
                name,
                sight: person.sight.clone(),
                kind: self.kind,
                filter: self.meets,
            },
            field: self.field,
            filter: self.filter,
            board: pipeline.map(Board::new),
            segments: Vec::new(),
            cursor: None,
            reached: Arc::new(AtomicI64::new(-1)),
            is_masked: person.is_masked,
        }
    }
}
