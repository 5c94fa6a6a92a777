//! Products, as callers of the API know them.

use dealgraph::base::ids::{OpportunityId, ProductId};
use serde_json::{Value, json};

use crate::{
    harness::{A, B, Client, Who, World, test},
    live::Socket,
    records::{Domain, arrange, census, merge},
};

const PRODUCTS: Domain = Domain {
    one: "product",
    many: "products",
    of: "Product",
    fields: "id name code unitPrice { amountMinor currency } active description archivedAt
        createdBy { kind user { id } } updatedBy { kind user { id } } version",
};

/// What happens to products, with all that an event says.
const EVENTS: &str = "subscription($filter: ProductFilter) { productEvents(filter: $filter) {
    kind recordId version changes { field before after masked } product { name unitPrice { amountMinor } } } }";

/// What sends a document to the executor, which reads whole records.
const TO_THE_EXECUTOR: &str = "__typeOf: __typename";

fn product(patch: Value) -> Value {
    let mut input = json!({ "name": "Anvil", "code": "A-100" });
    merge(&mut input, &patch);
    input
}

fn euros(amount_minor: i64) -> Value {
    json!({ "amountMinor": amount_minor, "currency": "EUR" })
}

fn id(n: u32) -> Value {
    json!(A.id::<ProductId>(n))
}

/// Lets the auditor, who is shown no amounts, change products.
async fn let_auditor_change(world: &World) {
    let sql = format!(
        "UPDATE roles SET permissions = permissions || ARRAY['admin'] WHERE role_id = '{}'",
        A.uuid("role", 2)
    );
    arrange(world, sql).await;
}

#[test]
fn a_product_is_created_with_all_its_fields_and_reads_back_as_it_was_written() {
    test(async |world| {
        let written = json!({
            "name": "  Steel  anvil ", "code": " a-100 ", "unitPrice": euros(9_007_199_254_740_991),
            "active": false, "description": "Heavy\nand loud",
        });
        let created = PRODUCTS.done(&world.a(Who::Admin), "Create", written).await;
        let me = json!({ "kind": "USER", "user": { "id": A.user(Who::Admin) } });
        let expected = json!({
            "id": created["id"], "name": "Steel  anvil", "code": "a-100",
            "unitPrice": euros(9_007_199_254_740_991), "active": false, "description": "Heavy\nand loud",
            "archivedAt": null, "createdBy": me, "updatedBy": me, "version": 1,
        });
        assert_eq!(created, expected);
        for who in [Who::Manager, Who::Rep, Who::Analyst, Who::Viewer] {
            let read = PRODUCTS.read(&world.a(who), &created["id"]).await;
            assert_eq!(read, expected, "{who:?}");
        }
        let least = PRODUCTS
            .done(
                &world.a(Who::Admin),
                "Create",
                product(json!({ "code": "A-200" })),
            )
            .await;
        let defaults = ["unitPrice", "active", "description"].map(|field| least[field].clone());
        assert_eq!(defaults, [Value::Null, json!(true), Value::Null]);
    });
}

#[test]
fn products_live_as_all_records_do() {
    test(async |world| {
        PRODUCTS
            .lives(
                world,
                product(json!({})),
                |n| json!({ "name": format!("Anvil {n}"), "unitPrice": euros(n as i64) }),
            )
            .await
    });
}

#[test]
fn a_patch_keeps_what_is_left_out_empties_what_is_null_and_replaces_the_rest() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let input = product(json!({ "unitPrice": euros(5), "description": "Heavy" }));
        let created = PRODUCTS.done(&admin, "Create", input).await;
        let change =
            json!({ "id": created["id"], "unitPrice": null, "active": false, "name": null });
        let mut expected = created.clone();
        merge(
            &mut expected,
            &json!({ "unitPrice": null, "active": false, "version": 2 }),
        );
        assert_eq!(PRODUCTS.done(&admin, "Update", change).await, expected);
        let change = json!({ "id": created["id"], "code": "a-100", "description": null });
        merge(
            &mut expected,
            &json!({ "code": "a-100", "description": null, "version": 3 }),
        );
        assert_eq!(
            PRODUCTS.done(&admin, "Update", change).await,
            expected,
            "its own code in another case is not taken"
        );
    });
}

#[test]
fn a_code_is_one_products_in_its_tenant_however_it_is_written() {
    test(async |world| {
        let (admin, theirs) = (world.a(Who::Admin), world.b(Who::Admin));
        let taken = ("TAKEN".to_owned(), "code".to_owned());
        PRODUCTS.done(&admin, "Create", product(json!({}))).await;
        for code in ["A-100", " a-100", "Ａ-100"] {
            let again = product(json!({ "code": code }));
            assert_eq!(PRODUCTS.refused(&admin, "Create", again).await, taken);
            let change = json!({ "id": id(1), "code": code });
            assert_eq!(PRODUCTS.refused(&admin, "Update", change).await, taken);
        }
        PRODUCTS.done(&theirs, "Create", product(json!({}))).await;

        PRODUCTS
            .done(&admin, "Archive", json!({ "id": id(1) }))
            .await;
        let archived = product(json!({ "code": "p-1" }));
        assert_eq!(
            PRODUCTS.refused(&admin, "Create", archived.clone()).await,
            taken,
            "an archived product keeps its code"
        );
        PRODUCTS
            .done(&admin, "Delete", json!({ "id": id(1) }))
            .await;
        PRODUCTS.done(&admin, "Create", archived).await;
    });
}

#[test]
fn every_filter_and_every_order_of_products_works() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (name, code, price) in [
            ("Free", "Z-1", json!(euros(0))),
            ("Unpriced", "Z-2", Value::Null),
            ("free", "Z-3", json!(euros(0))),
        ] {
            let input = json!({ "name": name, "code": code, "unitPrice": price, "active": false });
            PRODUCTS.done(&admin, "Create", input).await;
        }
        let by_id = format!("id: {{ eq: {} }}", id(2));
        let cases: [(&str, &[&str]); 16] = [
            (&by_id, &["P-2"]),
            ("name: { eq: \" product  3\" }", &["P-3"]),
            ("name: { eq: \"FREE\" }", &["Z-1", "Z-3"]),
            (
                "name: { startsWith: \"prod\" }",
                &["P-1", "P-2", "P-3", "P-4"],
            ),
            ("code: { eq: \"p-1\" }", &["P-1"]),
            ("code: { startsWith: \"z-\" }", &["Z-1", "Z-2", "Z-3"]),
            (
                "code: { in: [\"P-1\", \"z-1\", \"none\"] }",
                &["P-1", "Z-1"],
            ),
            ("active: false", &["Z-1", "Z-2", "Z-3"]),
            (
                "active: true, code: { neq: \"P-1\" }",
                &["P-2", "P-3", "P-4"],
            ),
            ("unitPriceMinor: { eq: null }", &["Z-2"]),
            ("unitPriceMinor: { eq: 0 }", &["Z-1", "Z-3"]),
            ("unitPriceMinor: { gte: 3000 }", &["P-3", "P-4"]),
            ("unitPriceMinor: { lt: 2000 }", &["P-1", "Z-1", "Z-3"]),
            (
                "createdAt: { gt: \"2026-01-01T01:00:00Z\", lte: \"2026-01-01T03:00:00Z\" }",
                &["P-2", "P-3"],
            ),
            ("updatedAt: { lte: \"2026-01-01T01:00:00Z\" }", &["P-1"]),
            (
                "or: [{ code: { eq: \"P-1\" } }, { not: { active: true }, name: { eq: \"free\" } }]",
                &["P-1", "Z-1", "Z-3"],
            ),
        ];
        PRODUCTS.finds(&admin, "code", &cases).await;
        PRODUCTS
            .walks(
                &admin,
                &["CREATED_AT", "UPDATED_AT", "NAME", "CODE", "UNIT_PRICE"],
            )
            .await;
        let by_price =
            "filter: { active: false }, orderBy: [{ field: UNIT_PRICE }, { field: CODE }]";
        assert_eq!(
            PRODUCTS.column(&admin, by_price, "code").await,
            ["Z-2", "Z-1", "Z-3"],
            "what has no price comes before what is free"
        );
        PRODUCTS
            .done(&admin, "Archive", json!({ "id": id(4) }))
            .await;
        assert_eq!(
            PRODUCTS
                .column(&admin, "first: 2, filter: { active: true }", "code")
                .await,
            ["P-3", "P-2"],
            "the newest first, without archived ones"
        );
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let cases = vec![
            (json!({ "name": " \t" }), "BLANK", "name"),
            (json!({ "name": "x".repeat(201) }), "TOO_LONG", "name"),
            (json!({ "code": "\u{200b}" }), "BLANK", "code"),
            (json!({ "code": "x".repeat(201) }), "TOO_LONG", "code"),
            (json!({ "code": "a\u{0}b" }), "INVALID_TEXT", "code"),
            (
                json!({ "description": "x".repeat(20_001) }),
                "TOO_LONG",
                "description",
            ),
            (
                json!({ "unitPrice": { "amountMinor": 1, "currency": "euro" } }),
                "INVALID_CURRENCY",
                "unitPrice.currency",
            ),
            (
                json!({ "unitPrice": euros(-1) }),
                "INVALID_AMOUNT",
                "unitPrice.amountMinor",
            ),
        ];
        let admin = world.a(Who::Admin);
        PRODUCTS
            .refuses((world, &admin), "Create", product(json!({})), cases.clone())
            .await;
        PRODUCTS
            .refuses((world, &admin), "Update", json!({ "id": id(1) }), cases)
            .await;
        let wrong_type = json!({ "id": A.id::<OpportunityId>(1), "name": "x" });
        let wrong_type = PRODUCTS.act(&admin, "Update", &wrong_type).await;
        assert_eq!(wrong_type.code(), "INVALID_ID", "{}", wrong_type.body);
    });
}

#[test]
fn only_an_admin_changes_products() {
    test(async |world| {
        let before = census(world).await;
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
        ] {
            let client = world.a(who);
            for (verb, input) in [
                ("Create", product(json!({}))),
                ("Update", json!({ "id": id(1), "name": "x" })),
                ("Archive", json!({ "id": id(1) })),
                ("Restore", json!({ "id": id(1) })),
                ("Delete", json!({ "id": id(1) })),
            ] {
                let refused = PRODUCTS.refused(&client, verb, input).await;
                assert_eq!(refused.0, "FORBIDDEN", "{verb} {who:?}");
            }
            assert_eq!(PRODUCTS.ids(&client, "first: 9").await.len(), 4, "{who:?}");
        }
        assert_eq!(census(world).await, before);
    });
}

#[test]
fn who_reads_no_deals_sees_no_products_not_even_to_change_them() {
    test(async |world| {
        let sql = format!(
            "UPDATE roles SET permissions = ARRAY['companies:read:all', 'admin', 'users:read'] WHERE role_id = '{}'",
            A.uuid("role", 1)
        );
        arrange(world, sql).await;
        let closer = world.a(Who::Closer);
        assert_eq!(PRODUCTS.ids(&closer, "first: 9").await, [] as [Value; 0]);
        let change = json!({ "id": id(1), "name": "x" });
        assert_eq!(
            PRODUCTS.refused(&closer, "Update", change).await,
            ("NOT_FOUND".to_owned(), "id".to_owned())
        );
        let mut socket = Socket::open(&closer).await;
        socket.ask("1", EVENTS, json!({})).await;
        assert_eq!(socket.failure("1").await.0, "FORBIDDEN");
    });
}

#[test]
fn the_other_tenant_sees_and_changes_nothing() {
    test(async |world| {
        let (theirs, foreign) = (world.b(Who::Admin), json!(B.id::<ProductId>(1)));
        assert!(PRODUCTS.is_seen(&theirs, &foreign).await);
        let admin = world.a(Who::Admin);
        assert!(!PRODUCTS.is_seen(&admin, &foreign).await);
        for verb in ["Update", "Archive", "Restore", "Delete"] {
            assert_eq!(
                PRODUCTS
                    .refused(&admin, verb, json!({ "id": foreign }))
                    .await,
                ("NOT_FOUND".to_owned(), "id".to_owned()),
                "{verb}"
            );
        }
        let mut socket = Socket::open(&admin).await;
        socket.subscribe("1", EVENTS, json!({})).await;
        let change = json!({ "id": foreign, "name": "Theirs" });
        PRODUCTS.done(&theirs, "Update", change).await;
        assert!(socket.is_silent().await);
    });
}

#[test]
fn every_act_notifies_all_who_read_deals() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        rep.subscribe("1", EVENTS, json!({})).await;
        let mut cheap = Socket::open(&world.a(Who::Viewer)).await;
        let filter = json!({ "filter": { "active": true, "unitPriceMinor": { "lt": 1500 }, "code": { "eq": "p-1" } } });
        cheap.subscribe("1", EVENTS, filter).await;

        let change = json!({ "id": id(1), "unitPrice": euros(1_200), "description": "Light" });
        PRODUCTS.done(&admin, "Update", change).await;
        let changes = json!([
            { "field": "description", "before": "Kept apart", "after": "Light", "masked": false },
            { "field": "unitPriceMinor", "before": 1_000, "after": 1_200, "masked": false },
        ]);
        let event = json!({
            "kind": "UPDATED", "recordId": id(1), "version": 2, "changes": changes,
            "product": { "name": "Product 1", "unitPrice": { "amountMinor": 1_200 } },
        });
        assert_eq!(rep.event("1").await, event);
        assert_eq!(cheap.event("1").await, event);

        let change = json!({ "id": id(1), "unitPrice": null });
        PRODUCTS.done(&admin, "Update", change).await;
        assert_eq!(rep.event("1").await["kind"], "UPDATED");
        assert_eq!(
            cheap.event("1").await["kind"],
            "LEFT_VIEW",
            "no price is below none"
        );
        for (verb, kind) in [
            ("Archive", "ARCHIVED"),
            ("Restore", "RESTORED"),
            ("Delete", "DELETED"),
        ] {
            PRODUCTS.done(&admin, verb, json!({ "id": id(1) })).await;
            assert_eq!(rep.event("1").await["kind"], kind);
        }
        PRODUCTS.done(&admin, "Create", product(json!({}))).await;
        let created = rep.event("1").await;
        assert_eq!(
            (&created["kind"], &created["product"]["name"]),
            (&json!("CREATED"), &json!("Anvil"))
        );
        assert!(cheap.is_silent().await);
    });
}

/// The price of a product on either read path, alone and in a list.
async fn prices(client: &Client<'_>, product: &Value) -> Vec<Value> {
    let mut prices = Vec::new();
    for path in ["", TO_THE_EXECUTOR] {
        let fields = format!("{path} unitPrice {{ amountMinor currency }}");
        let document = format!(
            "{{ product(id: {product}) {{ {fields} }} products(filter: {{ id: {{ eq: {product} }} }}) {{ nodes {{ {fields} }} }}
               node(id: {product}) {{ ... on Product {{ {fields} }} }} }}"
        );
        let seen = client.query(&document).await;
        for at in ["/product", "/products/nodes/0", "/node"] {
            let record = seen.pointer(at).unwrap_or_else(|| panic!("{at} of {seen}"));
            prices.push(record["unitPrice"].clone());
        }
    }
    prices
}

#[test]
fn a_price_that_is_kept_back_is_shown_on_no_path() {
    test(async |world| {
        let (admin, auditor) = (world.a(Who::Admin), world.a(Who::Auditor));
        assert_eq!(prices(&admin, &id(1)).await, vec![euros(1_000); 6]);
        assert_eq!(prices(&auditor, &id(1)).await, vec![Value::Null; 6]);

        for arguments in [
            "filter: { unitPriceMinor: { gt: 1 } }",
            "filter: { not: { or: [{ unitPriceMinor: { null: true } }] } }",
            "orderBy: [{ field: UNIT_PRICE }]",
            "orderBy: [{ field: NAME }, { field: UNIT_PRICE }]",
        ] {
            for part in [
                "nodes { id }",
                "totalCount",
                "nodes { __typeOf: __typename }",
            ] {
                let document = format!("{{ products({arguments}) {{ {part} }} }}");
                let refused = auditor.send(&document, json!({})).await;
                assert_eq!(refused.code(), "FORBIDDEN", "{document}: {}", refused.body);
                assert_eq!(admin.send(&document, json!({})).await.code(), "");
            }
        }

        let mut socket = Socket::open(&auditor).await;
        let filter = json!({ "filter": { "unitPriceMinor": { "gt": 1 } } });
        socket.ask("1", EVENTS, filter).await;
        assert_eq!(socket.failure("1").await.0, "FORBIDDEN");
        socket.subscribe("2", EVENTS, json!({})).await;
        let dollars = json!({ "amountMinor": 777_000, "currency": "USD" });
        let change = json!({ "id": id(1), "unitPrice": dollars });
        PRODUCTS.done(&admin, "Update", change).await;
        let event = socket.event("2").await;
        let kept =
            |field: &str| json!({ "field": field, "before": null, "after": null, "masked": true });
        assert_eq!(
            event["changes"],
            json!([kept("unitPriceCurrency"), kept("unitPriceMinor")])
        );
        assert_eq!(event["product"]["unitPrice"], Value::Null);

        let log =
            "{ auditLog(first: 1) { nodes { action changes { field before after masked } } } }";
        let entry = |log: Value| log["auditLog"]["nodes"][0].clone();
        let (shown, hidden) = (
            entry(admin.query(log).await),
            entry(auditor.query(log).await),
        );
        assert_eq!(shown["action"], "product.updated");
        assert!(shown.to_string().contains("777000"), "{shown}");
        assert_eq!(hidden["changes"], event["changes"]);
    });
}

#[test]
fn who_is_shown_no_price_writes_none_and_empties_none() {
    test(async |world| {
        let_auditor_change(world).await;
        let auditor = world.a(Who::Auditor);
        for (verb, input) in [
            ("Create", product(json!({ "unitPrice": euros(1) }))),
            ("Update", json!({ "id": id(1), "unitPrice": euros(1_000) })),
            ("Update", json!({ "id": id(1), "unitPrice": null })),
        ] {
            assert_eq!(
                PRODUCTS.refused(&auditor, verb, input).await,
                ("FORBIDDEN".to_owned(), "unitPrice".to_owned()),
                "{verb}"
            );
        }
        for (verb, input) in [
            ("Update", json!({ "id": id(1), "description": "Seen" })),
            ("Archive", json!({ "id": id(1) })),
            ("Restore", json!({ "id": id(1) })),
        ] {
            let after = PRODUCTS.done(&auditor, verb, input).await;
            assert_eq!(after["unitPrice"], Value::Null, "{verb}");
        }
        let seen = PRODUCTS.read(&world.a(Who::Admin), &id(1)).await;
        assert_eq!(
            (&seen["description"], &seen["unitPrice"]),
            (&json!("Seen"), &euros(1_000))
        );
    });
}
