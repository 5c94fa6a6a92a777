//! Every column says how sensitive it is: where its record declares it, or here, if no record has it.

use std::collections::BTreeSet;

use dealgraph::{
    access::Sensitivity,
    api::DECLARED,
    db::{Part, sensitivity},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, query_scalar};

use crate::harness::{A, Schema, Who, World, global_id, test};
use crate::masks::{AMOUNT, EMAIL, PHONE, arrange, own_and_mask};

/// Tables whose rows are no records of the schema, with who is shown what of them.
const OTHER_TABLES: [(&str, &str); 29] = [
    ("_sqlx_migrations", "the server's own"),
    ("access_changes", "the server's own"),
    (
        "activity_targets",
        "what an activity is about is shown as the records themselves",
    ),
    (
        "audit_log",
        "its values were shortened when they were written, and are shown by what the record declares",
    ),
    (
        "contact_methods",
        "shown by their kind: addresses as emails, numbers as phones",
    ),
    ("business_figure_positions", "the server's own"),
    (
        "business_figures",
        "numbers of all tenants together, for the operator",
    ),
    (
        "event_consumers",
        "how far what follows the log has come; nothing of it is shown",
    ),
    ("events", "shown by what the record declares"),
    ("job_queues", "when the tenant's jobs are to be looked at"),
    (
        "job_schedules",
        "what is done again and again; nothing of it is shown",
    ),
    (
        "jobs",
        "shown to whoever caused them and to admins, who are masked nothing; what they are about is not shown",
    ),
    (
        "external_links",
        "what services call records, shown to who connects them",
    ),
    (
        "integration_streams",
        "how far services were read, shown to who connects them",
    ),
    ("idempotency_keys", "hashes, and answers that are sealed"),
    ("identities", "a person's own"),
    ("one_time_tokens", "hashes; nothing of them is shown"),
    ("opportunity_contacts", "shown as the records themselves"),
    (
        "opportunity_stage_history",
        "its amounts are masked by the statement that reads it",
    ),
    ("opportunity_users", "shown as the people themselves"),
    ("recovery_codes", "hashes; nothing of them is shown"),
    ("refresh_tokens", "hashes; nothing of them is shown"),
    ("sessions", "a person's own"),
    ("signing_keys", "sealed; nothing of them is shown"),
    ("tenant_seq", "the server's own"),
    (
        "webhook_attempts",
        "what receivers answer, shown to who connects them",
    ),
    (
        "webhook_deliveries",
        "worked out with the masks of who answers for the endpoint, and shown to who connects other systems",
    ),
    ("webhook_endpoint_health", "how endpoints answer"),
    (
        "users",
        "a person's own; what members see of them is copied into their membership",
    ),
];

/// Columns of tables with records that no record has.
const OTHER_COLUMNS: [(&str, &str, Sensitivity); 14] = [
    ("*", "tenant_id", Sensitivity::Plain),
    ("tenants", "created_at", Sensitivity::Plain),
    ("tenants", "delete_after", Sensitivity::Plain),
    ("tenants", "plan", Sensitivity::Plain),
    ("tenants", "quota_api_keys", Sensitivity::Plain),
    ("tenants", "quota_members", Sensitivity::Plain),
    ("tenants", "quota_roles", Sensitivity::Plain),
    ("tenants", "quota_teams", Sensitivity::Plain),
    ("tenants", "quota_webhook_endpoints", Sensitivity::Plain),
    ("tenants", "slug", Sensitivity::Plain),
    ("tenants", "status", Sensitivity::Plain),
    ("tenants", "suspended_because", Sensitivity::Plain),
    ("tenants", "updated_at", Sensitivity::Plain),
    ("tenants", "version", Sensitivity::Plain),
];

async fn columns(world: &World) -> Vec<(String, String)> {
    let mut superuser = world.database.superuser().await;
    let sql =
        "SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1";
    let all: Vec<String> = query_scalar(sql).fetch_all(&mut superuser).await.unwrap();
    let parted = all.into_iter().map(|name| {
        let (table, column) = name.split_once('.').expect("both");
        (table.to_owned(), column.to_owned())
    });
    parted.collect()
}

fn declared(table: &str) -> Option<&'static [Part]> {
    let known = DECLARED.iter().find(|(_, known, _)| *known == table);
    known.map(|(.., parts)| *parts)
}

#[test]
fn every_column_of_every_table_says_how_sensitive_it_is() {
    test(async |world| {
        let (mut undeclared, mut tables) = (Vec::new(), BTreeSet::new());
        for (table, column) in columns(world).await {
            tables.insert(table.clone());
            let is_known = match declared(&table) {
                Some(parts) => {
                    sensitivity(parts, &column).is_some()
                        || OTHER_COLUMNS
                            .iter()
                            .any(|(of, known, _)| (*of == table || *of == "*") && *known == column)
                }
                None => OTHER_TABLES.iter().any(|(known, _)| *known == table),
            };
            if !is_known {
                undeclared.push(format!("{table}.{column}"));
            }
        }
        assert_eq!(undeclared, [""; 0]);
        let gone: Vec<_> = OTHER_TABLES
            .iter()
            .filter(|(table, _)| !tables.contains(*table))
            .collect();
        assert_eq!(gone, [&("", ""); 0], "there are no such tables");
    });
}

#[test]
fn what_is_declared_sensitive_is_what_the_masks_are_tried_on() {
    test(async |world| {
        arrange(world).await;
        let mut superuser = world.database.superuser().await;
        let mut untried = Vec::new();
        for (table, column) in columns(world).await {
            let Some(parts) = declared(&table) else {
                continue;
            };
            let canary = match sensitivity(parts, &column) {
                // What money is in is no secret of its own, but is kept back with the amount.
                Some(Sensitivity::Amounts) if column.ends_with("_currency") => continue,
                Some(Sensitivity::Amounts) => AMOUNT,
                Some(Sensitivity::Emails) => EMAIL,
                Some(Sensitivity::Phones) => PHONE,
                _ => continue,
            };
            let sql = format!(
                "SELECT count(*) FROM {table} WHERE tenant_id = '{}' AND {column}::text LIKE '%{canary}%'",
                A.uuid("tenant", 1)
            );
            let found: i64 = query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut superuser)
                .await
                .unwrap();
            if found == 0 {
                untried.push(format!("{table}.{column}"));
            }
        }
        assert_eq!(
            untried, [""; 0],
            "no value that the tests of masks look for"
        );
    });
}

/// What a role may keep back of a record, by the names of columns and of what is told beside them.
fn kept_back(parts: &'static [Part]) -> Vec<&'static str> {
    let names = parts.iter().flat_map(|part| match part {
        Part::Column(column) => vec![(column.name, column.sensitivity)],
        Part::Told(name, sensitivity) => vec![(*name, *sensitivity)],
        Part::Parts(parts) => {
            let below = kept_back(parts).into_iter();
            let below = below.map(|name| (name, sensitivity(parts, name).expect("it is declared")));
            below.collect()
        }
    });
    let kept_back = names.filter(|(_, sensitivity)| !sensitivity.kinds().is_empty());
    kept_back.map(|(name, _)| name).collect()
}

/// The name in the schema; amounts are one field with their currency.
fn camel(name: &str) -> String {
    let mut words = name.trim_end_matches("_minor").split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        name + &word[..1].to_uppercase() + &word[1..]
    })
}

#[test]
fn what_is_declared_sensitive_is_written_by_nobody_who_is_not_shown_it() {
    test(async |world| {
        arrange(world).await;
        own_and_mask(world).await;
        let (schema, closer) = (Schema::of_server(), world.a(Who::Closer));
        let mut tried = Vec::new();
        // Only admins write products, and nothing is kept back from them.
        for (kind, _, parts) in DECLARED.iter().filter(|(kind, ..)| *kind != "product") {
            let input_type = format!("{}{}UpdateInput", kind[..1].to_uppercase(), &kind[1..]);
            for field in kept_back(parts).into_iter().map(camel) {
                let inputs = schema.fields(&input_type);
                if inputs.iter().all(|input| input.name != field) {
                    continue;
                }
                let mutation = format!("{kind}Update");
                let document = format!(
                    "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}"
                );
                let mut input = json!({ "id": global_id(kind, A.uuid(kind, 1)) });
                input[&field] = Value::Null;
                let answer = closer.send(&document, json!({ "input": input })).await;
                let refused = ("FORBIDDEN".to_owned(), format!("input.{field}"));
                assert_eq!(answer.user_error(&mutation), refused, "{kind}");
                tried.push(format!("{kind}.{field}"));
            }
        }
        assert!(tried.len() > 6, "{tried:?}");
    });
}
