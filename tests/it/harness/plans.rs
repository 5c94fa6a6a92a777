//! How Postgres would answer a statement under the policies, and what is demanded of that: every tenant table is reached by
//! an index that begins with the tenant, and a list with one filter can be reached by an index on the filter's column.
//!
//! Without sequential scans, because the law is what an index *can* do; the planner's taste on small tables is no part of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{LazyLock, Mutex, PoisonError},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use super::{Database, Side, TENANT_TABLES, Who, statements::is_beyond_tenants};

/// Filters that no index serves, each with the reason why that is enough.
const WITHOUT_INDEX: [(&str, &str, &str); 20] = [
    (
        "jobs",
        "*",
        "of fourteen days, found by time; another index would cost each job that is taken and ended",
    ),
    (
        "inbound_endpoints",
        "*",
        "a tenant has a hundred endpoints at most",
    ),
    (
        "integrations",
        "*",
        "a tenant has two hundred accounts at most",
    ),
    (
        "sync_runs",
        "kind",
        "few values, and of ninety days, found by account and time",
    ),
    ("sync_runs", "mode", "two values"),
    (
        "sync_runs",
        "status",
        "few values, and of ninety days, found by account and time",
    ),
    ("lead_forms", "*", "a tenant has five hundred forms at most"),
    (
        "lead_form_submissions",
        "outcome",
        "few values: an index would find most of the tenant",
    ),
    (
        "inbound_messages",
        "status",
        "few values, and of thirty days, found by time",
    ),
    (
        "webhook_endpoints",
        "*",
        "a tenant has some twenty endpoints at most",
    ),
    (
        "webhook_deliveries",
        "status",
        "of fourteen days, found by endpoint and time; another index would cost each that is sent",
    ),
    (
        "invitations",
        "*",
        "a tenant has some thousand invitations at most",
    ),
    ("teams", "*", "a tenant has some hundred teams at most"),
    ("pipelines", "*", "a tenant has a handful of pipelines"),
    (
        "memberships",
        "role",
        "a tenant has some thousand members at most",
    ),
    (
        "memberships",
        "status",
        "a tenant has some thousand members at most",
    ),
    (
        "activities",
        "direction",
        "few values: an index would find half of the tenant",
    ),
    (
        "opportunities",
        "amount_currency",
        "few values: an index would find most of the tenant",
    ),
    (
        "opportunities",
        "forecast_category",
        "few values: an index would find a large part of the tenant",
    ),
    (
        "opportunities",
        "probability",
        "few values: an index would find a large part of the tenant",
    ),
];

/// What other tests of this process have had judged.
static JUDGED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// A connection of the product's login to the database with many rows.
pub(crate) struct Planner(PgConnection);

/// Sessions name the tenant that they are in, and belong to none.
fn names_tenant_table(sql: &str) -> bool {
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| TENANT_TABLES.contains(&word))
}

/// A filter of a list that has no other.
struct OnlyFilter<'s> {
    table: &'s str,
    column: &'s str,
    /// The list without its order and its limit.
    reduced: String,
}

impl Planner {
    /// Connects as the product does.
    pub(crate) async fn connect() -> Self {
        Self::connect_as("dealgraph_app").await
    }

    /// Connects with a login, for a member who sees their own rows only, so that all policies have something to do.
    pub(crate) async fn connect_as(login: &str) -> Self {
        let mut connection = Database::filled().await.connect(login).await;
        let settings = format!(
            "SET enable_seqscan = off; SET plan_cache_mode = force_custom_plan;
             SET app.tenant_id = '{}'; SET app.permissions = ',companies:read,contacts:read,leads:read,opportunities:read,activities:read,users:read,';
             SET app.sees = '|u:{user}|'; SET app.edits = '|u:{user}|'; SET app.user_id = '{user}'",
            Side::A.uuid("tenant", 1),
            user = Side::A.user(Who::Rep).to_string().replace("user:", ""),
        );
        raw_sql(AssertSqlSafe(settings))
            .execute(&mut connection)
            .await
            .expect("anybody may set these");
        Self(connection)
    }

    /// Fails when the plan of a statement, of those that nobody had judged yet, breaks the law. Filters that chance made may
    /// be of a kind that no index serves; of them only the law of tenants is asked.
    pub(crate) async fn judge(statements: &BTreeSet<String>, by_chance: &HashSet<String>) {
        let is_new = |sql: &&String| {
            let reads = !sql.starts_with("INSERT")
                && !sql.starts_with("EXPLAIN")
                && sql.contains("tenant_id = $");
            reads
                && !is_beyond_tenants(sql)
                && names_tenant_table(sql)
                && (by_chance.contains(*sql)
                    || JUDGED
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert((*sql).clone()))
        };
        let new: Vec<&String> = statements.iter().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let mut planner = Self::connect().await;
        let (mut faults, mut systems) = (BTreeMap::new(), Vec::new());
        for sql in new {
            let judged = match by_chance.contains(sql) {
                true => planner.check_tenants(sql).await,
                false => planner.check(sql).await,
            };
            match judged {
                // What the people's login may not run, the system's does.
                Err(fault) if fault.contains("permission denied") => systems.push(sql),
                Err(fault) => _ = faults.entry(fault).or_insert(sql),
                Ok(()) => {}
            }
        }
        let mut planner = Self::connect_as("dealgraph_system").await;
        for sql in systems {
            if let Err(fault) = planner.check(sql).await {
                faults.entry(fault).or_insert(sql);
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }

    async fn check_tenants(&mut self, sql: &str) -> Result<(), String> {
        let plan = self.explain(sql).await?;
        for (table, condition) in scans_of(&plan) {
            if !condition.contains("tenant_id") {
                return Err(format!(
                    "{table} is not reached by its tenant but by ({condition})"
                ));
            }
        }
        Ok(())
    }

    /// How a statement breaks the law, if it does.
    pub(crate) async fn check(&mut self, sql: &str) -> Result<(), String> {
        self.check_tenants(sql).await?;
        let Some(only) = OnlyFilter::of(sql) else {
            return Ok(());
        };
        if WITHOUT_INDEX
            .iter()
            .any(|(table, column, _)| *table == only.table && ["*", only.column].contains(column))
        {
            return Ok(());
        }
        let plan = self.explain(&only.reduced).await?;
        if scans_of(&plan)
            .iter()
            .any(|(_, condition)| has_word(condition, only.column))
        {
            return Ok(());
        }
        Err(format!(
            "no index of {} serves the filter on {}",
            only.table, only.column
        ))
    }

    /// The conditions that the indexes of a statement are entered with.
    pub(crate) async fn conditions(&mut self, sql: &str) -> String {
        let plan = self
            .explain(sql)
            .await
            .expect("a statement that Postgres plans");
        scans_of(&plan)
            .into_iter()
            .map(|(_, condition)| condition)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// What Postgres expects a statement to take, in its own unit: a page read in order is one.
    pub(crate) async fn cost(&mut self, sql: &str) -> f64 {
        let plan = self.explain(sql).await;
        let plan = plan.expect("a statement that Postgres plans");
        plan[0]["Plan"]["Total Cost"].as_f64().expect("a cost")
    }

    async fn explain(&mut self, sql: &str) -> Result<Value, String> {
        let typed = with_types(sql);
        let prepare = format!("PREPARE judged AS {typed}");
        let prepared = raw_sql(AssertSqlSafe(prepare)).execute(&mut self.0).await;
        prepared.map_err(|error| format!("not understood by Postgres: {error}"))?;
        let types: Vec<String> =
            sqlx::query_scalar("SELECT unnest(parameter_types)::text FROM pg_prepared_statements WHERE name = 'judged'")
                .fetch_all(&mut self.0)
                .await
                .expect("anybody may ask this");
        let values: Vec<String> = types
            .iter()
            .zip(1..)
            .map(|(of, n)| value(&typed, n, of))
            .collect();
        let values = if values.is_empty() {
            String::new()
        } else {
            format!("({})", values.join(", "))
        };
        let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE judged{values}");
        let plan = sqlx::query_scalar(AssertSqlSafe(explain))
            .persistent(false)
            .fetch_one(&mut self.0)
            .await;
        raw_sql("DEALLOCATE judged")
            .execute(&mut self.0)
            .await
            .expect("it was prepared");
        plan.map_err(|error| format!("not planned by Postgres: {error}"))
    }
}

/// The driver says what is in an array that is unrolled, the text alone does not: inferred from the names of its columns.
fn with_types(sql: &str) -> String {
    let mut typed = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("unnest(") {
        let (arguments, tail) = after.split_once(')').expect("brackets are closed");
        let names = tail
            .split_once('(')
            .and_then(|(_, names)| Some(names.split_once(')')?.0))
            .unwrap_or_default();
        let cast = |(argument, name): (&str, &str)| match name.trim() {
            _ if argument.contains("::") => argument.to_owned(),
            "id" | "key" | "" => format!("{argument}::uuid[]"),
            name if name.ends_with("at") => format!("{argument}::timestamptz[]"),
            "preferred" => format!("{argument}::boolean[]"),
            "position" => format!("{argument}::smallint[]"),
            _ => format!("{argument}::text[]"),
        };
        let names = names.split(',').chain(std::iter::repeat(""));
        let arguments: Vec<String> = arguments.split(", ").zip(names).map(cast).collect();
        typed += &format!("{before}unnest({})", arguments.join(", "));
        rest = tail;
    }
    typed + rest
}

/// A value for a placeholder that few rows match, so that an index that can be used is used.
fn value(sql: &str, n: usize, of: &str) -> String {
    let at = sql
        .find(&format!("${n}"))
        .expect("Postgres found the placeholder");
    let before = sql[..at].trim_end_matches(['(', ' ']);
    let ends = |end: &str| before.ends_with(end);
    if ends("tenant_id =") {
        return format!("'{}'", Side::A.uuid("tenant", 1));
    }
    let (above, below) = (ends(">") || ends(">="), ends("<") || ends("<="));
    let pick = |low: &str, middle: &str, high: &str| {
        format!(
            "'{}'",
            if above {
                high
            } else if below {
                low
            } else {
                middle
            }
        )
    };
    let one = |of: &str| match of {
        "uuid" => format!("'{}'", Side::A.uuid("company", 1)),
        "text" => pick("", "zzz", "zzz"),
        "smallint" => pick("-1", "7", "30000"),
        "integer" | "bigint" => pick("-1", "26", "2000000000"),
        "timestamp with time zone" | "date" => pick("1900-01-01", "2020-02-02", "2100-01-01"),
        "boolean" => "true".to_owned(),
        _ => "NULL".to_owned(),
    };
    match of.strip_suffix("[]") {
        Some(of) => format!("ARRAY[{0}, {0}]::{of}[]", one(of)),
        None => one(of),
    }
}

/// The tenant tables that a plan reads, each with the condition that its index is entered with.
fn scans_of(plan: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&plan[0]["Plan"], "", &mut found);
    found
}

fn collect(node: &Value, above: &str, found: &mut Vec<(String, String)>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let table = if node["Relation Name"].is_null() {
        above
    } else {
        text("Relation Name")
    };
    let is_scan = match text("Node Type") {
        "ModifyTable" | "Bitmap Heap Scan" => false,
        "Bitmap Index Scan" => true,
        of => of.ends_with("Scan") && !node["Relation Name"].is_null(),
    };
    if is_scan && TENANT_TABLES.contains(&table) {
        found.push((table.to_owned(), text("Index Cond").to_owned()));
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        collect(child, table, found);
    }
}

impl<'s> OnlyFilter<'s> {
    /// `SELECT … FROM <table> t WHERE t.tenant_id = $1 [AND t.archived_at IS NULL] AND (<of one column> <operator> $2 …) ORDER BY …`
    fn of(sql: &'s str) -> Option<Self> {
        let (head, rest) = sql.split_once(" t WHERE ")?;
        let table = head.rsplit_once(" FROM ")?.1;
        let (conditions, _) = rest.split_once(" ORDER BY ")?;
        let filter = conditions.strip_prefix("t.tenant_id = $1")?;
        let filter = filter
            .strip_prefix(" AND t.archived_at IS NULL")
            .unwrap_or(filter);
        let filter = filter.strip_prefix(" AND (")?.strip_suffix(")")?;
        let (_, column) = filter.split_once("t.")?;
        let column = column
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()?;
        let is_of_one = filter
            .split("t.")
            .skip(1)
            .all(|other| other.starts_with(column))
            && !filter.contains("$3")
            && !filter.contains("SELECT");
        let is_indexable = [
            " = $2",
            " < $2",
            " <= $2",
            " > $2",
            " >= $2",
            " ^@ $2",
            " = ANY($2)",
        ]
        .iter()
        .any(|of| filter.contains(of));
        let is_inverted = filter.starts_with("NOT ");
        let reduced = format!("SELECT FROM {table} t WHERE {conditions}");
        (is_of_one && is_indexable && !is_inverted).then_some(Self {
            table,
            column,
            reduced,
        })
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|other| other == word)
}
