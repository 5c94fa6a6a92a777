//! Everything that can be asked within three steps of any root field, asked by every member. The client of a person of
//! A fails the test when anything of B turns up; that the same questions do show it to B proves that they ask for it.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::harness::{
    B, Field, Schema, Side, TENANT_TABLES, Who, global_id, kind_of_operation, test,
};

/// Steps from a root field.
const STEPS: usize = 3;
/// Rows of a list.
const ROWS: usize = 4;
/// No longer document is accepted, with some room.
const LONGEST: usize = 14_000;

/// Tables that no field shows.
const UNSHOWN: [&str; 9] = [
    "activity_targets",
    "business_figure_positions",
    "event_consumers",
    "events",
    "idempotency_keys",
    "job_queues",
    "job_schedules",
    "tenant_seq",
    "opportunity_users",
];

#[test]
fn nobody_of_a_is_shown_anything_of_b_wherever_they_look() {
    test(async |world| {
        let documents = documents(&Schema::of_server(), Side::A);
        for who in Who::ROLES {
            for document in &documents {
                world.a(who).query(document).await;
            }
        }
        let seen = everything(
            &world.b(Who::Admin),
            &self::documents(&Schema::of_server(), B),
        )
        .await;
        let shown = shown_tables(&Schema::of_server());
        for table in TENANT_TABLES
            .into_iter()
            .filter(|table| shown.contains(table))
        {
            assert!(
                seen.contains(&format!("CANARY-B-{table}")),
                "nothing of {table} is shown, so nothing was proven of it"
            );
        }
    });
}

async fn everything(client: &crate::harness::Client<'_>, documents: &[String]) -> String {
    let mut seen = String::new();
    for document in documents {
        _ = write!(seen, "{}", client.query(document).await);
    }
    seen
}

/// The tables whose kind is a type of the schema already.
fn shown_tables(schema: &Schema) -> BTreeSet<&'static str> {
    let types = [
        ("companies", "Company"),
        ("contacts", "Contact"),
        ("contact_methods", "ContactMethod"),
        ("leads", "Lead"),
        ("pipelines", "Pipeline"),
        ("products", "Product"),
        ("stages", "Stage"),
        ("opportunities", "Opportunity"),
        ("opportunity_contacts", "Opportunity"),
        ("opportunity_stage_history", "StageChange"),
        ("activities", "Activity"),
        ("memberships", "Membership"),
        ("teams", "Team"),
        ("tenants", "Tenant"),
        ("roles", "CustomRole"),
        ("invitations", "Invitation"),
        ("api_keys", "ApiKey"),
        ("audit_log", "AuditEntry"),
        ("jobs", "Job"),
        ("inbound_endpoints", "InboundEndpoint"),
        ("inbound_messages", "InboundMessage"),
        ("integrations", "Integration"),
        ("integration_streams", "IntegrationStream"),
        ("sync_runs", "SyncRun"),
        ("external_links", "ExternalLink"),
        ("lead_forms", "LeadForm"),
        ("lead_form_submissions", "LeadFormSubmission"),
        ("webhook_endpoints", "WebhookEndpoint"),
        ("webhook_endpoint_health", "WebhookHealth"),
        ("webhook_deliveries", "WebhookDelivery"),
        ("webhook_attempts", "WebhookAttempt"),
    ];
    let listed: BTreeSet<_> = types
        .iter()
        .map(|(table, _)| *table)
        .chain(UNSHOWN)
        .collect();
    assert_eq!(
        listed,
        BTreeSet::from(TENANT_TABLES),
        "say how the new table is shown, or that it is not"
    );
    types
        .into_iter()
        .filter(|(_, of)| !schema.fields(of).is_empty())
        .map(|(table, _)| table)
        .collect()
}

/// One document per root field.
pub(crate) fn documents(schema: &Schema, side: Side) -> Vec<String> {
    let roots = schema
        .fields("Query")
        .iter()
        .filter(|field| field.name != "node");
    roots
        .filter_map(|root| {
            (2..=STEPS)
                .rev()
                .map(|steps| document(schema, root, side, steps))
                .find(|text| text.len() < LONGEST)
        })
        .collect()
}

/// One document per field that can be watched.
pub(crate) fn subscriptions(schema: &Schema, side: Side) -> Vec<(String, String)> {
    let roots = schema.fields("Subscription").iter();
    roots
        .map(|root| {
            let text = (1..=STEPS)
                .rev()
                .map(|steps| document(schema, root, side, steps))
                .find(|text| text.len() < LONGEST);
            let text = text.expect("one step is not too long");
            (root.name.clone(), format!("subscription {text}"))
        })
        .collect()
}

fn document(schema: &Schema, root: &Field, side: Side, steps: usize) -> String {
    let named = ["id", "pipelineId", "on", "recordId"].into_iter();
    let mut named = named.filter(|name| root.argument(name).is_some_and(|id| id.of.is_required));
    let arguments = named.next().map_or(String::new(), |name| {
        let kind = match name {
            "pipelineId" => "pipeline",
            "on" => "opportunity",
            "recordId" => "company",
            _ => kind_of_operation(&root.name),
        };
        format!("({name}: \"{}\")", global_id(kind, side.uuid(kind, 1)))
    });
    let mut text = String::from("{ ");
    write_field(schema, root, &arguments, steps, &mut text);
    text + " }"
}

fn write_field(schema: &Schema, field: &Field, arguments: &str, steps: usize, text: &mut String) {
    let is_list = field.argument("first").is_some();
    if field
        .arguments
        .iter()
        .any(|argument| argument.of.is_required)
        && arguments.is_empty()
    {
        return;
    }
    let inner = schema.fields(&field.of.name);
    if inner.is_empty() {
        if schema.is_leaf(&field.of.name) {
            _ = write!(text, "{} ", field.name);
        } else if steps > 0 {
            _ = write!(text, "{} {{ __typename ", field.name);
            for member in schema.members(&field.of.name) {
                // Fields of one name may differ in type between the members, so each has names of its own.
                _ = write!(
                    text,
                    "... on {member} {{ {}Id: id }} ",
                    member.to_lowercase()
                );
            }
            text.push_str("} ");
        }
        return;
    }
    // The payloads of a page are its rows; cursors and counts are asked for beside them.
    let rows = if steps == STEPS { ROWS } else { 2 };
    let arguments = if is_list {
        format!("(first: {rows})")
    } else {
        arguments.to_owned()
    };
    if steps == 0 {
        return;
    }
    _ = write!(text, "{}{arguments} {{ __typename ", field.name);
    if is_list && inner.iter().any(|field| field.name == "nodes") {
        text.push_str("totalCount pageInfo { endCursor } nodes { ");
        let node = inner
            .iter()
            .find(|field| field.name == "nodes")
            .map_or("", |field| field.of.name.as_str());
        for field in schema.fields(node) {
            write_field(schema, field, "", steps - 1, text);
        }
        text.push_str("} ");
    } else {
        for field in inner {
            write_field(schema, field, "", steps - 1, text);
        }
    }
    text.push_str("} ");
}
