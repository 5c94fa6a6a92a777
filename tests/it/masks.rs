//! What a role keeps back is shown on no path: not in lists, not nested, not in what a change answers, not by a filter.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, Utc};
use dealgraph::base::ids::{CompanyId, ContactId, LeadId, OpportunityId, ProductId, Typed as _};
use dealgraph::{
    access::{Actor, Membership, Rights, Role, Sensitive, Subject},
    crm::{
        companies::Company, contacts::Contact, leads::Lead, opportunities::Opportunity,
        products::Product,
    },
    db::list::{self, Record},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::{
    harness::{A, Answer, Schema, Who, World, test},
    isolation::crawl::documents,
};

/// What every amount of the world contains.
pub(crate) const AMOUNT: &str = "7654321";
/// What every phone number of the world contains.
pub(crate) const PHONE: &str = "5550199";
/// What every e-mail address of a contact or a lead contains.
pub(crate) const EMAIL: &str = "@shared.example";

/// Gives every record of A an amount, an address and a number where it can have one.
pub(crate) async fn arrange(world: &World) {
    let tenant = A.uuid("tenant", 1);
    let sql = format!(
        "UPDATE companies SET annual_revenue_minor = {AMOUNT}00, annual_revenue_currency = 'EUR', phone = '+49 30 {PHONE}' WHERE tenant_id = '{tenant}';
         UPDATE opportunities SET amount_minor = {AMOUNT}00, amount_currency = 'EUR', probability = 100 WHERE tenant_id = '{tenant}';
         UPDATE opportunity_stage_history SET amount_minor = {AMOUNT}00, amount_currency = 'EUR' WHERE tenant_id = '{tenant}';
         UPDATE products SET unit_price_minor = {AMOUNT}00, unit_price_currency = 'EUR' WHERE tenant_id = '{tenant}';
         UPDATE leads SET phone = '+49 30 {PHONE}', estimated_amount_minor = {AMOUNT}00, estimated_amount_currency = 'EUR' WHERE tenant_id = '{tenant}';
         INSERT INTO contact_methods (tenant_id, contact_method_id, contact_id, kind, value, value_normalized, preferred, position, visible_to)
         SELECT c.tenant_id, gen_random_uuid(), c.contact_id, kind, '+49 30 {PHONE}', '+4930{PHONE}', true, place, c.visible_to
         FROM contacts c, (VALUES ('PHONE', 1), ('MOBILE', 2), ('FAX', 3)) k (kind, place) WHERE c.tenant_id = '{tenant}';
         UPDATE roles SET permissions = permissions || ARRAY['leads:read:all', 'contacts:read:all', 'activities:read:all']
         WHERE tenant_id = '{tenant}';"
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
}

/// Makes records the closer's own, and keeps everything back from the closer.
pub(crate) async fn own_and_mask(world: &World) {
    let closer = A.user(Who::Closer).uuid();
    let mut sql = String::new();
    for (table, kind) in [
        ("opportunities", "opportunity"),
        ("contacts", "contact"),
        ("companies", "company"),
        ("leads", "lead"),
    ] {
        _ = write!(
            sql,
            "UPDATE {table} SET owner_id = '{closer}', team_path = NULL WHERE {kind}_id = '{}';",
            A.uuid(kind, 1)
        );
    }
    _ = write!(
        sql,
        "UPDATE contact_methods m SET visible_to = c.visible_to FROM contacts c WHERE c.contact_id = m.contact_id;
         UPDATE roles SET masks = '{{amounts,emails,phones}}', permissions = permissions ||
         ARRAY['companies:write:own', 'leads:write:own', 'contacts:delete:own'] WHERE role_id = '{}'",
        A.uuid("role", 1)
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
}

#[test]
fn a_value_that_is_kept_back_is_on_no_path_of_the_schema() {
    test(async |world| {
        arrange(world).await;
        let documents = documents(&Schema::of_server(), A);
        let everything = async |who: Who| {
            let mut text = String::new();
            for document in &documents {
                _ = writeln!(text, "{}", world.a(who).query(document).await);
            }
            text
        };
        let (admin, closer, auditor) = (
            everything(Who::Admin).await,
            everything(Who::Closer).await,
            everything(Who::Auditor).await,
        );
        for secret in [AMOUNT, PHONE, EMAIL] {
            assert!(admin.contains(secret), "nothing was proven of {secret}");
        }
        for (who, text, hidden, shown) in [
            ("the closer", closer, vec![PHONE, EMAIL], vec![AMOUNT]),
            ("the auditor", auditor, vec![AMOUNT], vec![PHONE, EMAIL]),
        ] {
            for secret in hidden {
                let at = text.lines().find(|line| line.contains(secret));
                assert_eq!(at, None, "{who} was shown {secret}");
            }
            for secret in shown {
                assert!(text.contains(secret), "{who} is shown {secret}");
            }
        }
    });
}

#[test]
fn what_a_change_answers_is_masked_and_what_is_masked_is_not_emptied_by_it() {
    test(async |world| {
        arrange(world).await;
        own_and_mask(world).await;
        let closer = world.a(Who::Closer);
        let changes = [
            (
                "companyUpdate",
                "CompanyUpdateInput",
                "company",
                json!({ "id": A.id::<CompanyId>(1), "website": "https://a.example" }),
                "id annualRevenue { amountMinor } phone contacts { nodes { email } } opportunities { nodes { amount { amountMinor } } }",
            ),
            (
                "companyArchive",
                "CompanyRefInput",
                "company",
                json!({ "id": A.id::<CompanyId>(1) }),
                "id annualRevenue { amountMinor } phone",
            ),
            (
                "contactUpdate",
                "ContactUpdateInput",
                "contact",
                json!({ "id": A.id::<ContactId>(1), "jobTitle": "CTO" }),
                "id email phone contactMethods { kind value masked }",
            ),
            (
                "contactRestore",
                "ContactRefInput",
                "contact",
                json!({ "id": A.id::<ContactId>(1) }),
                "id email phone contactMethods { kind value masked }",
            ),
            (
                "leadUpdate",
                "LeadUpdateInput",
                "lead",
                json!({ "id": A.id::<LeadId>(1), "title": "CTO" }),
                "id email phone estimatedAmount { amountMinor currency }",
            ),
            (
                "opportunityUpdate",
                "OpportunityUpdateInput",
                "opportunity",
                json!({ "id": A.id::<OpportunityId>(1), "source": "fair" }),
                "id amount { amountMinor } weightedAmount { amountMinor } stageHistory { amount { amountMinor } } company { phone annualRevenue { amountMinor } } primaryContact { email }",
            ),
            (
                "opportunityWin",
                "OpportunityWinInput",
                "opportunity",
                json!({ "id": A.id::<OpportunityId>(1) }),
                "id amount { amountMinor } weightedAmount { amountMinor } stageHistory { amount { amountMinor } }",
            ),
            (
                "opportunityUpdate",
                "OpportunityUpdateInput",
                "opportunity",
                json!({ "id": A.id::<OpportunityId>(1), "expectedVersion": 99, "source": "x" }),
                "id amount { amountMinor } weightedAmount { amountMinor }",
            ),
        ];
        for (mutation, input_type, of, input, fields) in changes {
            let expects_conflict = input["expectedVersion"] == 99;
            let document = format!(
                "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {of} {{ {fields} }} userErrors {{ code field message }} }} }}"
            );
            let answer = closer.send(&document, json!({ "input": input })).await;
            let code = if expects_conflict { "CONFLICT" } else { "" };
            assert_eq!(
                answer.user_error(mutation).0,
                code,
                "{mutation} {}",
                answer.body
            );
            let text = answer.body.to_string();
            assert!(
                text.contains(&format!("{of}:")),
                "{mutation} answers the record: {text}"
            );
            for secret in [AMOUNT, PHONE, EMAIL] {
                assert!(!text.contains(secret), "{mutation} shows {secret}: {text}");
            }
        }
        let seen = world.a(Who::Admin).query(&format!(
            "{{ company(id: \"{}\") {{ website phone annualRevenue {{ amountMinor }} }} contact(id: \"{}\") {{ jobTitle email phone contactMethods {{ value }} }}
               lead(id: \"{}\") {{ title email phone estimatedAmount {{ amountMinor }} }} opportunity(id: \"{}\") {{ source status amount {{ amountMinor }} stageHistory {{ amount {{ amountMinor }} }} }} }}",
            A.id::<CompanyId>(1), A.id::<ContactId>(1), A.id::<LeadId>(1), A.id::<OpportunityId>(1))).await;
        assert_eq!(
            (
                &seen["contact"]["jobTitle"],
                &seen["lead"]["title"],
                &seen["opportunity"]["status"]
            ),
            (&json!("CTO"), &json!("CTO"), &json!("WON")),
            "the changes were made"
        );
        let number = format!("+49 30 {PHONE}");
        assert_eq!(
            (
                &seen["company"]["phone"],
                &seen["lead"]["phone"],
                &seen["contact"]["phone"]
            ),
            (&json!(number), &json!(number), &json!(number))
        );
        assert_eq!(
            (&seen["contact"]["email"], &seen["lead"]["email"]),
            (
                &json!("contact1@shared.example"),
                &json!("lead1@shared.example")
            )
        );
        let worth = json!({ "amountMinor": format!("{AMOUNT}00") });
        let of = |value: &Value| value.to_string().replace('"', "");
        for amount in [
            &seen["company"]["annualRevenue"],
            &seen["lead"]["estimatedAmount"],
            &seen["opportunity"]["amount"],
            &seen["opportunity"]["stageHistory"][0]["amount"],
        ] {
            assert_eq!(of(amount), of(&worth));
        }
        assert_eq!(
            seen["contact"]["contactMethods"].as_array().map(Vec::len),
            Some(4)
        );
    });
}

#[test]
fn a_method_that_is_kept_back_says_so() {
    test(async |world| {
        arrange(world).await;
        let document = format!(
            "{{ contact(id: \"{}\") {{ email phone contactMethods {{ kind value masked }} }} }}",
            A.id::<ContactId>(1)
        );
        let closer = world.a(Who::Closer).query(&document).await;
        assert_eq!(
            (&closer["contact"]["email"], &closer["contact"]["phone"]),
            (&Value::Null, &Value::Null)
        );
        let methods = closer["contact"]["contactMethods"]
            .as_array()
            .expect("methods");
        assert!(
            methods.len() == 4
                && methods
                    .iter()
                    .all(|method| method["value"] == "•••" && method["masked"] == true),
            "{methods:?}"
        );
        let auditor = world.a(Who::Auditor).query(&document).await;
        assert_eq!(
            auditor["contact"]["contactMethods"][0],
            json!({ "kind": "EMAIL", "value": "contact1@shared.example", "masked": false })
        );
    });
}

#[test]
fn nobody_filters_or_sorts_by_what_they_are_not_shown() {
    test(async |world| {
        arrange(world).await;
        let refused = async |who: Who, list: &str| -> Answer {
            world
                .a(who)
                .send(
                    &format!("{{ {list} {{ totalCount nodes {{ id }} }} }}"),
                    json!({}),
                )
                .await
        };
        for (who, list) in [
            (
                Who::Closer,
                "contacts(filter: { email: { eq: \"contact1@shared.example\" } })",
            ),
            (Who::Closer, "contacts(filter: { email: { null: true } })"),
            (
                Who::Closer,
                "contacts(filter: { not: { or: [{ name: { eq: \"x\" } }, { email: { startsWith: \"c\" } }] } })",
            ),
            (
                Who::Closer,
                "leads(filter: { email: { startsWith: \"lead\" } })",
            ),
            (
                Who::Closer,
                "companies(filter: { contactsSome: { email: { startsWith: \"c\" } } })",
            ),
            (
                Who::Closer,
                "companies(filter: { contactsNone: { email: { startsWith: \"c\" } } })",
            ),
            (
                Who::Closer,
                "opportunities(filter: { primaryContact: { email: { startsWith: \"c\" } } })",
            ),
            (
                Who::Auditor,
                "opportunities(filter: { amountMinor: { gt: 1 } })",
            ),
            (
                Who::Auditor,
                "opportunities(filter: { currency: { eq: \"EUR\" } })",
            ),
            (Who::Auditor, "opportunities(orderBy: [{ field: AMOUNT }])"),
            (
                Who::Auditor,
                "opportunities(orderBy: [{ field: NAME }, { field: AMOUNT }])",
            ),
            (
                Who::Auditor,
                "products(filter: { unitPriceMinor: { gt: 1 } })",
            ),
            (Who::Auditor, "products(orderBy: [{ field: UNIT_PRICE }])"),
            (
                Who::Auditor,
                "companies(filter: { opportunitiesSome: { amountMinor: { gt: 1 } } })",
            ),
        ] {
            let answer = refused(who, list).await;
            assert_eq!(
                answer.code(),
                "FORBIDDEN",
                "{who:?} {list}: {}",
                answer.body
            );
            assert_eq!(refused(Who::Admin, list).await.code(), "", "{list}");
        }
        // Below a parent, and counted alone.
        for nested in [
            "pipelines { nodes { opportunities(filter: { amountMinor: { gt: 1 } }) { nodes { id } } } }",
            "companies { nodes { opportunities(orderBy: [{ field: AMOUNT }]) { nodes { id } } } }",
            "companies { nodes { opportunities(filter: { amountMinor: { gt: 1 } }) { totalCount } } }",
        ] {
            let answer = world
                .a(Who::Auditor)
                .send(&format!("{{ {nested} }}"), json!({}))
                .await;
            assert_eq!(answer.code(), "FORBIDDEN", "{nested}: {}", answer.body);
        }
        // The shown ones go on working, and a cursor holds nothing but them.
        let shown = world.a(Who::Auditor).query("{ contacts(filter: { email: { startsWith: \"contact1\" } }) { totalCount } opportunities(first: 2, orderBy: [{ field: NAME }]) { edges { cursor } } }").await;
        assert_eq!(shown["contacts"]["totalCount"], 1);
    });
}

#[test]
fn a_cursor_of_a_member_who_is_shown_more_opens_nothing() {
    test(async |world| {
        arrange(world).await;
        let by_amount = "orderBy: [{ field: AMOUNT }]";
        let page = world
            .a(Who::Admin)
            .query(&format!(
                "{{ opportunities(first: 1, {by_amount}) {{ pageInfo {{ endCursor }} }} }}"
            ))
            .await;
        let cursor = &page["opportunities"]["pageInfo"]["endCursor"];
        for (order, code) in [
            (by_amount, "FORBIDDEN"),
            ("orderBy: [{ field: NAME }]", "INVALID_CURSOR"),
        ] {
            let answer = world.a(Who::Auditor).send(&format!("{{ opportunities(first: 1, after: {cursor}, {order}) {{ nodes {{ id }} }} }}"), json!({})).await;
            assert_eq!(answer.code(), code, "{order}");
        }
    });
}

#[test]
fn nobody_writes_what_they_are_not_shown_not_even_what_is_there() {
    test(async |world| {
        arrange(world).await;
        own_and_mask(world).await;
        let closer = world.a(Who::Closer);
        let worth = |minor: i64| json!({ "amountMinor": minor, "currency": "EUR" });
        let same: i64 = format!("{AMOUNT}00").parse().expect("a number");
        for (mutation, input_type, input, field) in [
            (
                "companyUpdate",
                "CompanyUpdateInput",
                json!({ "id": A.id::<CompanyId>(1), "annualRevenue": worth(same) }),
                "input.annualRevenue",
            ),
            (
                "companyUpdate",
                "CompanyUpdateInput",
                json!({ "id": A.id::<CompanyId>(1), "phone": null }),
                "input.phone",
            ),
            (
                "companyCreate",
                "CompanyCreateInput",
                json!({ "name": "x", "phone": "12345" }),
                "input.phone",
            ),
            (
                "contactUpdate",
                "ContactUpdateInput",
                json!({ "id": A.id::<ContactId>(1), "contactMethods": [] }),
                "input.contactMethods",
            ),
            (
                "contactCreate",
                "ContactCreateInput",
                json!({ "firstName": "x", "lastName": "y", "contactMethods": [{ "kind": "URL", "value": "https://a.example" }, { "kind": "EMAIL", "value": "a@b.example" }] }),
                "input.contactMethods.1.value",
            ),
            (
                "contactCreate",
                "ContactCreateInput",
                json!({ "firstName": "x", "lastName": "y", "contactMethods": [{ "kind": "FAX", "value": "12345" }] }),
                "input.contactMethods.0.value",
            ),
            (
                "leadUpdate",
                "LeadUpdateInput",
                json!({ "id": A.id::<LeadId>(1), "email": "lead1@shared.example" }),
                "input.email",
            ),
            (
                "leadUpdate",
                "LeadUpdateInput",
                json!({ "id": A.id::<LeadId>(1), "phone": "12345" }),
                "input.phone",
            ),
            (
                "leadUpdate",
                "LeadUpdateInput",
                json!({ "id": A.id::<LeadId>(1), "estimatedAmount": null }),
                "input.estimatedAmount",
            ),
            (
                "opportunityUpdate",
                "OpportunityUpdateInput",
                json!({ "id": A.id::<OpportunityId>(1), "amount": worth(same) }),
                "input.amount",
            ),
            (
                "opportunityCreate",
                "OpportunityCreateInput",
                json!({ "name": "x", "amount": worth(1) }),
                "input.amount",
            ),
        ] {
            let document = format!(
                "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ userErrors {{ code field message }} }} }}"
            );
            let answer = closer.send(&document, json!({ "input": input })).await;
            assert_eq!(
                answer.user_error(mutation),
                ("FORBIDDEN".to_owned(), field.to_owned()),
                "{mutation} {input}"
            );
            assert!(!answer.body.to_string().contains(AMOUNT));
        }
        let allowed = closer.send("mutation($input: ContactCreateInput!) { contactCreate(input: $input) { contact { contactMethods { value } } userErrors { code field } } }",
            json!({ "input": { "firstName": "x", "lastName": "y", "contactMethods": [{ "kind": "URL", "value": "https://a.example" }] } })).await;
        assert_eq!(
            allowed.data()["contactCreate"]["contact"]["contactMethods"][0]["value"],
            "https://a.example"
        );
    });
}

/// A record as the database hands it to a reader, whatever resolves it.
async fn read<R: Record + std::fmt::Debug>(world: &World, who: Who, masks: &[Sensitive]) -> String {
    let permissions =
        ["companies", "contacts", "leads", "opportunities"].map(|kind| format!("{kind}:read:all"));
    let mut membership = Membership::of(A.tenant(), Role::Custom, None);
    membership.rights = Arc::new(Rights::parse(&permissions, masks).expect("sound"));
    let actor = Actor::new(
        Subject::Person(A.user(who), None),
        membership,
        DateTime::<Utc>::MAX_UTC,
    );
    let session = world.db.read_session(Arc::new(actor));
    let found = session
        .run(async |tx| list::find::<R>(tx, A.uuid(R::KIND, 1)).await)
        .await;
    format!(
        "{:?}",
        found.expect("the database answers").expect("it is there")
    )
}

#[test]
fn the_database_itself_hands_out_nothing_that_is_kept_back() {
    test(async |world| {
        arrange(world).await;
        let all = [Sensitive::Amounts, Sensitive::Emails, Sensitive::Phones];
        for (what, secret) in all.into_iter().zip([AMOUNT, EMAIL, PHONE]) {
            let others: Vec<_> = all.into_iter().filter(|other| *other != what).collect();
            let texts = async |masks: &[Sensitive]| {
                [
                    read::<Company>(world, Who::Viewer, masks).await,
                    read::<Contact>(world, Who::Viewer, masks).await,
                    read::<Lead>(world, Who::Viewer, masks).await,
                    read::<Opportunity>(world, Who::Viewer, masks).await,
                    read::<Product>(world, Who::Viewer, masks).await,
                ]
                .join("\n")
            };
            assert!(!texts(&[what]).await.contains(secret), "{what:?}");
            assert!(
                texts(&others).await.contains(secret),
                "{what:?} alone is kept back by {what:?}"
            );
        }
    });
}

/// The audit log as a member reads it: of each entry its kind, whether it is masked, and the values.
async fn log_of(world: &World, who: Who) -> Vec<(String, bool, String)> {
    let document = "{ auditLog(first: 100) { nodes { entity entityId changes { field before after masked } } } }";
    let read = world.a(who).query(document).await;
    let nodes = read["auditLog"]["nodes"].as_array().expect("entries");
    nodes
        .iter()
        .filter(|node| {
            node["changes"]
                .as_array()
                .is_some_and(|changes| !changes.is_empty())
        })
        .map(|node| {
            let changes = node["changes"].as_array().expect("changes");
            let masked = changes.iter().all(|change| {
                change["masked"] == true && change["before"].is_null() && change["after"].is_null()
            });
            let entity = node["entity"].as_str().unwrap_or_default().to_owned();
            (entity, masked, node["changes"].to_string())
        })
        .collect()
}

/// Lets the auditor have these permissions and no masks.
async fn let_auditor(world: &World, permissions: &str) {
    let sql = format!(
        "UPDATE roles SET masks = '{{}}', permissions = ARRAY[{permissions}] WHERE role_id = '{}';
         INSERT INTO access_changes (change_id, tenant_id) VALUES (gen_random_uuid(), '{}')",
        A.uuid("role", 2),
        A.uuid("tenant", 1)
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
    // The actor is read anew within a second.
    let deals = match permissions.split_once("opportunities:read:") {
        Some((_, scope)) if scope.starts_with("own") => "OWN",
        Some(_) => "ALL",
        None => "NONE",
    };
    for _ in 0..200 {
        let seen = world
            .a(Who::Auditor)
            .query("{ viewer { masks scopes { kind read } } }")
            .await;
        let scopes = seen["viewer"]["scopes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let scope = json!({ "kind": "opportunities", "read": deals });
        if seen["viewer"]["masks"] == json!([]) && scopes.contains(&scope) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the auditor's rights do not change");
}

#[test]
fn the_audit_log_shows_of_each_kind_what_its_reader_could_read_there() {
    test(async |world| {
        arrange(world).await;
        let admin = world.a(Who::Admin);
        let amount = format!("{AMOUNT}01");
        let changes = format!(
            "mutation {{
               a: companyUpdate(input: {{ id: \"{}\", annualRevenue: {{ amountMinor: {amount}, currency: \"EUR\" }} }}) {{ userErrors {{ code }} }}
               b: opportunityUpdate(input: {{ id: \"{}\", amount: {{ amountMinor: {amount}, currency: \"EUR\" }} }}) {{ userErrors {{ code }} }}
               c: leadUpdate(input: {{ id: \"{}\", estimatedAmount: {{ amountMinor: {amount}, currency: \"EUR\" }} }}) {{ userErrors {{ code }} }}
               d: contactUpdate(input: {{ id: \"{}\", jobTitle: \"{AMOUNT}\" }}) {{ userErrors {{ code }} }}
               e: activityCreate(input: {{ kind: NOTE, subject: \"{AMOUNT}\", targetIds: [\"{}\"] }}) {{ userErrors {{ code }} }}
               f: apiKeyCreate(input: {{ name: \"{AMOUNT}\", role: VIEWER }}) {{ userErrors {{ code }} }}
               g: memberInvite(input: {{ email: \"x{AMOUNT}@shared.example\", role: VIEWER }}) {{ userErrors {{ code }} }}
               h: teamCreate(input: {{ name: \"{AMOUNT}\" }}) {{ userErrors {{ code }} }}
               j: productUpdate(input: {{ id: \"{}\", unitPrice: {{ amountMinor: {amount}, currency: \"EUR\" }} }}) {{ userErrors {{ code }} }}
               i: pipelineCreate(input: {{ name: \"{AMOUNT}\", stages: [{{ name: \"New\", probability: 10 }}] }}) {{ userErrors {{ code }} }}
             }}",
            A.id::<CompanyId>(1), A.id::<OpportunityId>(1), A.id::<LeadId>(1), A.id::<ContactId>(1), A.id::<CompanyId>(1), A.id::<ProductId>(1)
        );
        let done = admin.query(&changes).await;
        for (name, payload) in done.as_object().expect("payloads") {
            assert_eq!(payload["userErrors"], json!([]), "{name}");
        }
        let kinds = [
            "company",
            "opportunity",
            "lead",
            "contact",
            "activity",
            "apiKey",
            "invitation",
            "team",
            "pipeline",
            "product",
        ];
        let all = log_of(world, Who::Admin).await;
        for kind in kinds {
            let found = all.iter().find(|(entity, ..)| entity == kind);
            assert!(
                found.is_some_and(|(_, masked, _)| !masked),
                "{kind} is shown to who may read it: {all:?}"
            );
        }

        // Reading the log alone shows no value of any record.
        let_auditor(world, "'users:read', 'audit:read'").await;
        let none = log_of(world, Who::Auditor).await;
        for (entity, masked, changes) in &none {
            let is_of_people = entity == "team";
            assert!(*masked || is_of_people, "{entity}: {changes}");
            assert!(
                is_of_people || !changes.contains(AMOUNT),
                "{entity}: {changes}"
            );
        }
        for kind in kinds {
            assert!(
                none.iter().any(|(entity, ..)| entity == kind),
                "there is an event for the change of {kind}"
            );
        }

        // Each permission shows its own kind, and a narrow scope the records that it reaches.
        let shown = async |kind: &str| {
            let log = log_of(world, Who::Auditor).await;
            let found = log.into_iter().find(|(entity, ..)| entity == kind);
            !found.expect("an entry").1
        };
        let_auditor(
            world,
            "'users:read', 'audit:read', 'opportunities:read:all'",
        )
        .await;
        assert!(shown("opportunity").await && shown("pipeline").await && !shown("lead").await);
        assert!(shown("product").await);
        let_auditor(
            world,
            "'users:read', 'audit:read', 'opportunities:read:own'",
        )
        .await;
        assert!(!shown("opportunity").await, "it is another member's");
        let own = format!(
            "UPDATE opportunities SET owner_id = '{}', team_path = NULL WHERE opportunity_id = '{}'",
            A.user(Who::Auditor).uuid(),
            A.uuid("opportunity", 1)
        );
        raw_sql(AssertSqlSafe(own))
            .execute(&mut world.database.superuser().await)
            .await
            .unwrap();
        assert!(shown("opportunity").await, "it is the auditor's own now");
    });
}
