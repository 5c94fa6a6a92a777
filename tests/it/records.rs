//! What the tests of all domains do alike: change and read a record, walk a list, and compare every row of every tenant.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{Answer, Client, TENANT_TABLES, Who, World};

/// A kind of record, by the names that the schema gives it.
pub(crate) struct Domain {
    /// A record, as in `contactCreate`.
    pub(crate) one: &'static str,
    /// The list of all.
    pub(crate) many: &'static str,
    /// The type.
    pub(crate) of: &'static str,
    /// What is read of a record.
    pub(crate) fields: &'static str,
}

impl Domain {
    /// An id that no record has.
    pub(crate) fn new_id(&self) -> String {
        format!("{}:{}", self.one, dealgraph::base::ids::mint())
    }

    /// Sends a mutation, for example `contactUpdate` for the verb `Update`.
    pub(crate) async fn act(&self, client: &Client<'_>, verb: &str, input: &Value) -> Answer {
        let Self {
            one, of, fields, ..
        } = self;
        let (input_type, changed) = match verb {
            "Delete" if *one == "stage" => (format!("{of}DeleteInput"), "deletedId".to_owned()),
            "Delete" => (format!("{of}RefInput"), "deletedId".to_owned()),
            "Archive" | "Restore" => (format!("{of}RefInput"), format!("{one} {{ {fields} }}")),
            _ => (format!("{of}{verb}Input"), format!("{one} {{ {fields} }}")),
        };
        let document = format!(
            "mutation($input: {input_type}!) {{ {one}{verb}(input: $input) {{ {changed} userErrors {{ code field message }} }} }}"
        );
        client.send(&document, json!({ "input": input })).await
    }

    /// A mutation that must succeed: the record after it.
    pub(crate) async fn done(&self, client: &Client<'_>, verb: &str, input: Value) -> Value {
        let payload =
            self.act(client, verb, &input).await.data()[format!("{}{verb}", self.one)].clone();
        assert_eq!(
            payload["userErrors"],
            json!([]),
            "{}{verb} {input}",
            self.one
        );
        payload
            .get(self.one)
            .unwrap_or(&payload["deletedId"])
            .clone()
    }

    /// A mutation that must be refused: the code, and the field below `input`.
    pub(crate) async fn refused(
        &self,
        client: &Client<'_>,
        verb: &str,
        input: Value,
    ) -> (String, String) {
        let answer = self.act(client, verb, &input).await;
        let (code, field) = answer.user_error(&format!("{}{verb}", self.one));
        assert_ne!(
            code, "",
            "{}{verb} {input} was not refused: {}",
            self.one, answer.body
        );
        (code, field.trim_start_matches("input.").to_owned())
    }

    /// Refuses each of these changes of `base` with its code and field, and writes nothing at all by the way.
    pub(crate) async fn refuses(
        &self,
        (world, client): (&World, &Client<'_>),
        verb: &str,
        base: Value,
        cases: Vec<(Value, &str, &str)>,
    ) {
        let before = census(world).await;
        let mut wrong = Vec::new();
        for (patch, code, field) in cases {
            let mut input = base.clone();
            merge(&mut input, &patch);
            let answer = self.act(client, verb, &input).await;
            let error = answer.user_error(&format!("{}{verb}", self.one));
            if error
                != (
                    code.to_owned(),
                    format!("input.{field}")
                        .trim_end_matches("input.")
                        .to_owned(),
                )
            {
                wrong.push(format!(
                    "{error:?} instead of {code} {field} for {verb} {}",
                    patch.to_string().chars().take(200).collect::<String>()
                ));
            }
        }
        assert_eq!(wrong, [""; 0], "{}", self.one);
        assert_eq!(census(world).await, before, "something was half-written");
    }

    /// A record by its id, null when it is not seen; its own field and `node` agree.
    pub(crate) async fn read(&self, client: &Client<'_>, id: &Value) -> Value {
        let Self {
            one, of, fields, ..
        } = self;
        let document = format!(
            "query($id: ID!) {{ {one}(id: $id) {{ {fields} }} node(id: $id) {{ __typename ... on {of} {{ {fields} }} }} }}"
        );
        let mut data = client.query_with(&document, json!({ "id": id })).await;
        if let Value::Object(node) = &mut data["node"] {
            assert_eq!(node.remove("__typename"), Some(json!(of)));
        }
        assert_eq!(
            data["node"], data[one],
            "a record is the same by its field and by node"
        );
        data[one].clone()
    }

    /// Whether the client sees a record.
    pub(crate) async fn is_seen(&self, client: &Client<'_>, id: &Value) -> bool {
        self.read(client, id).await != Value::Null
    }

    /// The ids of a page.
    pub(crate) async fn ids(&self, client: &Client<'_>, arguments: &str) -> Vec<Value> {
        self.column(client, arguments, "id").await
    }

    /// One field of the rows of a page.
    pub(crate) async fn column(
        &self,
        client: &Client<'_>,
        arguments: &str,
        field: &str,
    ) -> Vec<Value> {
        let data = client
            .query(&format!(
                "{{ {}({arguments}) {{ nodes {{ {field} }} }} }}",
                self.many
            ))
            .await;
        data[self.many]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(|node| node[field].clone())
            .collect()
    }

    /// For each filter: which rows it finds, by a field, in any order. Each is joined by one that all rows pass, because
    /// what a lone filter costs is the law of `explain.rs`.
    pub(crate) async fn finds(&self, client: &Client<'_>, field: &str, cases: &[(&str, &[&str])]) {
        let all = format!("id: {{ neq: \"{}\" }}", self.new_id());
        let mut wrong = Vec::new();
        for (filter, expected) in cases {
            let found = self.column(client, &format!("first: 100, includeArchived: true, filter: {{ and: [{{ {filter} }}, {{ {all} }}] }}"), field).await;
            let found: BTreeSet<_> = found
                .iter()
                .map(|value| value.as_str().expect("a text"))
                .collect();
            if found != expected.iter().copied().collect() {
                wrong.push(format!("{filter} finds {found:?}"));
            }
        }
        assert_eq!(wrong, [""; 0], "{}", self.many);
    }

    /// Walks the list in every order and both directions, by pages of other sizes: every row once and in the same order.
    pub(crate) async fn walks(&self, client: &Client<'_>, orders: &[&str]) {
        for order in orders {
            let mut ways = Vec::new();
            for direction in ["ASC", "DESC"] {
                let by = format!(
                    "includeArchived: true, orderBy: [{{ field: {order}, direction: {direction} }}]"
                );
                let list = (self.many, "id", by.as_str());
                let whole = walk(client, list, ("first: 100", "after")).await;
                assert_eq!(
                    whole
                        .iter()
                        .map(Value::to_string)
                        .collect::<BTreeSet<_>>()
                        .len(),
                    whole.len(),
                    "{by}: a row comes twice"
                );
                assert!(whole.len() >= 4, "{by}: rows to walk");
                assert_eq!(
                    walk(client, list, ("first: 2", "after")).await,
                    whole,
                    "forward {by}"
                );
                assert_eq!(
                    walk(client, list, ("last: 3", "before")).await,
                    whole,
                    "backward {by}"
                );
                ways.push(whole);
            }
            ways[1].reverse();
            assert_eq!(ways[0], ways[1], "{order} down is {order} up, backwards");
        }
    }

    /// What holds for all records: made once, changed by one of many, archived and restored, and gone when deleted.
    pub(crate) async fn lives(
        &self,
        world: &World,
        mut input: Value,
        change: impl Fn(usize) -> Value,
    ) {
        let (admin, id) = (world.a(Who::Admin), json!(self.new_id()));
        input["id"] = id.clone();
        let of_id = |patch: Value| {
            let mut input = json!({ "id": id });
            merge(&mut input, &patch);
            input
        };
        let created = self.done(&admin, "Create", input.clone()).await;
        assert_eq!((&created["id"], &created["version"]), (&id, &json!(1)));
        let mut other = input.clone();
        merge(&mut other, &change(0));
        assert_eq!(
            self.done(&admin, "Create", other).await,
            created,
            "the same id again creates nothing"
        );
        assert_eq!(self.read(&world.a(Who::Viewer), &id).await, created);

        let changed = self.done(&admin, "Update", of_id(change(0))).await;
        assert_eq!(changed["version"], 2);
        assert_eq!(
            self.done(&admin, "Update", of_id(change(0))).await,
            changed,
            "what changes nothing is no change"
        );
        let mut late = change(1);
        late["expectedVersion"] = json!(1);
        let conflict = self.act(&admin, "Update", &of_id(late)).await;
        assert_eq!(
            conflict.user_error(&format!("{}Update", self.one)),
            ("CONFLICT".to_owned(), "input.expectedVersion".to_owned())
        );
        assert_eq!(
            conflict.data()[format!("{}Update", self.one)][self.one],
            changed,
            "a conflict shows the record as it is"
        );
        for verb in ["Archive", "Restore", "Delete"] {
            let refused = self
                .refused(&admin, verb, of_id(json!({ "expectedVersion": 1 })))
                .await;
            assert_eq!(
                refused,
                ("CONFLICT".to_owned(), "expectedVersion".to_owned()),
                "{verb}"
            );
        }

        let archived = self
            .done(&admin, "Archive", of_id(json!({ "expectedVersion": 2 })))
            .await;
        assert_eq!(archived["version"], 3);
        assert_eq!(
            self.done(&admin, "Archive", of_id(json!({}))).await,
            archived,
            "twice is once"
        );
        let only = format!("filter: {{ id: {{ eq: {id} }} }}");
        assert_eq!(
            self.ids(&admin, &only).await,
            [] as [Value; 0],
            "lists leave out what is archived"
        );
        assert_eq!(
            self.ids(&admin, &format!("{only}, includeArchived: true"))
                .await,
            std::slice::from_ref(&id)
        );
        assert_eq!(self.read(&admin, &id).await, archived);
        self.done(&admin, "Restore", of_id(json!({}))).await;
        assert_eq!(self.ids(&admin, &only).await, std::slice::from_ref(&id));

        let at_once = (2..8).map(|n| {
            let mut change = change(n);
            change["expectedVersion"] = json!(4);
            let input = of_id(change);
            let admin = &admin;
            async move {
                self.act(admin, "Update", &input)
                    .await
                    .user_error(&format!("{}Update", self.one))
                    .0
            }
        });
        let mut outcomes = futures_util::future::join_all(at_once).await;
        outcomes.sort();
        assert_eq!(
            outcomes,
            [
                "", "CONFLICT", "CONFLICT", "CONFLICT", "CONFLICT", "CONFLICT"
            ],
            "one of many wins"
        );

        let before = census(world).await;
        for who in [Who::Analyst, Who::Viewer] {
            let reader = world.a(who);
            let mut new = input.clone();
            new["id"] = json!(self.new_id());
            assert_eq!(
                self.refused(&reader, "Create", new).await.0,
                "FORBIDDEN",
                "{who:?}"
            );
            assert_eq!(
                self.refused(&reader, "Update", of_id(change(9))).await.0,
                "FORBIDDEN",
                "{who:?}"
            );
            for verb in ["Archive", "Restore", "Delete"] {
                assert_eq!(
                    self.refused(&reader, verb, of_id(json!({}))).await.0,
                    "FORBIDDEN",
                    "{verb} {who:?}"
                );
            }
        }
        assert_eq!(census(world).await, before, "a refusal leaves no trace");

        assert_eq!(self.done(&admin, "Delete", of_id(json!({}))).await, id);
        assert!(!self.is_seen(&admin, &id).await);
        for verb in ["Update", "Archive", "Restore", "Delete"] {
            assert_eq!(
                self.refused(&admin, verb, of_id(json!({}))).await,
                ("NOT_FOUND".to_owned(), "id".to_owned()),
                "{verb}"
            );
        }
    }
}

/// A field of all rows of a list, page by page, in the order of the list.
pub(crate) async fn walk(
    client: &Client<'_>,
    (list, field, arguments): (&str, &str, &str),
    (size, continues): (&str, &str),
) -> Vec<Value> {
    let mut pages: Vec<Vec<Value>> = Vec::new();
    let mut at = String::new();
    loop {
        let document = format!(
            "{{ {list}({size}{at} {arguments}) {{ nodes {{ {field} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let data = client.query(&document).await;
        let (nodes, info) = (&data[list]["nodes"], &data[list]["pageInfo"]);
        pages.push(nodes.as_array().expect("nodes").clone());
        let (more, cursor) = match continues {
            "after" => (&info["hasNextPage"], &info["endCursor"]),
            _ => (&info["hasPreviousPage"], &info["startCursor"]),
        };
        if *more == json!(false) {
            break;
        }
        at = format!(", {continues}: {cursor},");
    }
    if continues == "before" {
        pages.reverse();
    }
    pages.concat()
}

/// Puts the fields of `patch` over those of `input`.
pub(crate) fn merge(input: &mut Value, patch: &Value) {
    for (field, value) in patch.as_object().expect("an object") {
        input[field] = value.clone();
    }
}

/// How many rows each table has and what is in them, of both tenants: equal means that nothing was written.
/// The audit log is left out: it may grow by what was tried. So is how far the server itself has counted for its figures.
pub(crate) async fn census(world: &World) -> Vec<(String, i64, String)> {
    let arms: Vec<String> = TENANT_TABLES
        .iter()
        .filter(|table| !["audit_log", "business_figure_positions"].contains(*table))
        .map(|table| format!(
            "SELECT '{table}', count(*), md5(coalesce(string_agg(row, '|' ORDER BY row), '')) \
             FROM {table} t, LATERAL (SELECT (to_jsonb(t) - '{{last_audit,audit_hash}}'::text[])::text) r(row)"
        ))
        .collect();
    let mut superuser = world.database.superuser().await;
    sqlx::query_as(AssertSqlSafe(arms.join(" UNION ALL ")))
        .fetch_all(&mut superuser)
        .await
        .expect("all tables can be read")
}

/// Runs a statement that no policy binds, to arrange what the API can't.
pub(crate) async fn arrange(world: &World, sql: String) {
    let mut superuser = world.database.superuser().await;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut superuser)
        .await
        .expect("the arrangement fits the tables");
}

/// The uuid in an id of the API.
pub(crate) fn uuid_of(id: &Value) -> &str {
    id.as_str()
        .and_then(|id| id.split_once(':'))
        .expect("an id")
        .1
}

/// The place in a list of the record with the id.
pub(crate) fn found(id: &Value, among: &Value) -> bool {
    among
        .as_array()
        .expect("a list")
        .iter()
        .any(|record| record["id"] == *id)
}
