//! Contacts and the ways to reach them, as callers of the API know them.

use dealgraph::base::ids::{CompanyId, ContactId, ContactMethodId, UserId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, test},
    records::{Domain, arrange, census},
};

const CONTACTS: Domain = Domain {
    one: "contact",
    many: "contacts",
    of: "Contact",
    fields: "id firstName lastName name jobTitle department company { id } reportsTo { id } warmnessScore lastContactedAt email phone
        contactMethods { id kind value label preferred optedOutAt } tags owner { id } archivedAt createdBy { kind user { id } }
        updatedBy { kind user { id } } version",
};

fn ada(patch: Value) -> Value {
    let mut input = json!({ "firstName": "Ada", "lastName": "Lovelace" });
    crate::records::merge(&mut input, &patch);
    input
}

#[test]
fn a_contact_reads_back_as_it_was_written_also_from_its_company_and_its_boss() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let (company, boss) = (A.id::<CompanyId>(1), A.id::<ContactId>(3));
        let written = ada(json!({
            "firstName": "  Ada ", "jobTitle": "Countess", "department": "Engines", "companyId": company, "reportsToId": boss,
            "warmnessScore": 77, "lastContactedAt": "2026-02-03T04:05:06Z", "tags": ["vip", "VIP", "math"],
            "contactMethods": [
                { "kind": "EMAIL", "value": "Ada@Old.example", "label": "home" },
                { "kind": "EMAIL", "value": "ada@new.example", "preferred": true },
                { "kind": "MOBILE", "value": "+44 (20) 7946-0018", "optedOutAt": "2026-01-01T00:00:00Z" },
                { "kind": "URL", "value": "https://ada.example/" },
            ],
        }));
        let contact = CONTACTS.done(&rep, "Create", written).await;
        let me = json!({ "kind": "USER", "user": { "id": A.user(Who::Rep) } });
        let methods = &contact["contactMethods"];
        let method = |n: usize, kind: &str, value: &str, preferred: bool| json!({ "id": methods[n]["id"], "kind": kind, "value": value, "label": methods[n]["label"], "preferred": preferred, "optedOutAt": methods[n]["optedOutAt"] });
        assert_eq!(
            contact,
            json!({
                "id": contact["id"], "firstName": "Ada", "lastName": "Lovelace", "name": "Ada Lovelace", "jobTitle": "Countess",
                "department": "Engines", "company": { "id": company }, "reportsTo": { "id": boss }, "warmnessScore": 77,
                "lastContactedAt": contact["lastContactedAt"], "email": "ada@new.example", "phone": "+44 (20) 7946-0018",
                "contactMethods": [
                    method(0, "EMAIL", "Ada@Old.example", false), method(1, "EMAIL", "ada@new.example", true),
                    method(2, "MOBILE", "+44 (20) 7946-0018", true), method(3, "URL", "https://ada.example/", true),
                ],
                "tags": ["vip", "math"], "owner": { "id": A.user(Who::Rep) }, "archivedAt": null, "createdBy": me, "updatedBy": me, "version": 1,
            })
        );
        assert_eq!(
            (&methods[0]["label"], &methods[1]["label"]),
            (&json!("home"), &Value::Null)
        );
        assert_eq!(
            CONTACTS.read(&world.a(Who::Viewer), &contact["id"]).await,
            contact
        );

        let document = "query($company: ID!, $boss: ID!) {
            company(id: $company) { contacts(orderBy: [{ field: NAME, direction: DESC }]) { nodes { id company { id } } } }
            contact(id: $boss) { directReports { nodes { id } } opportunities { nodes { id primaryContact { id } } } activities { totalCount } } }";
        let data = rep
            .query_with(document, json!({ "company": company, "boss": boss }))
            .await;
        assert_eq!(
            data["company"]["contacts"]["nodes"][0],
            json!({ "id": contact["id"], "company": { "id": company } })
        );
        assert_eq!(
            data["contact"]["directReports"]["nodes"],
            json!([{ "id": contact["id"] }])
        );
        assert_eq!(
            data["contact"]["opportunities"]["nodes"],
            json!([]),
            "deals of others stay hidden below a contact that is seen"
        );
    });
}

#[test]
fn contacts_live_as_all_records_do() {
    test(async |world| {
        CONTACTS
            .lives(
                world,
                ada(json!({})),
                |n| json!({ "jobTitle": format!("Job {n}") }),
            )
            .await
    });
}

#[test]
fn a_patch_keeps_what_is_left_out_empties_what_is_null_and_replaces_the_rest() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let input = json!({ "jobTitle": "x", "department": "y", "companyId": A.id::<CompanyId>(1), "reportsToId": A.id::<ContactId>(2),
            "warmnessScore": 5, "tags": ["a"], "contactMethods": [{ "kind": "EMAIL", "value": "a@b.example" }] });
        let mut expected = CONTACTS.done(&rep, "Create", ada(input)).await;
        let change = json!({ "id": expected["id"], "firstName": null, "jobTitle": null, "companyId": null, "reportsToId": null, "tags": null, "warmnessScore": 6 });
        for field in ["jobTitle", "company", "reportsTo"] {
            expected[field] = Value::Null;
        }
        (
            expected["tags"],
            expected["warmnessScore"],
            expected["version"],
        ) = (json!([]), json!(6), json!(2));
        assert_eq!(CONTACTS.done(&rep, "Update", change).await, expected);
    });
}

#[test]
fn ways_to_reach_a_contact_are_replaced_as_a_whole_and_known_ones_keep_their_id() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let input = json!({ "contactMethods": [{ "kind": "EMAIL", "value": "one@x.example" }, { "kind": "PHONE", "value": "030 1234567" }] });
        let contact = CONTACTS.done(&rep, "Create", ada(input)).await;
        let (id, email) = (&contact["id"], &contact["contactMethods"][0]["id"]);
        let methods = json!([{ "kind": "EMAIL", "value": "two@x.example" }, { "id": email, "kind": "EMAIL", "value": "ONE@x.example", "preferred": true }]);
        let changed = CONTACTS
            .done(
                &rep,
                "Update",
                json!({ "id": id, "contactMethods": methods }),
            )
            .await;
        assert_eq!(changed["contactMethods"][1]["id"], *email);
        assert_eq!(changed["contactMethods"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&changed["email"], &changed["phone"], &changed["version"]),
            (&json!("one@x.example"), &Value::Null, &json!(2))
        );
        let again = CONTACTS.done(&rep, "Update", json!({ "id": id, "contactMethods": changed["contactMethods"].as_array().map(|methods| {
            methods.iter().map(|m| json!({ "id": m["id"], "kind": m["kind"], "value": m["value"], "preferred": m["preferred"] })).collect::<Vec<_>>() }) })).await;
        assert_eq!(again, changed, "the same list is no change");

        let of = |list: Value| json!({ "contactMethods": list });
        let other = A.id::<ContactMethodId>(3);
        CONTACTS.refuses((world, &rep), "Update", json!({ "id": id }), vec![
            (of(json!([{ "kind": "EMAIL", "value": "nobody" }])), "INVALID_EMAIL", "contactMethods.0.value"),
            (of(json!([{ "kind": "EMAIL", "value": "a@b.example" }, { "kind": "PHONE", "value": "call me" }])), "INVALID_PHONE", "contactMethods.1.value"),
            (of(json!([{ "kind": "URL", "value": "javascript:alert(1)" }])), "INVALID_URL", "contactMethods.0.value"),
            (of(json!([{ "kind": "SOCIAL", "value": " " }])), "BLANK", "contactMethods.0.value"),
            (of(json!([{ "id": other, "kind": "SOCIAL", "value": "x" }])), "NOT_FOUND", "contactMethods.0.id"),
            (of(json!([{ "id": email, "kind": "SOCIAL", "value": "x" }, { "id": email, "kind": "SOCIAL", "value": "y" }])), "TAKEN", "contactMethods.1.id"),
            (of(json!([{ "kind": "FAX", "value": "12345", "preferred": true }, { "kind": "FAX", "value": "12346", "preferred": true }])), "TOO_MANY_PREFERRED", "contactMethods.1.preferred"),
            (of(json!(vec![json!({ "kind": "SOCIAL", "value": "x" }); 21])), "TOO_MANY_VALUES", "contactMethods"),
        ]).await;
        let emptied = CONTACTS
            .done(&rep, "Update", json!({ "id": id, "contactMethods": null }))
            .await;
        assert_eq!(
            (&emptied["contactMethods"], &emptied["email"]),
            (&json!([]), &Value::Null)
        );
    });
}

#[test]
fn bad_input_is_reported_by_code_and_field() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        CONTACTS
            .refuses(
                (world, &rep),
                "Create",
                ada(json!({})),
                vec![
                    (json!({ "firstName": " " }), "BLANK", "firstName"),
                    (json!({ "lastName": "\t" }), "BLANK", "lastName"),
                    (
                        json!({ "lastName": "x".repeat(201) }),
                        "TOO_LONG",
                        "lastName",
                    ),
                    (json!({ "jobTitle": "a\u{0}" }), "INVALID_TEXT", "jobTitle"),
                    (
                        json!({ "department": "x".repeat(201) }),
                        "TOO_LONG",
                        "department",
                    ),
                    (
                        json!({ "warmnessScore": 101 }),
                        "OUT_OF_RANGE",
                        "warmnessScore",
                    ),
                    (
                        json!({ "warmnessScore": -1 }),
                        "OUT_OF_RANGE",
                        "warmnessScore",
                    ),
                    (json!({ "tags": ["x".repeat(61)] }), "TOO_LONG", "tags"),
                    (
                        json!({ "companyId": CompanyId::new() }),
                        "NOT_FOUND",
                        "companyId",
                    ),
                    (
                        json!({ "reportsToId": ContactId::new() }),
                        "NOT_FOUND",
                        "reportsToId",
                    ),
                    (json!({ "ownerId": UserId::new() }), "NOT_FOUND", "ownerId"),
                    (json!({ "ownerId": A.user(Who::OtherRep) }), "FORBIDDEN", ""),
                ],
            )
            .await;
        // 2 reports to 1 already.
        let (above, below) = (json!(A.id::<ContactId>(1)), A.id::<ContactId>(2));
        CONTACTS
            .refuses(
                (world, &rep),
                "Update",
                json!({ "id": above }),
                vec![
                    (json!({ "reportsToId": above }), "LOOP", "reportsToId"),
                    (json!({ "reportsToId": below }), "LOOP", "reportsToId"),
                    (json!({ "firstName": "" }), "BLANK", "firstName"),
                ],
            )
            .await;
    });
}

#[test]
fn every_filter_and_every_order_of_contacts_works() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        // As the product writes it: the last name first.
        arrange(
            world,
            "UPDATE contacts SET name_normalized = lower(last_name || ' ' || first_name)"
                .to_owned(),
        )
        .await;
        for n in 0..3 {
            let input = json!({ "firstName": "Same", "lastName": "Name", "warmnessScore": 50, "ownerId": null, "reportsToId": A.id::<ContactId>(4),
                "lastContactedAt": (n == 0).then_some("2026-03-01T00:00:00Z"), "contactMethods": [{ "kind": "EMAIL", "value": format!("same{n}@x.example") }] });
            CONTACTS.done(&admin, "Create", input).await;
        }
        let names: [&[&str]; 3] = [
            &["Contact 1", "Contact 2", "Contact 3", "Contact 4"],
            &["Same Name"],
            &["Contact 1"],
        ];
        let (rep, company, boss) = (A.user(Who::Rep), A.id::<CompanyId>(1), A.id::<ContactId>(4));
        let ids = [
            format!("id: {{ in: [\"{}\"] }}", A.id::<ContactId>(1)),
            format!("companyId: {{ eq: \"{company}\" }}"),
            format!("ownerId: {{ eq: \"{rep}\" }}"),
            format!("reportsToId: {{ eq: \"{boss}\" }}"),
            format!("company: {{ id: {{ eq: \"{company}\" }} }}"),
        ];
        CONTACTS
            .finds(
                &admin,
                "name",
                &[
                    ("name: { startsWith: \"NAME s\" }", names[1]),
                    ("name: { eq: \"1 contact\" }", names[2]),
                    ("email: { eq: \"SAME1@x.example\" }", names[1]),
                    ("email: { startsWith: \"contact1@\" }", names[2]),
                    (&ids[0], names[2]),
                    (&ids[1], names[2]),
                    (&ids[2], names[2]),
                    (&ids[3], names[1]),
                    (&ids[4], names[2]),
                    ("companyId: { null: true }", names[1]),
                    ("warmnessScore: { gte: 50 }", names[1]),
                    ("warmnessScore: { lt: 50 }", names[0]),
                    ("lastContactedAt: { null: false }", names[1]),
                    ("lastContactedAt: { gt: \"2026-03-01T00:00:00Z\" }", &[]),
                    ("createdAt: { lte: \"2026-01-01T01:00:00Z\" }", names[2]),
                    ("updatedAt: { lte: \"2026-01-01T04:00:00Z\" }", names[0]),
                    ("not: { name: { startsWith: \"name\" } }", names[0]),
                    (
                        "or: [{ name: { eq: \"1 contact\" } }, { warmnessScore: { gt: 99 } }]",
                        names[2],
                    ),
                    (
                        "and: [{ warmnessScore: { eq: 50 } }, { email: { null: false } }]",
                        names[1],
                    ),
                ],
            )
            .await;
        CONTACTS
            .walks(
                &admin,
                &[
                    "CREATED_AT",
                    "UPDATED_AT",
                    "NAME",
                    "WARMNESS_SCORE",
                    "LAST_CONTACTED_AT",
                ],
            )
            .await;
    });
}

#[test]
fn a_contact_of_a_deal_stays_and_another_goes_with_its_methods() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        CONTACTS
            .refuses(
                (world, &admin),
                "Delete",
                json!({ "id": A.id::<ContactId>(2) }),
                vec![(json!({}), "IN_USE", "id")],
            )
            .await;
        let before = census(world).await;
        let input = ada(json!({ "contactMethods": [{ "kind": "EMAIL", "value": "a@b.example" }] }));
        let id = CONTACTS.done(&admin, "Create", input).await["id"].clone();
        CONTACTS.done(&admin, "Delete", json!({ "id": id })).await;
        let without_events = |rows: Vec<(String, i64, String)>| {
            rows.into_iter()
                .filter(|(table, ..)| table != "events" && table != "tenant_seq")
                .collect::<Vec<_>>()
        };
        assert_eq!(without_events(census(world).await), without_events(before));
    });
}

#[test]
fn all_see_a_contact_and_only_its_owner_and_who_leads_them_change_it() {
    test(async |world| {
        let id = json!(A.id::<ContactId>(1));
        let change = |n: u32| json!({ "id": id, "jobTitle": format!("Job {n}"), "contactMethods": [{ "kind": "EMAIL", "value": format!("a{n}@b.example") }] });
        for (n, who, may) in [
            (1, Who::Rep, true),
            (2, Who::Manager, true),
            (3, Who::OtherRep, false),
            (4, Who::Admin, true),
        ] {
            assert!(CONTACTS.is_seen(&world.a(who), &id).await);
            match may {
                true => drop(CONTACTS.done(&world.a(who), "Update", change(n)).await),
                false => assert_eq!(
                    CONTACTS.refused(&world.a(who), "Update", change(n)).await.0,
                    "FORBIDDEN",
                    "{who:?}"
                ),
            }
        }
        assert_eq!(
            CONTACTS
                .refused(&world.a(Who::Rep), "Delete", json!({ "id": id }))
                .await
                .0,
            "FORBIDDEN",
            "a rep deletes nothing"
        );
        // Its methods go along with it to another owner.
        CONTACTS
            .done(
                &world.a(Who::Admin),
                "Update",
                json!({ "id": id, "ownerId": A.user(Who::OtherRep) }),
            )
            .await;
        assert_eq!(
            CONTACTS
                .done(&world.a(Who::OtherRep), "Update", change(5))
                .await["email"],
            "a5@b.example"
        );
        for who in [Who::Rep, Who::Manager] {
            assert_eq!(
                CONTACTS.refused(&world.a(who), "Update", change(6)).await.0,
                "FORBIDDEN",
                "{who:?}"
            );
        }
    });
}
