//! What is logged for a request.

use super::*;

#[test]
fn a_request_has_exactly_one_line_with_what_an_operator_asks_for() {
    let lines = logged(&config("info", None), || {
        serve_one(TraceParents::Ignored, None)
    })
    .lines();
    let [inside, line] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(inside["spans"][0]["request.id"], "req-7");
    assert_eq!(
        inside["spans"].as_array().unwrap().len(),
        1,
        "only the request's span exists"
    );

    for (field, value) in [
        ("level", "INFO".into()),
        ("message", "request".into()),
        ("request.id", "req-7".into()),
        ("http.status", 200.into()),
        ("graphql.operation.type", "query".into()),
        ("graphql.operation.name", "Board".into()),
        ("tenant.id", "00000000-0000-0000-0000-000000000001".into()),
        ("user.id", "00000000-0000-0000-0000-000000000002".into()),
        ("db.statements", 3.into()),
        ("outcome", Value::from("OK")),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    assert!(line["duration_ms"].as_f64().unwrap() >= 0.0);
    assert!(line.get("trace.id").is_none());
    assert!(!format!("{lines:?}").contains("hunter2"));
}

#[test]
fn an_abandoned_request_and_one_that_panics_have_their_line_too() {
    let lines = logged(&config("info", None), || {
        drop(RequestLine::begin(
            "gone",
            request_span("GET", "/graphql", "/graphql", "gone"),
        ));
        let panicked = std::panic::catch_unwind(|| {
            let _line =
                RequestLine::begin("bug", request_span("_OTHER", "/graphql", "/graphql", "bug"));
            panic!("a bug, on purpose");
        });
        assert!(panicked.is_err());
    })
    .lines();
    let ends: Vec<_> = lines
        .iter()
        .map(|line| (&line["http.status"], &line["outcome"]))
        .collect();
    assert_eq!(
        ends,
        [
            (&499.into(), &"CANCELLED".into()),
            (&500.into(), &"INTERNAL".into())
        ]
    );
}

#[test]
fn what_a_client_chooses_is_cut_and_can_not_forge_a_line() {
    let hostile = format!("x\n{{\"level\":\"ERROR\"}}{}", "ü".repeat(100_000));
    for log_format in [LogFormat::Json, LogFormat::Text] {
        let config = TelemetryConfig {
            log_format,
            ..config("info", None)
        };
        let text = logged(&config, || {
            let line = RequestLine::begin(&hostile, request_span("GET", &hostile, "", &hostile));
            finish_now(line.run(async {
                note_operation(OperationKind::Query, Some(&hostile));
            }));
        })
        .text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.len() < 1_000);
    }
}

#[test]
fn notes_of_requests_at_the_same_time_do_not_mix_and_outside_of_one_go_nowhere() {
    let lines = logged(&config("info", None), || {
        let [first, second] =
            ["first", "second"].map(|id| RequestLine::begin(id, request_span("GET", "/", "/", id)));
        note_statements(100);
        finish_now(first.run(async {
            note_statements(1);
            second.run(async { note_statements(20) }).await;
            note_statements(2);
        }));
        first.finish(200, "OK");
        second.finish(200, "OK");
    })
    .lines();
    let counts: Vec<_> = lines.iter().map(|line| &line["db.statements"]).collect();
    assert_eq!(counts, [3, 20]);
}

#[test]
fn without_a_collector_operations_and_statements_make_no_span() {
    logged(&config("info", None), || {
        let statement = Statement::begin(
            "SELECT 1".into_sql_str(),
            &Arc::default(),
            Duration::from_secs(1),
        );
        assert!(statement.span.is_disabled());
        assert!(operation_span(OperationKind::Mutation, None, "").is_disabled());
    });
}
