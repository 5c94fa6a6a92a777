//! What is written: times and text at their edges, who may own something, and what has to be said.

use dealgraph::base::ids::{ActivityId, CompanyId, ContactId, LeadId, OpportunityId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Schema, Who, test},
    records::{Domain, merge},
};

const fn domain(one: &'static str, of: &'static str) -> Domain {
    Domain {
        one,
        many: "",
        of,
        fields: "id version",
    }
}

const COMPANY: Domain = domain("company", "Company");
const CONTACT: Domain = domain("contact", "Contact");
const LEAD: Domain = domain("lead", "Lead");
const DEAL: Domain = domain("opportunity", "Opportunity");
const ACTIVITY: Domain = domain("activity", "Activity");

/// The times and days of inputs, each with the mutation and the rest of the input that it needs.
fn times() -> Vec<(&'static Domain, &'static str, Value, &'static str)> {
    let deal = json!({ "id": A.id::<OpportunityId>(1) });
    let next = |field: &str| json!({ field: { "kind": "CALL" } });
    let mut set_next = deal.clone();
    merge(&mut set_next, &next("nextAction"));
    let mut complete = deal.clone();
    merge(&mut complete, &next("next"));
    merge(&mut complete, &json!({ "expectedVersion": 1 }));
    let mut create = json!({ "name": "x" });
    merge(&mut create, &next("nextAction"));
    let activity = json!({ "id": A.id::<ActivityId>(1) });
    let method = json!({ "id": A.id::<ContactId>(1), "contactMethods": [{ "kind": "EMAIL", "value": "a@b.example" }] });
    vec![
        (
            &CONTACT,
            "Update",
            json!({ "id": A.id::<ContactId>(1) }),
            "lastContactedAt",
        ),
        (&CONTACT, "Update", method, "contactMethods.0.optedOutAt"),
        (
            &LEAD,
            "Update",
            json!({ "id": A.id::<LeadId>(1) }),
            "nextActionAt",
        ),
        (&DEAL, "Update", deal, "expectedCloseOn"),
        (&DEAL, "SetNextAction", set_next, "nextAction.at"),
        (&DEAL, "CompleteNextAction", complete, "next.at"),
        (&DEAL, "Create", create, "nextAction.at"),
        (&ACTIVITY, "Update", activity.clone(), "dueAt"),
        (&ACTIVITY, "Update", activity.clone(), "startAt"),
        (&ACTIVITY, "Update", activity.clone(), "endAt"),
        (&ACTIVITY, "Update", activity, "doneAt"),
    ]
}

/// Puts a value at a path such as `contactMethods.0.optedOutAt`.
fn put(input: &mut Value, path: &str, value: Value) {
    let place = path
        .split('.')
        .fold(input, |at, part| match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        });
    *place = value;
}

#[test]
fn every_time_that_is_written_is_of_a_year_that_can_be_read() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (domain, verb, base, path) in times() {
            for year in ["+262142", "+10000", "2201", "1899", "-0001"] {
                let mut input = base.clone();
                let value = match path.ends_with("On") {
                    true => format!("{year}-06-01"),
                    false => format!("{year}-06-01T00:00:00Z"),
                };
                put(&mut input, path, json!(value));
                let refused = domain.refused(&admin, verb, input).await;
                assert_eq!(
                    refused,
                    ("OUT_OF_RANGE".to_owned(), path.to_owned()),
                    "{verb} {value}"
                );
            }
        }
    });
}

#[test]
fn no_time_of_an_input_is_forgotten_here() {
    let schema = Schema::of_server();
    let judged: Vec<&str> = times().iter().map(|(.., path)| *path).collect();
    // An end of a key is held against now, and lies within ten years. A range of messages or deliveries is compared, and not written.
    let elsewhere = [
        "ApiKeyCreateInput.expiresAt",
        "ApiKeyUpdateInput.expiresAt",
        "InboundMessagesReplayInput.from",
        "InboundMessagesReplayInput.to",
        "WebhookDeliveryResendRangeInput.from",
        "WebhookDeliveryResendRangeInput.to",
    ];
    let mut forgotten = Vec::new();
    for (input, fields) in schema.inputs() {
        let is_compared = input.ends_with("Filter");
        for field in fields {
            let is_time = ["DateTime", "Date"].contains(&field.of.name.as_str());
            let name = format!("{input}.{}", field.name);
            let is_known = judged
                .iter()
                .any(|path| path.rsplit('.').next() == Some(&field.name))
                || elsewhere.contains(&name.as_str());
            if is_time && !is_compared && !is_known {
                forgotten.push(name);
            }
        }
    }
    assert_eq!(forgotten, [""; 0], "times of inputs that nothing judges");
}

#[test]
fn what_shows_nothing_is_blank_and_hides_in_no_address() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let company = json!({ "id": A.id::<CompanyId>(1) });
        for blank in [
            "\u{200b}",
            " \u{202e}\u{2066} ",
            "\u{3164}",
            "\u{2060}\u{feff}",
            "\u{2800}",
        ] {
            let mut input = company.clone();
            input["name"] = json!(blank);
            let refused = COMPANY.refused(&admin, "Update", input).await;
            assert_eq!(
                refused,
                ("BLANK".to_owned(), "name".to_owned()),
                "{blank:?}"
            );
            let mut input = company.clone();
            input["industry"] = json!(blank);
            COMPANY.done(&admin, "Update", input).await;
            let industry = "{ companies(filter: { industry: { eq: null }, name: { eq: \"company 1\" } }) { totalCount } }";
            assert_eq!(admin.query(industry).await["companies"]["totalCount"], 1);
        }
        for address in [
            "a\u{200b}da@b.example",
            "\u{202e}ada@b.example",
            "ada@b\u{ad}.example",
        ] {
            let lead = json!({ "id": A.id::<LeadId>(1), "email": address });
            let refused = LEAD.refused(&admin, "Update", lead).await;
            assert_eq!(refused, ("INVALID_EMAIL".to_owned(), "email".to_owned()));
            let methods = json!([{ "kind": "EMAIL", "value": address }]);
            let contact = json!({ "id": A.id::<ContactId>(1), "contactMethods": methods });
            let refused = CONTACT.refused(&admin, "Update", contact).await;
            assert_eq!(
                refused,
                (
                    "INVALID_EMAIL".to_owned(),
                    "contactMethods.0.value".to_owned()
                )
            );
        }
    });
}

#[test]
fn nothing_is_given_to_a_suspended_member() {
    test(async |world| {
        let (admin, suspended) = (world.a(Who::Admin), A.user(Who::Suspended));
        let refused = |field: &str| ("OWNER_SUSPENDED".to_owned(), field.to_owned());
        for (domain, id, create) in [
            (
                &COMPANY,
                json!(A.id::<CompanyId>(1)),
                json!({ "name": "x" }),
            ),
            (
                &CONTACT,
                json!(A.id::<ContactId>(1)),
                json!({ "firstName": "x", "lastName": "y" }),
            ),
            (
                &LEAD,
                json!(A.id::<LeadId>(1)),
                json!({ "firstName": "x", "lastName": "y" }),
            ),
            (
                &DEAL,
                json!(A.id::<OpportunityId>(1)),
                json!({ "name": "x" }),
            ),
            (
                &ACTIVITY,
                json!(A.id::<ActivityId>(1)),
                json!({ "kind": "NOTE", "subject": "x" }),
            ),
        ] {
            let mut create = create;
            create["ownerId"] = json!(suspended);
            assert_eq!(
                domain.refused(&admin, "Create", create).await,
                refused("ownerId"),
                "{}",
                domain.one
            );
            let update = json!({ "id": id, "ownerId": suspended });
            assert_eq!(
                domain.refused(&admin, "Update", update).await,
                refused("ownerId"),
                "{}",
                domain.one
            );
        }
        let next = json!({ "at": "2027-01-01T00:00:00Z", "kind": "CALL", "ownerId": suspended });
        let set = json!({ "id": A.id::<OpportunityId>(1), "nextAction": next });
        assert_eq!(
            DEAL.refused(&admin, "SetNextAction", set).await,
            refused("nextAction.ownerId")
        );
        let create = json!({ "name": "x", "nextAction": next });
        assert_eq!(
            DEAL.refused(&admin, "Create", create).await,
            refused("nextAction.ownerId")
        );
    });
}

#[test]
fn what_a_suspended_person_owns_is_theirs_and_can_be_worked_on() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), A.user(Who::Rep));
        let mine = json!({ "id": A.id::<CompanyId>(1), "ownerId": rep });
        COMPANY.done(&admin, "Update", mine).await;
        let suspend = "mutation($i: MembershipSuspendInput!) { membershipSuspend(input: $i) { userErrors { code } } }";
        let suspended = admin
            .query_with(suspend, json!({ "i": { "userId": rep } }))
            .await;
        assert_eq!(suspended["membershipSuspend"]["userErrors"], json!([]));
        let update = json!({ "id": A.id::<CompanyId>(1), "industry": "ships", "ownerId": rep });
        COMPANY.done(&admin, "Update", update).await;
    });
}

#[test]
fn what_a_mutation_is_all_about_is_said_and_null_empties_it() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let id = json!(A.id::<OpportunityId>(1));
        let next = json!({ "at": "2027-01-01T00:00:00Z", "kind": "CALL" });
        DEAL.done(
            &admin,
            "SetNextAction",
            json!({ "id": id, "nextAction": next }),
        )
        .await;
        let refused = DEAL
            .refused(&admin, "SetNextAction", json!({ "id": id }))
            .await;
        assert_eq!(refused, ("BLANK".to_owned(), "nextAction".to_owned()));
        let at = async || {
            let document = format!("{{ opportunity(id: {id}) {{ nextAction {{ at }} }} }}");
            admin.query(&document).await["opportunity"]["nextAction"].clone()
        };
        assert_ne!(at().await, Value::Null, "it was left as it was");
        DEAL.done(
            &admin,
            "SetNextAction",
            json!({ "id": id, "nextAction": null }),
        )
        .await;
        assert_eq!(at().await, Value::Null);
    });
}
