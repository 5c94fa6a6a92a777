//! What is not taken: from foreign pages, from programs, too much, and what makes no sense.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Mutex,
};

use super::{
    arrange,
    form::{Form, PAGE, answered},
    leads,
};
use crate::harness::{Who, World, test};

#[test]
fn pages_of_other_origins_are_refused_and_learn_nothing() {
    test(async |world| {
        let form = Form::make(world, json!({})).await;
        let posted = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
        for origin in [
            "https://evil.example",
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://evil.example/https://shop.example",
            "null",
            "",
        ] {
            for answer in [
                form.preflight(world, origin).await,
                form.post_json(world, Some(origin), &posted).await,
            ] {
                assert_eq!(
                    (answer.status, answer.code()),
                    (403, "FOREIGN_ORIGIN"),
                    "{origin}"
                );
                assert_eq!(
                    answer.header("access-control-allow-origin"),
                    None,
                    "{origin}"
                );
            }
        }
        let twice = form
            .request(world, Method::POST, Some(PAGE))
            .header("origin", PAGE);
        assert_eq!(answered(twice.json(&posted)).await.status, 403);
        // Without a list only programs post, which have no origin.
        let programs = Form::make(world, json!({ "allowedOrigins": [] })).await;
        assert_eq!(
            programs.post_json(world, Some(PAGE), &posted).await.status,
            403
        );
        assert!(leads(world, "ada@example.com").await.is_empty());
        assert_eq!(programs.post_json(world, None, &posted).await.status, 200);
        assert_eq!(leads(world, "ada@example.com").await.len(), 1);
    });
}

#[test]
fn a_program_that_fills_everything_in_is_told_what_people_are_told() {
    test(async |world| {
        let form = Form::make(world, json!({ "honeypot": "website" })).await;
        let person = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "website": "" });
        let program = json!({ "name": "Bot Botson", "email": "bot@example.com", "website": "https://spam.example", "x": "y" });
        let (of_person, of_program) = (
            form.post_json(world, Some(PAGE), &person).await,
            form.post_json(world, Some(PAGE), &program).await,
        );
        assert_eq!(
            (of_person.status, &of_person.body),
            (of_program.status, &of_program.body)
        );
        assert_eq!(leads(world, "ada@example.com").await.len(), 1);
        assert!(leads(world, "bot@example.com").await.is_empty());
        let log = form.submissions(world, Who::Admin).await;
        assert_eq!(
            (&log[0]["outcome"], &log[0]["lead"]),
            (&json!("SPAM"), &Value::Null)
        );
        assert_eq!(log[0]["extra"], json!({ "x": "y" }));
    });
}

#[test]
fn what_makes_no_sense_is_refused_with_the_field_that_it_is_about() {
    test(async |world| {
        let form = Form::make(
            world,
            json!({ "consentText": "You may call me.", "consentField": "agree" }),
        )
        .await;
        let good = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "agree": "on" });
        let with = |field: &str, value: Value| {
            let mut posted = good.clone();
            posted[field] = value;
            posted
        };
        for (posted, code, field) in [
            (with("email", json!("no address")), "INVALID_EMAIL", "email"),
            (with("email", json!("")), "BLANK", "email"),
            (
                with("email", json!(["a@example.com"])),
                "INVALID_TEXT",
                "email",
            ),
            (
                with("name", json!({ "first": "Ada" })),
                "INVALID_TEXT",
                "name",
            ),
            (
                with("name", json!("Ada \u{7} Lovelace")),
                "INVALID_TEXT",
                "name",
            ),
            (with("name", json!("x".repeat(201))), "TOO_LONG", "name"),
            (with("phone", json!("x".repeat(201))), "TOO_LONG", "phone"),
            (
                with("message", json!("x".repeat(501))),
                "TOO_LONG",
                "message",
            ),
            (with("agree", json!("no")), "CONSENT_MISSING", "agree"),
        ] {
            let answer = form.post_json(world, Some(PAGE), &posted).await;
            let error = &answer.body["error"];
            assert_eq!(
                (answer.status, &error["code"], &error["field"]),
                (422, &json!(code), &json!(field))
            );
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some(PAGE),
                "the page shows it"
            );
        }
        let log = form.submissions(world, Who::Admin).await;
        assert_eq!(log.len(), 9);
        let last = (
            &log[0]["outcome"],
            &log[0]["reasonCode"],
            &log[0]["reasonField"],
        );
        assert_eq!(
            last,
            (
                &json!("REFUSED"),
                &json!("CONSENT_MISSING"),
                &json!("agree")
            )
        );

        let (json_type, form_type) = ("application/json", "application/x-www-form-urlencoded");
        let nested = format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
        for (kind, body, status) in [
            (json_type, b"{\"name\":\"a\",\"name\":\"b\"}".to_vec(), 400),
            (json_type, b"{\"name\":\"\xff\"}".to_vec(), 400),
            (json_type, b"[1]".to_vec(), 400),
            (json_type, b"".to_vec(), 400),
            (json_type, nested.into_bytes(), 400),
            (form_type, b"name=%FF".to_vec(), 400),
            (form_type, b"".to_vec(), 422),
            (form_type, vec![b'x'; 1 << 20], 413),
            ("text/plain", b"{}".to_vec(), 415),
            ("multipart/form-data; boundary=x", b"--x--".to_vec(), 415),
            ("application/json; charset=utf-16", b"{}".to_vec(), 415),
        ] {
            let answer = form.post(world, kind, body).await;
            assert_eq!(answer.status, status, "{kind}: {}", answer.body);
            assert_eq!(answer.body["ok"], false);
        }
        assert!(leads(world, "ada@example.com").await.is_empty());
        let posted = "name=Ada+Lovelace&email=ada%40example.com&agree=on&topic=a&topic=b";
        assert_eq!(form.post(world, form_type, posted).await.status, 200);
        let log = form.submissions(world, Who::Admin).await;
        assert_eq!(log[0]["extra"], json!({ "topic": ["a", "b"] }));
    });
}

#[test]
fn a_plain_form_goes_on_to_its_page_and_a_script_does_not() {
    test(async |world| {
        let thanks = format!("{PAGE}/thanks");
        let form = Form::make(world, json!({ "thanksUrl": thanks })).await;
        let once = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let once = once.build().expect("a client");
        let post = async |accept: &'static str| {
            let request = form.request(world, Method::POST, Some(PAGE));
            let request = request
                .header("accept", accept)
                .header("content-type", "application/x-www-form-urlencoded")
                .body("name=Ada+Lovelace&email=ada%40example.com");
            let request = request.build().expect("a request");
            let answer = once.execute(request).await.expect("an answer");
            let location = answer.headers().get("location").cloned();
            (answer.status().as_u16(), location)
        };
        let (status, location) = post("text/html,application/xhtml+xml").await;
        assert_eq!(status, 303);
        assert_eq!(
            location.expect("an address").to_str().expect("a text"),
            thanks
        );
        assert_eq!(post("*/*").await, (200, None));
    });
}

#[test]
fn an_address_that_posts_too_much_has_to_wait() {
    test(async |world| {
        let form = Form::make(world, json!({ "duplicates": "CREATE" })).await;
        let posted = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
        let mut taken = 0;
        let refused = loop {
            let answer = form.post_json(world, Some(PAGE), &posted).await;
            match answer.status {
                200 => taken += 1,
                _ => break answer,
            }
        };
        assert!((40..60).contains(&taken), "{taken}");
        assert_eq!((refused.status, refused.code()), (429, "TOO_MANY_ATTEMPTS"));
        let seconds: u64 = refused
            .header("retry-after")
            .and_then(|text| text.parse().ok())
            .expect("seconds");
        assert!((1..=2).contains(&seconds));
        // Also for forms that are not there.
        let none = Form {
            path: format!("/capture/{}", "A".repeat(43)),
            ..form.clone()
        };
        assert_eq!(none.post_json(world, None, &posted).await.status, 429);
    });
}

/// A service that verifies captchas: it says yes to `good`, and no or nonsense to others. Answers its address, and what it
/// was posted.
async fn captchas() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!(
        "http://{}/siteverify",
        listener.local_addr().expect("an address")
    );
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while let Ok(read) = socket.read(&mut chunk).await {
                    request.extend_from_slice(&chunk[..read]);
                    let text = String::from_utf8_lossy(&request);
                    if read == 0 || text.contains("remoteip=") {
                        break;
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let (status, body) = match &text {
                    text if text.contains("response=good") => ("200 OK", "{\"success\":true}"),
                    text if text.contains("response=broken") => ("500 Oh", "<html>"),
                    _ => (
                        "200 OK",
                        "{\"success\":false,\"error-codes\":[\"timeout-or-duplicate\"]}",
                    ),
                };
                seen.lock().await.push(text);
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    (address, asked)
}

#[test]
fn a_captcha_is_verified_where_the_form_says_and_without_an_answer_nothing_is_taken() {
    test(async |world: &World| {
        let (url, asked) = captchas().await;
        let secret = "0x4AAAAAAA-secret-of-the-site";
        world.secrets.add(secret);
        let form = Form::make(
            world,
            json!({ "captchaUrl": url, "captchaField": "cf-turnstile-response", "captchaSecret": secret }),
        )
        .await;
        let post = async |token: &str| {
            let posted = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "cf-turnstile-response": token });
            form.post_json(world, Some(PAGE), &posted).await
        };
        let (bad, none) = (post("bad").await, post("").await);
        for answer in [bad, none] {
            assert_eq!((answer.status, answer.code()), (422, "CAPTCHA_FAILED"));
        }
        let broken = post("broken").await;
        assert_eq!((broken.status, broken.code()), (503, "UNAVAILABLE"));
        assert!(leads(world, "ada@example.com").await.is_empty());
        assert_eq!(post("good").await.status, 200);
        assert_eq!(leads(world, "ada@example.com").await.len(), 1);
        let asked = asked.lock().await;
        assert_eq!(asked.len(), 3, "without a token nobody is asked");
        assert!(
            asked
                .iter()
                .all(|text| text.contains(secret) && text.starts_with("POST /siteverify"))
        );
        // An address inside is not asked, whatever the form says.
        arrange(world, "UPDATE lead_forms SET captcha_url = 'http://10.0.0.1/siteverify' WHERE captcha_url IS NOT NULL").await;
        assert_eq!(post("good").await.status, 503);
        assert_eq!(asked.len(), 3);
    });
}
