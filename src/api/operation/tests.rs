//! Operations of the real schema, as they are run and as their answers are completed.

use async_graphql::{PathSegment, Pos, Response, ServerError, Value, Variables, value};
use serde_json::{Value as Json, json};

use super::{Executable, read};

fn executable(text: &str, variables: Json) -> Result<Executable, ServerError> {
    let document = read(text).expect("a document");
    assert!(document.faults.is_empty(), "{:?}", document.faults);
    let operation = document.parsed.operations.iter().next();
    let (_, operation) = operation.expect("an operation");
    let variables = Variables::from_json(variables);
    let known = std::sync::OnceLock::new();
    Executable::new(&document.parsed, &operation.node, &variables, &known)
}

/// What the executor is asked, as text without space.
fn asked(text: &str, variables: Json) -> String {
    let executable = executable(text, variables).expect("sound variables");
    let document =
        super::executable::document(executable.ty, executable.fields(), &executable.variables);
    let (_, operation) = document.operations.iter().next().expect("one operation");
    written(&operation.node.selection_set.node)
}

fn written(set: &async_graphql::parser::types::SelectionSet) -> String {
    use async_graphql::parser::types::Selection;
    let items = set.items.iter().map(|item| match &item.node {
        Selection::Field(field) => {
            let field = &field.node;
            let alias = field.alias.as_ref().map(|alias| format!("{}:", alias.node));
            let arguments = field.arguments.iter();
            let arguments: Vec<_> = arguments
                .map(|(name, value)| format!("{}:{}", name.node, value.node))
                .collect();
            let arguments = match arguments.is_empty() {
                true => String::new(),
                false => format!("({})", arguments.join(",")),
            };
            let below = written(&field.selection_set.node);
            let alias = alias.unwrap_or_default();
            format!("{alias}{}{arguments}{below}", field.name.node)
        }
        Selection::InlineFragment(inline) => {
            let on = inline.node.type_condition.as_ref().expect("a type");
            let below = written(&inline.node.selection_set.node);
            format!("...{}{below}", on.node.on.node)
        }
        Selection::FragmentSpread(_) => unreachable!("fragments are laid out"),
    });
    let items: Vec<_> = items.collect();
    match items.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", items.join(" ")),
    }
}

fn faults(text: &str) -> Vec<String> {
    let document = read(text).expect("a document");
    document
        .faults
        .into_iter()
        .map(|fault| fault.message)
        .collect()
}

#[test]
fn an_unsent_variable_takes_its_argument_or_field_along() {
    let query = "query($a: Boolean, $n: String, $s: [OpportunityStatus!]) {
        companies(includeArchived: $a, filter: { name: { eq: $n, startsWith: \"x\" } }) { totalCount }
        opportunities(filter: { status: { in: $s } }) { totalCount } }";
    assert_eq!(
        asked(query, json!({})),
        r#"{companies(filter:{name: {startsWith: "x"}}){totalCount} opportunities(filter:{status: {}}){totalCount}}"#
    );
    assert_eq!(
        asked(
            query,
            json!({ "a": null, "n": "y", "s": "WON", "unknown": 1 })
        ),
        r#"{companies(includeArchived:null,filter:{name: {eq: "y", startsWith: "x"}}){totalCount} opportunities(filter:{status: {in: [WON]}}){totalCount}}"#
    );
}

#[test]
fn defaults_of_variables_hold_for_directives_and_values() {
    let query = "query($dry: Boolean! = true, $n: Int = 3) {
        companies(first: $n) @skip(if: $dry) { totalCount } leads(first: $n) { totalCount }
        ... @include(if: $dry) { viewer { role } } }";
    assert_eq!(
        asked(query, json!({})),
        "{leads(first:3){totalCount} viewer{role}}"
    );
    assert_eq!(
        asked(query, json!({ "dry": false, "n": 5.0 })),
        "{companies(first:5){totalCount} leads(first:5){totalCount}}"
    );
}

#[test]
fn fields_of_one_key_become_one_in_the_place_where_it_is_first_selected() {
    let query = "query($no: Boolean = false) {
        a: company(id: 7) { id ...F } a: company(id: 7) { tags owner { name } name @include(if: $no) } viewer { role } }
        fragment F on Company { owner { id } ... on Node { id } name }";
    assert_eq!(
        asked(query, json!({})),
        r#"{a:company(id:"7"){id owner{id name} name tags} viewer{role}}"#
    );
}

#[test]
fn objects_of_an_interface_are_asked_by_their_type() {
    assert_eq!(
        asked(
            "{ node(id: 1) { id ... on Company { name } ... on Node { __typename } } }",
            json!({})
        ),
        r#"{node(id:"1"){id __typename ...Company{name}}}"#
    );
    let targets = "{ activity(id: 1) { targets { ... on Contact { name } ... on Lead @skip(if: true) { name } } } }";
    assert_eq!(
        asked(targets, json!({})),
        r#"{activity(id:"1"){targets{__typeOf:__typename ...Contact{name}}}}"#
    );
    assert_eq!(
        asked("{ company(id: 1) { name @skip(if: true) } }", json!({})),
        r#"{company(id:"1"){__typeOf:__typename}}"#
    );
}

#[test]
fn variables_are_of_their_types_and_what_is_not_is_told_with_its_place() {
    let query = "query($f: OpportunityFilter!, $first: Int) { opportunities(filter: $f, first: $first) { totalCount } }";
    for (variables, field) in [
        (json!({}), "f"),
        (json!({ "f": null }), "f"),
        (json!({ "f": 1 }), "f"),
        (json!({ "f": {}, "first": "1" }), "first"),
        (json!({ "f": {}, "first": 1.5 }), "first"),
        (json!({ "f": {}, "first": 2_147_483_648_i64 }), "first"),
        (json!({ "f": { "unheardOf": 1 } }), "f"),
        (
            json!({ "f": { "status": { "in": ["WON", "GONE"] } } }),
            "f.status.in.1",
        ),
        (json!({ "f": { "name": { "eq": 5 } } }), "f.name.eq"),
        (
            json!({ "f": { "and": [{}, { "or": { "name": [] } }] } }),
            "f.and.1.or.name",
        ),
        (
            json!({ "f": { "expectedCloseOn": { "eq": "tomorrow" } } }),
            "f.expectedCloseOn.eq",
        ),
    ] {
        let error = executable(query, variables.clone()).expect_err("a wrong value");
        let extensions = error.extensions.as_ref().expect("extensions");
        assert_eq!(
            extensions.get("field"),
            Some(&Value::from(field)),
            "{variables}"
        );
        assert_eq!(extensions.get("code"), Some(&Value::from("BAD_USER_INPUT")));
        assert!(!error.locations.is_empty());
    }
}

#[test]
fn validation_is_that_of_the_specification() {
    for valid in [
        "query($x: Boolean!) { __typename @include(if: $x) }",
        "{ companies(filter: { name: { eq: \"a\\ud83d\\ude00b \\u{1F600}\" } }) { totalCount } }",
        "{ __type(name: \"A\") { isOneOf fields(includeDeprecated: true) { name } } }",
    ] {
        assert_eq!(faults(valid), Vec::<String>::new(), "{valid}");
    }
    for wrong in [
        "{ opportunities(filter: { status: { eq: \"OPEN\" } }) { totalCount } }",
        "query($s: String) { opportunities(filter: { status: { eq: $s } }) { totalCount } }",
        "query($x: Boolean) { __typename @include(if: $x) }",
        "{ __typename { id } }",
        "{ __typename @skip(if: null) }",
        "{ a: company(id: 1) { id } a: company(id: 2) { id } }",
        "{ company(id: 1) { a: id a: name } }",
        "{ viewer { role } } fragment F on Company { id }",
        "subscription { opportunityEvents @skip(if: true) { kind } }",
        "subscription { a: opportunityEvents { kind } b: opportunityEvents { kind } }",
        "{ company(id: $x) { id } }",
        "type A { a: Int } { __typename }",
        "{ __typename } { __typename }",
        "query A { __typename } { __typename }",
        "query A { __typename } query A { __typename }",
        "{ companies(orderBy: [{ field: NAME, field: NAME }]) { totalCount } }",
        "{ ...F } fragment F on Query { __typename } fragment F on Query { __typename }",
        "{ companies @skip(if: true) { nodes { activities(filter: { dueAt: { gt: \"\" } }) { totalCount } } } }",
        "query($d: Date = \"2026-02-30\") { opportunities(filter: { expectedCloseOn: { eq: $d } }) { totalCount } }",
    ] {
        assert_ne!(faults(wrong), Vec::<String>::new(), "{wrong}");
    }
}

#[test]
fn an_unknown_field_is_one_fault_and_nothing_is_guessed() {
    assert_eq!(
        faults("{ companis { id } companies { nods { id } } }"),
        [
            "Cannot query field \"companis\" on type \"Query\".",
            "Cannot query field \"nods\" on type \"CompanyConnection\"."
        ]
    );
    let document = read("subscription { a: presence b: leadEvents { kind } }").expect("a document");
    let codes = document
        .faults
        .iter()
        .filter_map(|fault| fault.extensions.as_ref()?.get("code"));
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [&Value::from("SUBSCRIPTION_FIELDS")]
    );
}

#[test]
fn texts_that_are_no_documents_are_refused_where_they_go_wrong() {
    for (text, line, column) in [
        ("{ a(b: \"\\ud83d\") }", 1, 8),
        ("{\n  \u{1F600} a(b: }", 2, 3),
        ("{ a\r\n }\r}", 3, 1),
    ] {
        let error = read(text).expect_err("no document");
        assert_eq!(
            error.at,
            Some(Pos { line, column }),
            "{text}: {}",
            error.message
        );
    }
    for text in ["", "# nothing", "fragment F on Query { a }"] {
        assert!(read(text).is_err(), "{text}");
    }
}

/// What becomes of what the executor has answered.
fn completed(text: &str, data: Value, failed: &[&[PathSegment]]) -> Json {
    let executable = executable(text, json!({})).expect("no variables");
    let mut response = Response::new(data);
    let errors = failed
        .iter()
        .map(|path| ServerError::new("no", None).with_path(path.to_vec()));
    response.errors = errors.collect();
    executable.complete(&mut response);
    serde_json::to_value(&response.data).expect("JSON")
}

fn key(key: &str) -> PathSegment {
    PathSegment::Field(key.to_owned())
}

#[test]
fn an_answer_comes_in_the_order_of_the_question_with_every_key() {
    let query = "{ viewer { role } company(id: 1) { tags owner { name id } } }";
    let data = value!({ "company": { "owner": { "id": "1", "name": "A" }, "tags": [] } });
    let answer = completed(&format!("{query} "), data, &[&[key("viewer")]]);
    // `viewer` must be there, so nothing is.
    assert_eq!(answer, Json::Null);
    let query = "{ company(id: 1) { tags owner { name id } } lead(id: 1) { id } }";
    let data = value!({ "company": { "owner": { "id": "1", "name": "A" }, "tags": [] } });
    let mut response = Response::new(data);
    let executable = executable(query, json!({})).expect("no variables");
    executable.complete(&mut response);
    assert_eq!(
        response.data.to_string(),
        r#"{company: {tags: [], owner: {name: "A", id: "1"}}, lead: null}"#
    );
}

#[test]
fn null_goes_where_the_specification_sends_it() {
    let query = "{ company(id: 1) { id contacts { totalCount } owner { id } } }";
    let company = [key("company"), key("contacts")];
    let data = value!({ "company": { "id": "1" } });
    assert_eq!(
        completed(query, data, &[&company]),
        json!({ "company": null })
    );
    let owner = [key("company"), key("owner")];
    let data = value!({ "company": { "id": "1", "contacts": { "totalCount": 1 } } });
    assert_eq!(
        completed(query, data, &[&owner]),
        json!({ "company": { "id": "1", "contacts": { "totalCount": 1 }, "owner": null } })
    );
    // All that was asked of an object has failed: it is there still.
    let query = "{ company(id: 1) { owner { id } parent { id } } }";
    let parent = [key("company"), key("parent"), key("id")];
    assert_eq!(
        completed(query, value!({ "company": null }), &[&owner, &parent]),
        json!({ "company": { "owner": null, "parent": null } })
    );
    assert_eq!(
        completed(query, value!({ "company": null }), &[]),
        json!({ "company": null })
    );
}

#[test]
fn objects_of_which_nothing_is_selected_are_empty() {
    let query = "{ activity(id: 1) { targets { ... on Contact { name } } } }";
    let data = value!({ "activity": { "targets": [
        { "__typeOf": "Company" }, { "name": "A", "__typeOf": "Contact" }] } });
    assert_eq!(
        completed(query, data, &[]),
        json!({ "activity": { "targets": [{}, { "name": "A" }] } })
    );
    assert_eq!(
        completed("{ viewer @skip(if: true) { role } }", Value::Null, &[]),
        json!({})
    );
}

#[test]
fn a_directive_without_a_value_fails_the_object_it_stands_in() {
    let query = "query($yes: Boolean = true) { company(id: 1) { id name @include(if: $yes) } }";
    let executable = executable(query, json!({ "yes": null })).expect("it may be null");
    let mut response = Response::new(value!({ "company": { "__typeOf": "Company" } }));
    executable.complete(&mut response);
    assert_eq!(response.data.to_string(), "{company: null}");
    assert_eq!(response.errors[0].path, [key("company")]);
}
