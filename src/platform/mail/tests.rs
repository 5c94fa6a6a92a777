use std::fs;

use tokio::net::TcpListener;

use super::*;
use crate::platform::telemetry::metrics::Metrics;

fn post(way: Way) -> Post {
    Post {
        way,
        from: "Dealgraph <no-reply@dealgraph.example>"
            .parse()
            .expect("an address"),
    }
}

fn folder() -> PathBuf {
    let name = format!("dealgraph-mail-{:032x}", fastrand::u128(..));
    std::env::temp_dir().join(name)
}

fn texts(folder: &PathBuf, ending: &str) -> Vec<String> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).expect("a text"))
        .collect()
}

#[tokio::test]
async fn mails_are_written_in_order_and_all_of_them_before_the_end() {
    let folder = folder();
    let (mailer, sending) = Mailer::start(
        post(Way::Folder(folder.clone())),
        Clock::system(),
        ServiceMetrics::default(),
    );
    for number in 0..20 {
        let subject = format!("Number {number}");
        let link = ("Click", "https://app.example/account/x#token=a&b");
        mailer.send(letter(
            "ada@example.com",
            &subject,
            &["One <b>.", "Two."],
            Some(link),
        ));
    }
    sending.finish().await;
    let mails = texts(&folder, "eml");
    assert_eq!(mails.len(), 20);
    assert!(mails[3].contains("To: ada@example.com\nSubject: Number 3\n"));
    assert!(
        mails[3]
            .ends_with("\n\nOne <b>.\n\nTwo.\n\nClick:\nhttps://app.example/account/x#token=a&b\n")
    );
    let pages = texts(&folder, "html");
    assert!(
        pages[0].contains("<p>One &lt;b&gt;.</p>")
            && pages[0].contains("#token=a&amp;b\">Click</a>")
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| {
            let metadata = fs::metadata(path).expect("it is there");
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode(&folder), 0o700);
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    fs::remove_dir_all(folder).expect("it can be removed");
}

#[test]
fn what_a_person_typed_never_becomes_a_header() {
    let from = post(Way::Nowhere).from;
    let mail = |to: &str, subject: &str| {
        let message = letter(to, subject, &["x"], None);
        smtp::compose(&from, &message)
            .map(|mail| String::from_utf8_lossy(&mail.formatted()).into_owned())
    };
    let sound = mail("ada@example.com", "Hi\r\nBcc: eve@example.com").expect("a mail");
    assert!(
        !sound.lines().any(|line| line.starts_with("Bcc")),
        "{sound}"
    );
    for bad in [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
    ] {
        assert!(matches!(mail(bad, "x"), Err(Failed::ForGood(_))), "{bad}");
    }
}

#[tokio::test]
async fn a_relay_that_is_away_is_tried_again_and_then_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("smtp://{}", listener.local_addr().expect("an address"));
    let (post, pauses) = (
        post(Way::parse(&address).expect("a relay")),
        [Duration::from_millis(20); 2],
    );
    let (mailer, sending) =
        Mailer::start_with(post, Clock::system(), ServiceMetrics::default(), pauses);
    mailer.send(letter("ada@example.com", "x", &["x"], None));
    for _ in 0..=pauses.len() {
        // It closes the connection without a reply.
        drop(listener.accept().await.expect("another try"));
    }
    sending.finish().await;
    let more = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(more.is_err(), "it is tried for ever");
}

#[tokio::test]
async fn those_that_are_given_up_at_the_end_are_counted() {
    let metrics = Metrics::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("smtp://{}", listener.local_addr().expect("an address"));
    let post = post(Way::parse(&address).expect("a relay"));
    let pauses = [Duration::from_millis(20); 2];
    let (mailer, sending) =
        Mailer::start_with(post, Clock::system(), metrics.service.clone(), pauses);
    // More than are on their way at once, at a relay that says nothing.
    for _ in 0..AT_ONCE + 3 {
        mailer.send(letter("ada@example.com", "x", &["x"], None));
    }
    sending.finish_within(Duration::from_millis(200)).await;
    let told = metrics.text();
    let lost = format!("mails_total{{outcome=\"lost\"}} {}", AT_ONCE + 3);
    assert!(told.contains(&lost), "{told}");
    drop(listener);
}

#[test]
fn addresses_of_the_post_are_read_and_never_repeated() {
    assert!(
        matches!(Way::parse("file:///var/mail"), Ok(Way::Folder(folder)) if folder.ends_with("mail"))
    );
    assert!(matches!(
        Way::parse("smtps://ada:secret@mail.example"),
        Ok(Way::Smtp(_))
    ));
    for bad in [
        "file://relative",
        "http://mail.example",
        "smtp://ada:secret@",
        "",
    ] {
        let error = Way::parse(bad).expect_err("no way").to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
