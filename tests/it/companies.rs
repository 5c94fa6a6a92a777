//! Companies, as callers of the API know them. The tests of another domain begin as a copy of these.

use dealgraph::base::ids::{CompanyId, UserId};
use serde_json::{Value, json};

use crate::harness::{A, Answer, Client, Who, test};

const FIELDS: &str = "id name domain industry employeeCount annualRevenue { amountMinor currency } foundedYear website phone
    address { line city region postalCode country } description tags parent { id } owner { id } archivedAt
    createdBy { kind user { id } } updatedBy { kind user { id } } version";

async fn create(client: &Client<'_>, input: Value) -> Answer {
    let document = format!(
        "mutation($input: CompanyCreateInput!) {{ companyCreate(input: $input) {{ company {{ {FIELDS} }} userErrors {{ code field message }} }} }}"
    );
    client.send(&document, json!({ "input": input })).await
}

async fn update(client: &Client<'_>, input: Value) -> Answer {
    let document = format!(
        "mutation($input: CompanyUpdateInput!) {{ companyUpdate(input: $input) {{ company {{ {FIELDS} }} userErrors {{ code field message }} }} }}"
    );
    client.send(&document, json!({ "input": input })).await
}

async fn act(client: &Client<'_>, mutation: &str, input: Value) -> Answer {
    let document = format!(
        "mutation($input: CompanyRefInput!) {{ {mutation}(input: $input) {{ company {{ version archivedAt }} userErrors {{ code field message }} }} }}"
    );
    client.send(&document, json!({ "input": input })).await
}

async fn delete(client: &Client<'_>, input: Value) -> Answer {
    let document = "mutation($input: CompanyRefInput!) { companyDelete(input: $input) { deletedId userErrors { code field message } } }";
    client.send(document, json!({ "input": input })).await
}

async fn names(client: &Client<'_>, arguments: &str) -> Vec<String> {
    let data = client
        .query(&format!(
            "{{ companies({arguments}) {{ nodes {{ name }} }} }}"
        ))
        .await;
    let nodes = data["companies"]["nodes"]
        .as_array()
        .expect("nodes")
        .clone();
    nodes
        .iter()
        .map(|node| node["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_company_is_created_with_all_its_fields_and_reads_back_as_it_was_written() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let written = json!({
            "name": "  Ola  Nordmann AS ", "domain": "Ola.Example", "industry": "shipping", "employeeCount": 12,
            "annualRevenue": { "amountMinor": 9007199254740991_i64, "currency": "NOK" }, "foundedYear": 1921,
            "website": "https://ola.example/om", "phone": "+47 1", "addressLine": "Bryggen 1", "city": "Bergen",
            "region": "Vestland", "postalCode": "5003", "country": "Norway", "description": "Ships\nand more",
            "parentCompanyId": A.id::<CompanyId>(1), "tags": ["b", "a", "B"],
        });
        let answer = create(&rep, written).await.data();
        let company = &answer["companyCreate"]["company"];
        let me = json!({ "kind": "USER", "user": { "id": A.user(Who::Rep) } });
        assert_eq!(
            *company,
            json!({
                "id": company["id"], "name": "Ola  Nordmann AS", "domain": "ola.example", "industry": "shipping", "employeeCount": 12,
                "annualRevenue": { "amountMinor": 9007199254740991_i64, "currency": "NOK" }, "foundedYear": 1921,
                "website": "https://ola.example/om", "phone": "+47 1",
                "address": { "line": "Bryggen 1", "city": "Bergen", "region": "Vestland", "postalCode": "5003", "country": "Norway" },
                "description": "Ships\nand more", "tags": ["b", "a"], "parent": { "id": A.id::<CompanyId>(1) },
                "owner": { "id": A.user(Who::Rep) }, "archivedAt": null, "createdBy": me, "updatedBy": me, "version": 1,
            })
        );
        let document = format!(
            "query($id: ID!) {{ company(id: $id) {{ {FIELDS} }} node(id: $id) {{ id ... on Company {{ name }} }} }}"
        );
        let read = world
            .a(Who::Viewer)
            .query_with(&document, json!({ "id": company["id"] }))
            .await;
        assert_eq!(read["company"], *company);
        assert_eq!(read["node"]["name"], company["name"]);
    });
}

#[test]
fn creating_twice_with_the_same_id_creates_once() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let input = json!({ "id": CompanyId::new(), "name": "Once" });
        let first = create(&rep, input.clone()).await.data();
        let again = create(&rep, json!({ "id": input["id"], "name": "Twice" }))
            .await
            .data();
        assert_eq!(first, again);
        assert_eq!(
            names(&rep, "filter: { name: { in: [\"once\", \"twice\"] } }").await,
            ["Once"]
        );
    });
}

#[test]
fn a_patch_keeps_what_is_left_out_empties_what_is_null_and_replaces_the_rest() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let input = json!({ "name": "Patched", "city": "Oslo", "phone": "1", "tags": ["x"], "annualRevenue": { "amountMinor": 5, "currency": "EUR" } });
        let created = create(&rep, input).await.data()["companyCreate"]["company"].clone();
        let change = json!({ "id": created["id"], "city": null, "phone": "2", "name": null, "tags": null, "annualRevenue": null });
        let mut expected = created.clone();
        expected["address"]["city"] = Value::Null;
        expected["phone"] = json!("2");
        expected["tags"] = json!([]);
        expected["annualRevenue"] = Value::Null;
        expected["version"] = json!(2);
        assert_eq!(
            update(&rep, change).await.data()["companyUpdate"],
            json!({ "company": expected, "userErrors": [] })
        );

        // What changes nothing is no change.
        let same = update(&rep, json!({ "id": created["id"], "phone": "2" })).await;
        assert_eq!(same.data()["companyUpdate"]["company"]["version"], 2);
    });
}

#[test]
fn a_change_made_for_another_version_is_a_conflict_and_shows_the_record_as_it_is() {
    test(async |world| {
        let (rep, id) = (world.a(Who::Rep), A.id::<CompanyId>(1));
        update(
            &rep,
            json!({ "id": id, "expectedVersion": 1, "name": "Mine" }),
        )
        .await
        .data();
        let late = update(
            &world.a(Who::Admin),
            json!({ "id": id, "expectedVersion": 1, "name": "Theirs" }),
        )
        .await;
        assert_eq!(
            late.user_error("companyUpdate"),
            ("CONFLICT".to_owned(), "input.expectedVersion".to_owned())
        );
        let current = &late.data()["companyUpdate"]["company"];
        assert_eq!(
            (&current["name"], &current["version"]),
            (&json!("Mine"), &json!(2))
        );
        for mutation in ["companyArchive", "companyRestore"] {
            let late = act(&rep, mutation, json!({ "id": id, "expectedVersion": 1 })).await;
            assert_eq!(late.user_error(mutation).0, "CONFLICT");
        }
        assert_eq!(
            delete(
                &world.a(Who::Admin),
                json!({ "id": id, "expectedVersion": 1 })
            )
            .await
            .user_error("companyDelete")
            .0,
            "CONFLICT"
        );
    });
}

#[test]
fn two_people_who_change_one_company_at_once_do_not_overwrite_each_other() {
    test(async |world| {
        let (admin, id) = (world.a(Who::Admin), A.id::<CompanyId>(4));
        let changes = (0..8).map(|n| {
            update(
                &admin,
                json!({ "id": id, "expectedVersion": 1, "name": format!("Change {n}") }),
            )
        });
        let answers = futures_util::future::join_all(changes).await;
        let won = answers
            .iter()
            .filter(|answer| answer.data()["companyUpdate"]["userErrors"] == json!([]))
            .count();
        let lost = answers
            .iter()
            .filter(|answer| answer.user_error("companyUpdate").0 == "CONFLICT")
            .count();
        assert_eq!((won, lost), (1, 7));
    });
}

#[test]
fn an_archived_company_is_out_of_lists_and_comes_back() {
    test(async |world| {
        let (rep, id) = (world.a(Who::Rep), A.id::<CompanyId>(1));
        let all = ["Company 4", "Company 3", "Company 2", "Company 1"];
        let archived = act(&rep, "companyArchive", json!({ "id": id }))
            .await
            .data()["companyArchive"]["company"]
            .clone();
        assert_eq!(archived["version"], 2);
        assert_ne!(archived["archivedAt"], Value::Null);
        assert_eq!(
            act(&rep, "companyArchive", json!({ "id": id }))
                .await
                .data()["companyArchive"]["company"],
            archived,
            "twice is once"
        );
        assert_eq!(names(&rep, "first: 9").await, all[..3]);
        assert_eq!(names(&rep, "includeArchived: true").await, all);
        act(
            &rep,
            "companyRestore",
            json!({ "id": id, "expectedVersion": 2 }),
        )
        .await
        .data();
        assert_eq!(names(&rep, "first: 9").await, all);
    });
}

#[test]
fn a_company_that_others_refer_to_is_not_deleted_and_one_that_nobody_does_is_gone() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let used = delete(&admin, json!({ "id": A.id::<CompanyId>(1) })).await;
        assert_eq!(
            used.user_error("companyDelete"),
            ("IN_USE".to_owned(), "input.id".to_owned())
        );
        assert_eq!(used.data()["companyDelete"]["deletedId"], Value::Null);

        let id = create(&admin, json!({ "name": "Brief" })).await.data()["companyCreate"]["company"]["id"].clone();
        let gone = delete(&admin, json!({ "id": id })).await.data();
        assert_eq!(
            gone["companyDelete"],
            json!({ "deletedId": id, "userErrors": [] })
        );
        assert_eq!(
            delete(&admin, json!({ "id": id }))
                .await
                .user_error("companyDelete")
                .0,
            "NOT_FOUND"
        );
        assert_eq!(
            admin
                .query_with(
                    "query($id: ID!) { company(id: $id) { id } }",
                    json!({ "id": id })
                )
                .await["company"],
            Value::Null
        );
    });
}

#[test]
fn what_a_role_may_not_do_is_refused_and_leaves_no_trace() {
    test(async |world| {
        let id = A.id::<CompanyId>(3);
        for who in [Who::Analyst, Who::Viewer] {
            let refused = create(&world.a(who), json!({ "name": "No" })).await;
            assert_eq!(
                refused.user_error("companyCreate").0,
                "FORBIDDEN",
                "{who:?}"
            );
        }
        // Seen, but another team's.
        for who in [Who::Rep, Who::Manager, Who::Viewer] {
            let refused = update(&world.a(who), json!({ "id": id, "name": "No" })).await;
            assert_eq!(
                refused.user_error("companyUpdate").0,
                "FORBIDDEN",
                "{who:?}"
            );
            assert_eq!(
                delete(&world.a(who), json!({ "id": id }))
                    .await
                    .user_error("companyDelete")
                    .0,
                "FORBIDDEN",
                "{who:?}"
            );
        }
        // Their own, but a rep deletes nothing; and nobody gives away what they then could not edit.
        let own = json!({ "id": A.id::<CompanyId>(1) });
        assert_eq!(
            delete(&world.a(Who::Rep), own)
                .await
                .user_error("companyDelete")
                .0,
            "FORBIDDEN"
        );
        let given = json!({ "name": "No", "ownerId": A.user(Who::OtherRep) });
        assert_eq!(
            create(&world.a(Who::Rep), given)
                .await
                .user_error("companyCreate")
                .0,
            "FORBIDDEN"
        );

        assert_eq!(
            names(&world.a(Who::Admin), "includeArchived: true").await,
            ["Company 4", "Company 3", "Company 2", "Company 1"]
        );
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let long = "x".repeat(201);
        for (input, code, field) in [
            (json!({ "name": " \t" }), "BLANK", "name"),
            (json!({ "name": long }), "TOO_LONG", "name"),
            (json!({ "name": "a\u{0}b" }), "INVALID_TEXT", "name"),
            (
                json!({ "name": "x", "domain": "https://x.example" }),
                "INVALID_DOMAIN",
                "domain",
            ),
            (
                json!({ "name": "x", "website": "javascript:alert(1)" }),
                "INVALID_URL",
                "website",
            ),
            (
                json!({ "name": "x", "employeeCount": -1 }),
                "OUT_OF_RANGE",
                "employeeCount",
            ),
            (
                json!({ "name": "x", "foundedYear": 3000 }),
                "OUT_OF_RANGE",
                "foundedYear",
            ),
            (
                json!({ "name": "x", "annualRevenue": { "amountMinor": 1, "currency": "euro" } }),
                "INVALID_CURRENCY",
                "annualRevenue.currency",
            ),
            (
                json!({ "name": "x", "annualRevenue": { "amountMinor": -1, "currency": "EUR" } }),
                "INVALID_AMOUNT",
                "annualRevenue.amountMinor",
            ),
            (json!({ "name": "x", "tags": [""] }), "BLANK", "tags"),
            (
                json!({ "name": "x", "tags": (0..51).map(|n| n.to_string()).collect::<Vec<_>>() }),
                "TOO_MANY_VALUES",
                "tags",
            ),
            (
                json!({ "name": "x", "ownerId": UserId::new() }),
                "NOT_FOUND",
                "ownerId",
            ),
            (
                json!({ "name": "x", "parentCompanyId": CompanyId::new() }),
                "NOT_FOUND",
                "parentCompanyId",
            ),
        ] {
            let refused = create(&rep, input.clone()).await;
            assert_eq!(
                refused.user_error("companyCreate"),
                (code.to_owned(), format!("input.{field}")),
                "{input}"
            );
        }
        // 1 is above 2 already.
        let (above, below) = (A.id::<CompanyId>(1), A.id::<CompanyId>(2));
        for parent in [above, below] {
            let looped = update(&rep, json!({ "id": above, "parentCompanyId": parent })).await;
            assert_eq!(
                looped.user_error("companyUpdate"),
                ("LOOP".to_owned(), "input.parentCompanyId".to_owned())
            );
        }
        let wrong_type = update(&rep, json!({ "id": A.user(Who::Rep), "name": "x" })).await;
        assert_eq!(wrong_type.code(), "INVALID_ID", "{}", wrong_type.body);
        assert_eq!(
            names(&rep, "first: 9").await.len(),
            4,
            "nothing was written by the way"
        );
    });
}

#[test]
fn filters_combine_and_related_records_filter_too() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), A.user(Who::Rep));
        for (filter, found) in [
            (
                "name: { startsWith: \"COMPANY\" }".to_owned(),
                vec![4, 3, 2, 1],
            ),
            ("name: { eq: \" company  3\" }".to_owned(), vec![3]),
            ("name: { neq: \"company 3\" }".to_owned(), vec![4, 2, 1]),
            (
                "name: { in: [\"company 1\", \"company 2\", \"none\"] }".to_owned(),
                vec![2, 1],
            ),
            (
                "name: { nin: [\"company 1\", \"company 2\"] }".to_owned(),
                vec![4, 3],
            ),
            ("name: { in: [] }".to_owned(), vec![]),
            (format!("ownerId: {{ eq: \"{rep}\" }}"), vec![1]),
            ("ownerId: { null: true }".to_owned(), vec![4]),
            ("ownerId: { null: false }".to_owned(), vec![3, 2, 1]),
            (format!("ownerId: {{ neq: \"{rep}\" }}"), vec![4, 3, 2]),
            (
                "createdAt: { gt: \"2026-01-01T02:00:00Z\", lte: \"2026-01-01T04:00:00Z\" }"
                    .to_owned(),
                vec![4, 3],
            ),
            (
                format!(
                    "or: [{{ name: {{ eq: \"company 4\" }} }}, {{ ownerId: {{ eq: \"{rep}\" }} }}]"
                ),
                vec![4, 1],
            ),
            ("or: []".to_owned(), vec![]),
            ("and: []".to_owned(), vec![4, 3, 2, 1]),
            (
                format!("not: {{ ownerId: {{ eq: \"{rep}\" }} }}"),
                vec![4, 3, 2],
            ),
            (
                "domain: { startsWith: \"company1\" }, not: { industry: { eq: \"software\" } }"
                    .to_owned(),
                vec![],
            ),
        ] {
            let expected: Vec<String> = found.iter().map(|n| format!("Company {n}")).collect();
            assert_eq!(
                names(&admin, &format!("filter: {{ {filter} }}")).await,
                expected,
                "{filter}"
            );
        }
        let many = format!(
            "{{ companies(filter: {{ name: {{ in: [{}] }} }}) {{ totalCount }} }}",
            "\"x\" ".repeat(101)
        );
        assert_eq!(admin.send(&many, json!({})).await.code(), "TOO_MANY_VALUES");
    });
}

#[test]
fn a_list_is_walked_page_by_page_in_both_directions_in_every_order() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        // Equal names, so that the id has to decide.
        for name in ["company 2", "Company 2", "COMPANY 2"] {
            create(&admin, json!({ "name": name })).await.data();
        }
        for order in [
            "",
            "[{ field: NAME }]",
            "[{ field: NAME, direction: DESC }]",
            "[{ field: UPDATED_AT }]",
            "[{ field: NAME, direction: DESC }, { field: CREATED_AT, direction: ASC }]",
        ] {
            let order_by = if order.is_empty() {
                String::new()
            } else {
                format!(", orderBy: {order}")
            };
            let whole = walk(&admin, &format!("first: 100{order_by}"), "after").await;
            assert_eq!(whole.len(), 7, "{order}");
            assert_eq!(
                walk(&admin, &format!("first: 2{order_by}"), "after").await,
                whole,
                "forward {order}"
            );
            assert_eq!(
                walk(&admin, &format!("last: 3{order_by}"), "before").await,
                whole,
                "backward {order}"
            );
        }
        let page = admin.query("{ companies(first: 0) { nodes { id } totalCount totalCountIsEstimate pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }").await;
        let info = json!({ "hasNextPage": true, "hasPreviousPage": false, "startCursor": null, "endCursor": null });
        assert_eq!(
            page["companies"],
            json!({ "nodes": [], "totalCount": 7, "totalCountIsEstimate": false, "pageInfo": info })
        );
        for bad in ["first: -1", "first: 101", "last: 101", "first: 1, last: 1"] {
            let answer = admin
                .send(
                    &format!("{{ companies({bad}) {{ totalCount }} }}"),
                    json!({}),
                )
                .await;
            assert!(
                ["INVALID_PAGE", "BAD_USER_INPUT"].contains(&answer.code()),
                "{bad}: {}",
                answer.body
            );
        }
    });
}

#[test]
fn pages_do_not_shift_when_rows_come_and_go() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let page = admin.query("{ companies(first: 2, orderBy: [{ field: NAME }]) { edges { cursor node { name } } } }").await;
        let cursor = page["companies"]["edges"][1]["cursor"]
            .as_str()
            .unwrap()
            .to_owned();
        create(&admin, json!({ "name": "A new first" }))
            .await
            .data();
        act(
            &admin,
            "companyArchive",
            json!({ "id": A.id::<CompanyId>(2) }),
        )
        .await
        .data();
        let rest = names(
            &admin,
            &format!("first: 9, after: \"{cursor}\", orderBy: [{{ field: NAME }}]"),
        )
        .await;
        assert_eq!(
            rest,
            ["Company 3", "Company 4"],
            "also when the row at the cursor is gone"
        );
    });
}

/// All ids of a list, page by page, in the order of the list.
async fn walk(client: &Client<'_>, arguments: &str, continues: &str) -> Vec<String> {
    let mut pages: Vec<Vec<String>> = Vec::new();
    let mut at = String::new();
    loop {
        let document = format!(
            "{{ companies({arguments}{at}) {{ nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let data = client.query(&document).await;
        let (nodes, info) = (&data["companies"]["nodes"], &data["companies"]["pageInfo"]);
        pages.push(
            nodes
                .as_array()
                .expect("nodes")
                .iter()
                .map(|node| node["id"].as_str().expect("an id").to_owned())
                .collect(),
        );
        let (more, cursor, behind) = match continues {
            "after" => (
                &info["hasNextPage"],
                &info["endCursor"],
                &info["hasPreviousPage"],
            ),
            _ => (
                &info["hasPreviousPage"],
                &info["startCursor"],
                &info["hasNextPage"],
            ),
        };
        assert_eq!(*behind, json!(pages.len() > 1), "what lies behind is known");
        if *more == json!(false) {
            break;
        }
        at = format!(", {continues}: {cursor}");
    }
    if continues == "before" {
        pages.reverse();
    }
    pages.concat()
}
