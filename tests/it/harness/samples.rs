//! Inputs made from the schema: the least that a mutation takes, and the same with one id in one place.

use serde_json::{Value, json};

use dealgraph::base::ids::{Typed as _, UserId};

use super::{Field, Schema, Side, people::KINDS};

/// Mutations about a person's own account, which is beyond tenants: they take no record and no version of one.
pub(crate) const OF_ACCOUNTS: [&str; 21] = [
    "acceptInvitation",
    "beginProviderSignIn",
    "completeProviderSignIn",
    "completeSecondFactor",
    "confirmSecondFactor",
    "disableSecondFactor",
    "emailVerificationResend",
    "passwordChange",
    "refreshSession",
    "register",
    "renewRecoveryCodes",
    "requestPasswordReset",
    "resetPassword",
    "sessionRevoke",
    "sessionRevokeAll",
    "setUpSecondFactor",
    "signIn",
    "signOut",
    "switchTenant",
    "verifyEmail",
    "viewerUpdate",
];

/// Mutations of those who run a tenant. Each has tests of its own for what it costs others and whom it notifies.
pub(crate) const OF_ADMINS: [&str; 45] = [
    "apiKeyCreate",
    "apiKeyRevoke",
    "apiKeyRotate",
    "apiKeyUpdate",
    "inboundEndpointCreate",
    "inboundEndpointRotate",
    "inboundEndpointUpdate",
    "inboundMessageReplay",
    "inboundMessagesReplay",
    "integrationAuthorize",
    "integrationAuthorizeFinish",
    "integrationConnect",
    "integrationDisconnect",
    "integrationPause",
    "integrationResume",
    "integrationSync",
    "integrationUpdate",
    "invitationResend",
    "invitationRevoke",
    "jobCancel",
    "jobRetry",
    "leadFormCreate",
    "leadFormUpdate",
    "memberInvite",
    "membershipRemove",
    "membershipResume",
    "membershipSuspend",
    "membershipUpdate",
    "roleCreate",
    "roleDelete",
    "roleUpdate",
    "teamCreate",
    "teamDelete",
    "teamUpdate",
    "tenantCancelDeletion",
    "tenantScheduleDeletion",
    "tenantUpdate",
    "webhookDeliveryResendRange",
    "webhookDeliveryResend",
    "webhookEndpointCreate",
    "webhookEndpointDelete",
    "webhookEndpointPing",
    "webhookEndpointReplay",
    "webhookEndpointRotateSecret",
    "webhookEndpointUpdate",
];

/// How deep input objects are followed to find ids in them.
const DEPTH: usize = 3;

/// A place in an input where an id goes: the names on the way, and the kind of id it takes.
#[derive(Debug, Clone)]
pub(crate) struct IdPlace {
    pub(crate) path: Vec<Field>,
    pub(crate) kind: &'static str,
}

impl Schema {
    /// The least input of a type: what is required, all of `side`.
    pub(crate) fn least_input(&self, of: &str, side: Side) -> Value {
        let required = self.fields(of).iter().filter(|field| field.of.is_required);
        let mut least = required
            .map(|field| (field.name.clone(), self.sample(field, side)))
            .collect::<serde_json::Map<_, _>>();
        // Null says something here, and has to be said.
        if of == "OpportunitySetNextActionInput" {
            least.insert("nextAction".to_owned(), Value::Null);
        }
        least.into()
    }

    fn sample(&self, field: &Field, side: Side) -> Value {
        let one = match field.of.name.as_str() {
            "String" => json!("x"),
            "Int" | "BigInt" => json!(1),
            "Boolean" => json!(true),
            "DateTime" => json!("2026-06-01T12:00:00Z"),
            "Date" => json!("2026-06-01"),
            "EventCursor" => json!("0000000000000001.1"),
            // Of what kind, its mutation knows.
            "ID" if field.name == "id" => Value::Null,
            "ID" => json!(global_id(
                kind_of_field(&field.name),
                side.uuid(kind_of_field(&field.name), 1)
            )),
            name => match self.values(name).first() {
                Some(value) => json!(value),
                None => self.least_input(name, side),
            },
        };
        if field.of.is_list { json!([one]) } else { one }
    }

    /// All places of an input that take the id of another record.
    pub(crate) fn id_places(&self, of: &str) -> Vec<IdPlace> {
        let mut places = Vec::new();
        self.find_places(of, &[], &mut places);
        places
    }

    fn find_places(&self, of: &str, way: &[Field], places: &mut Vec<IdPlace>) {
        for field in self.fields(of) {
            let path: Vec<Field> = way.iter().chain([field]).cloned().collect();
            match field.of.name.as_str() {
                "ID" if field.name == "id" => {}
                "ID" => places.push(IdPlace {
                    kind: kind_of_field(&field.name),
                    path,
                }),
                name if path.len() < DEPTH => self.find_places(name, &path, places),
                _ => {}
            }
        }
    }

    /// Puts an id into its place of an input, with the least of what stands around it.
    pub(crate) fn put(&self, input: &mut Value, path: &[Field], id: &str, side: Side) {
        let Some((field, rest)) = path.split_first() else {
            return;
        };
        let mut value = if rest.is_empty() {
            json!(id)
        } else {
            self.least_input(&field.of.name, side)
        };
        self.put(&mut value, rest, id, side);
        input[&field.name] = if field.of.is_list {
            json!([value])
        } else {
            value
        };
    }
}

/// The id of the API for a uuid.
pub(crate) fn global_id(kind: &str, id: uuid::Uuid) -> String {
    format!("{kind}:{id}")
}

/// The kind of record that a mutation or a root field is about: its name begins with it.
pub(crate) fn kind_of_operation(name: &str) -> &'static str {
    match name {
        // What it opens.
        "acceptInvitation" => return "session",
        // What one does about oneself; most of it opens or ends sessions.
        "emailVerificationResend"
        | "passwordChange"
        | "refreshSession"
        | "register"
        | "requestPasswordReset"
        | "resetPassword"
        | "signIn"
        | "signOut"
        | "switchTenant"
        | "verifyEmail"
        | "viewerUpdate" => return "session",
        name if name.starts_with("member") => return UserId::PREFIX,
        _ => {}
    }
    // The type of the roles that tenants make is not called like the built-in ones.
    let name = name.strip_prefix("Custom").unwrap_or(name);
    let kinds = KINDS
        .iter()
        .filter(|kind| name.to_lowercase().starts_with(&kind.to_lowercase()));
    kinds
        .max_by_key(|kind| kind.len())
        .unwrap_or_else(|| panic!("no kind of record begins `{name}`, add it to harness/people.rs"))
}

/// The kind of record that a field for ids is about: its name ends with it, or says in what role.
pub(crate) fn kind_of_field(name: &str) -> &'static str {
    let name = name.trim_end_matches('s').trim_end_matches("Id");
    match name {
        "owner" | "nextActionOwner" => return UserId::PREFIX,
        "successor" => return UserId::PREFIX,
        "parent" => return "team",
        "endpoint" => return "inboundEndpoint",
        "form" => return "leadForm",
        "reportsTo" => return "contact",
        // Another deal of the same stage.
        "after" | "before" => return "opportunity",
        // Of several kinds; one stands for all.
        "target" | "entity" | "record" => return "company",
        _ => {}
    }
    let kinds = KINDS
        .iter()
        .filter(|kind| name.to_lowercase().ends_with(&kind.to_lowercase()));
    kinds
        .max_by_key(|kind| kind.len())
        .unwrap_or_else(|| panic!("of what kind is `{name}`? add it to harness/samples.rs"))
}
