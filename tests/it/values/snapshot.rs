//! A statement that fails, fails for the field that asked for it: the others go on reading the same snapshot.

use dealgraph::base::ids::{CompanyId, LeadId};
use serde_json::{Value, json};

use crate::{
    harness::{A, Who, World, test},
    records::arrange,
    snapshot::commits_before,
};

#[test]
fn a_value_that_is_refused_fails_one_field_of_a_query() {
    test(async |world| {
        let document = format!(
            "{{ a: company(id: \"{}\") {{ id contacts(filter: {{ name: {{ eq: \"\\u0000\" }} }}) {{ totalCount }} }} \
               b: lead(id: \"{}\") {{ id }} }}",
            A.id::<CompanyId>(1),
            A.id::<LeadId>(1)
        );
        let answer = world.a(Who::Admin).send(&document, json!({})).await;
        assert_eq!(answer.code(), "INVALID_TEXT");
        assert_eq!(
            answer.body["data"]["b"]["id"],
            A.id::<LeadId>(1).to_string()
        );
    });
}

/// Whatever we forget to check before: Postgres refuses the leads to every caller.
async fn refuse_leads(world: &World) {
    arrange(
        world,
        "REVOKE SELECT ON leads FROM dealgraph_app".to_owned(),
    )
    .await;
}

/// Leads in a field that may be null, by the projection executor or the full one.
fn lead(alias: &str, fields: &str) -> String {
    let id = A.id::<LeadId>(1);
    format!("{alias}: lead(id: \"{id}\") {{ {fields} }}")
}

#[test]
fn what_postgres_refuses_fails_alone_and_the_snapshot_stays_the_same() {
    test(async |world| {
        refuse_leads(world).await;
        let company = A.id::<CompanyId>(4);
        for way in ["id", "id again: id ... on Node { id }"] {
            let archive = format!(
                "UPDATE companies SET archived_at = CASE WHEN archived_at IS NULL THEN now() END
                 WHERE tenant_id = '{}' AND company_id = '{}'",
                A.uuid("tenant", 1),
                A.uuid("company", 4)
            );
            let count = "{ companies { totalCount } }";
            let before = world.a(Who::Admin).ask_anew(count).await.data();
            let before = before["companies"]["totalCount"].clone();
            commits_before(world, "FROM leads", archive).await;
            let document = format!(
                "{{ before: companies {{ totalCount }} {} after: companies {{ totalCount }} \
                   company(id: \"{company}\") {{ {way} }} {} }}",
                lead("one", way),
                lead("two", way)
            );
            let answer = world.a(Who::Admin).ask_anew(&document).await;
            let data = &answer.body["data"];
            assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.body);
            assert_eq!((&data["one"], &data["two"]), (&Value::Null, &Value::Null));
            assert_eq!(data["before"]["totalCount"], before);
            assert_eq!(data["after"]["totalCount"], before, "{way}");
            assert_eq!(data["company"]["id"], company.to_string());
        }
    });
}

#[test]
fn the_way_back_costs_those_who_fail_and_nobody_else() {
    test(async |world| {
        let both = format!("{{ {} companies {{ totalCount }} }}", lead("lead", "id"));
        // Who the admin is, is asked once.
        world.a(Who::Admin).ask_anew(&both).await.data();
        let (_, sound) = world
            .statements
            .during(world.a(Who::Admin).ask_anew(&both))
            .await;
        refuse_leads(world).await;
        let (answer, failed) = world
            .statements
            .during(world.a(Who::Admin).ask_anew(&both))
            .await;
        assert_eq!(answer.code(), "FORBIDDEN");
        // That the actor was refused is recorded beside, and what the actor may do is read again once a second.
        let reads = |statements: &[String]| {
            let reads = statements
                .iter()
                .filter(|sql| sql.starts_with("SELECT t.") && !sql.contains(" AS standing"));
            reads.cloned().collect::<Vec<_>>()
        };
        assert_eq!(reads(&sound).len(), 2, "{sound:?}");
        assert_eq!(reads(&sound), reads(&failed), "no statement is run twice");
    });
}
