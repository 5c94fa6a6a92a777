//! Every list can be answered by an index, under the policies. Every world has its statements judged at its end; here all lists
//! are asked with every filter and every order that the schema offers, and it is shown that the judgement is able to fail.

use serde_json::json;

use crate::harness::{
    A, Client, Field, Planner, Schema, Who, global_id, kind_of_field, kind_of_operation, test,
};

#[test]
fn every_list_runs_with_every_filter_and_every_order() {
    test(async |world| {
        let (schema, admin) = (Schema::of_server(), world.a(Who::Admin));
        for list in schema.lists() {
            ask(&admin, &list.name, "first: 2").await;
            for filter in filters(&schema, list) {
                ask(&admin, &list.name, &format!("filter: {{ {filter} }}")).await;
            }
            for order in orders(&schema, list) {
                // Through the list in both directions, so that the statements that continue at a cursor run too.
                let page = ask(&admin, &list.name, &format!("first: 2, orderBy: [{order}]")).await;
                let after = page["pageInfo"]["endCursor"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{} has rows", list.name));
                ask(
                    &admin,
                    &list.name,
                    &format!("first: 2, after: \"{after}\", orderBy: [{order}]"),
                )
                .await;
                ask(
                    &admin,
                    &list.name,
                    &format!("last: 2, before: \"{after}\", orderBy: [{order}]"),
                )
                .await;
            }
        }
    });
}

#[test]
fn the_due_list_is_entered_by_what_is_due_in_every_scope() {
    test(async |world| {
        let mut planner = Planner::connect().await;
        for (scope, who, by) in [
            (
                "MINE",
                Who::Rep,
                vec!["next_action_owner_id", "next_action_at"],
            ),
            ("TEAM", Who::Manager, vec!["next_action_at"]),
            ("ALL", Who::Admin, vec!["next_action_at"]),
        ] {
            for bucket in ["overdue", "today", "upcoming"] {
                let document = format!(
                    "{{ dueActions(scope: {scope}) {{ {bucket}(first: 3) {{ nodes {{ id }} }} }} }}"
                );
                let (_, statements) = world.statements.during(world.a(who).query(&document)).await;
                let mut lists = statements
                    .iter()
                    .filter(|sql| sql.contains("FROM opportunities t"))
                    .peekable();
                assert!(lists.peek().is_some(), "the list is read");
                for sql in lists {
                    let conditions = planner.conditions(sql).await;
                    assert!(
                        by.iter().all(|column| conditions.contains(column)),
                        "{scope} {bucket}: {conditions}, of\n{sql}"
                    );
                }
            }
        }
    });
}

async fn ask(client: &Client<'_>, list: &str, arguments: &str) -> serde_json::Value {
    let document = format!(
        "{{ {list}({arguments}) {{ nodes {{ __typename }} totalCount pageInfo {{ endCursor }} }} }}"
    );
    let answer = client.send(&document, json!({})).await;
    assert!(
        answer.body.get("errors").is_none(),
        "{document} {}",
        answer.body
    );
    answer.data()[list].clone()
}

/// One filter per field and operator of a list's filter.
fn filters(schema: &Schema, list: &Field) -> Vec<String> {
    let Some(filter) = list.argument("filter") else {
        return Vec::new();
    };
    let mut filters = Vec::new();
    for field in schema
        .fields(&filter.of.name)
        .iter()
        .filter(|field| !["and", "or", "not"].contains(&field.name.as_str()))
    {
        if field.of.name == "Boolean" {
            filters.push(format!("{}: true", field.name));
            continue;
        }
        if !schema
            .fields(&field.of.name)
            .iter()
            .any(|operator| operator.name == "eq")
        {
            // Of related records: the least that such a filter can say.
            filters.push(format!("{}: {{}}", field.name));
            continue;
        }
        for operator in schema.fields(&field.of.name) {
            let value = match operator.of.name.as_str() {
                "ID" => {
                    let kind = if field.name == "id" {
                        kind_of_operation(&list.of.name)
                    } else {
                        kind_of_field(&field.name)
                    };
                    format!("\"{}\"", global_id(kind, A.uuid(kind, 1)))
                }
                "String" => "\"x\"".to_owned(),
                "Int" | "BigInt" => "7".to_owned(),
                "Boolean" => "true".to_owned(),
                "DateTime" => "\"2026-06-01T12:00:00Z\"".to_owned(),
                "Date" => "\"2026-06-01\"".to_owned(),
                of => schema
                    .values(of)
                    .first()
                    .unwrap_or_else(|| panic!("explain.rs has no sample of {of}"))
                    .clone(),
            };
            let value = if operator.of.is_list {
                format!("[{value}]")
            } else {
                value
            };
            filters.push(format!("{}: {{ {}: {value} }}", field.name, operator.name));
        }
    }
    filters
}

/// Every field of a list's order, in both directions.
fn orders(schema: &Schema, list: &Field) -> Vec<String> {
    let Some(order) = list.argument("orderBy") else {
        return Vec::new();
    };
    let field = schema
        .fields(&order.of.name)
        .iter()
        .find(|field| field.name == "field")
        .expect("an order names a field");
    let both = |value: &String| {
        ["ASC", "DESC"].map(|direction| format!("{{ field: {value}, direction: {direction} }}"))
    };
    schema
        .values(&field.of.name)
        .iter()
        .flat_map(both)
        .collect()
}

#[test]
fn a_statement_that_no_index_answers_is_found() {
    test(async |_| {
        let mut planner = Planner::connect().await;
        let lawful = "SELECT t.company_id FROM companies t WHERE t.tenant_id = $1 AND t.archived_at IS NULL \
                      AND (t.industry = $2) ORDER BY t.created_at DESC, t.company_id DESC LIMIT $3";
        assert_eq!(planner.check(lawful).await, Ok(()));

        let unindexed = lawful.replace("t.industry", "t.city");
        assert_eq!(
            planner.check(&unindexed).await,
            Err("no index of companies serves the filter on city".to_owned())
        );
        // The policies name the tenant even where a statement forgets it; without both, the other tenants are read through.
        let forgetful = "SELECT t.company_id FROM companies t WHERE t.domain = $1";
        assert_eq!(planner.check(forgetful).await, Ok(()));
        let fault = Planner::connect_as("postgres")
            .await
            .check(forgetful)
            .await
            .unwrap_err();
        assert!(
            fault.starts_with("companies is not reached by its tenant"),
            "{fault}"
        );
    });
}
