//! A real OpenID provider, in a process of its own, and a browser that signs in there.

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use dealgraph::organization::identities::{IdentityFile, ProviderConfig};
use reqwest::{RequestBuilder, Response, header, redirect};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use url::Url;

use crate::http::install;

/// Where the provider sends people back to.
pub(super) const BACK: &str = "https://crm.example/signed-in";
/// Longer than this it takes only when it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The provider; it ends when it is dropped.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) audience: String,
    lines: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
    child: Child,
}

/// What the provider sends a person back with.
#[derive(Debug, Clone)]
pub(super) struct Back {
    pub(super) state: String,
    pub(super) code: String,
    pub(super) issuer: String,
}

impl Provider {
    pub(super) async fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        install(&folder).await;
        let mut child = Command::new("node")
            .args(["oidc-provider.mjs", BACK])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node is installed");
        let output = child.stdout.take().expect("it is piped");
        let mut provider = Self {
            issuer: String::new(),
            audience: String::new(),
            lines: BufReader::new(output).lines(),
            input: child.stdin.take().expect("it is piped"),
            child,
        };
        let answer = provider.answer().await;
        let text = |name: &str| answer[name].as_str().expect("it says").to_owned();
        provider.issuer = text("issuer");
        provider.audience = text("audience");
        provider
    }

    /// Sends a command and reads the answer.
    pub(super) async fn send(&mut self, command: &str) -> Value {
        let line = format!("{command}\n");
        self.input
            .write_all(line.as_bytes())
            .await
            .expect("it reads");
        self.answer().await
    }

    /// An access token for an account, as a resource server would get it.
    pub(super) async fn token(&mut self, account: &str, alg: &str, tenant: &str) -> String {
        let answer = self.send(&format!("token {account} {alg} {tenant}")).await;
        answer["token"].as_str().expect("a token").to_owned()
    }

    pub(super) async fn stop(&mut self) {
        self.child.kill().await.expect("it is ours");
    }

    async fn answer(&mut self) -> Value {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.expect("in time").expect("a text").expect("it runs");
            // The provider also prints notices.
            if let Ok(answer) = serde_json::from_str(&line) {
                return answer;
            }
        }
    }

    /// How the identity file names it, with our secret and without.
    pub(super) fn as_provider(&self, key: &str, tenants: &[&str]) -> ProviderConfig {
        let (client, secret) = match key {
            "public" => ("public", None),
            _ => (
                "dealgraph",
                Some("a secret of forty characters, no more no less"),
            ),
        };
        let mut provider = json!({
            "key": key, "name": "Acme", "issuer": self.issuer, "clientId": client,
            "redirectUris": [BACK], "tenants": tenants,
        });
        if let Some(secret) = secret {
            provider["clientSecret"] = json!(secret);
        }
        let file = json!({ "providers": [provider] }).to_string();
        IdentityFile::parse(&file)
            .expect("a sound file")
            .providers
            .remove(0)
    }
}

/// Goes to the address that a sign-in begins with, signs in as the account, consents, and comes back.
pub(super) async fn sign_in_there(address: &str, account: &str) -> Back {
    let mut browser = Browser::new();
    let mut answer = browser.get(address).await;
    for _ in 0..20 {
        let Some(location) = answer.headers().get(header::LOCATION) else {
            let page = answer.url().clone();
            let text = answer.text().await.expect("a page");
            answer = match text.contains("value=\"login\"") {
                true => {
                    let form = format!("prompt=login&login={account}&password=x");
                    browser.post(&page, form).await
                }
                false => browser.post(&page, "prompt=consent".to_owned()).await,
            };
            continue;
        };
        let location = location.to_str().expect("an address");
        let next = answer.url().join(location).expect("an address");
        if next.as_str().starts_with(BACK) {
            return Back::read(&next);
        }
        answer = browser.get(next.as_str()).await;
    }
    panic!("the provider does not send {account} back");
}

impl Back {
    fn read(address: &Url) -> Self {
        let value = |name: &str| {
            let mut pairs = address.query_pairs();
            let found = pairs.find(|(key, _)| key == name);
            found
                .unwrap_or_else(|| panic!("no {name} in {address}"))
                .1
                .into_owned()
        };
        Self {
            state: value("state"),
            code: value("code"),
            issuer: value("iss"),
        }
    }
}

/// As much of a browser as signing in takes: cookies.
struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        Self {
            http,
            cookies: BTreeMap::new(),
        }
    }

    async fn get(&mut self, address: &str) -> Response {
        let request = self.http.get(address);
        self.send(request).await
    }

    async fn post(&mut self, page: &Url, form: String) -> Response {
        let request = self
            .http
            .post(page.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        self.send(request).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request.header(header::COOKIE, cookies.join("; "));
        let answer = request.send().await.expect("the provider answers");
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a text");
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a name and a value");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}
