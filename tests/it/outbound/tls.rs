//! Certificates, and servers that don't get as far as those.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dealgraph::platform::outbound::SendError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use super::{
    developing, outcome, post,
    receiver::{Receiver, head},
};

/// An authority that nobody knows, unless told.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its own certificate.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server that answers 204 to those who believe its certificate.
    pub(super) async fn server(&self, names: &[&str], is_expired: bool) -> Receiver {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if is_expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        serve(certificate.der().clone(), key).await
    }
}

async fn serve(certificate: CertificateDer<'static>, key: KeyPair) -> Receiver {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Receiver::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                head(&mut stream).await;
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_is_not_believed() {
    let server = Authority::new()
        .server(&["localhost", "127.0.0.1"], false)
        .await;
    for host in ["localhost", "127.0.0.1"] {
        let address = format!("https://{host}:{}/", server.port);
        assert_eq!(outcome(&developing(), &address).await, "TLS", "{host}");
    }
    assert!(server.connections() >= 2, "it was reached");
    // One that believes anything gets an answer.
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .expect("a client");
    let address = format!("https://localhost:{}/", server.port);
    let answer = client.get(&address).send().await.expect("an answer");
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn what_does_not_speak_tls_is_told_as_such() {
    for bytes in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "220 mail.example ESMTP\r\n",
        "",
    ] {
        let server = Receiver::start(move |mut stream| async move {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        })
        .await;
        let address = format!("https://127.0.0.1:{}/", server.port);
        assert_eq!(outcome(&developing(), &address).await, "TLS", "{bytes:?}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_in_tls_ends_with_the_deadline() {
    let server = Receiver::start(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let mut request = post(&format!("https://127.0.0.1:{}/", server.port));
    request.deadline = Duration::from_millis(500);
    let began = Instant::now();
    let sent = developing().send(request).await;
    assert_eq!(sent.expect_err("no answer"), SendError::TimedOut);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(server.connections(), 1);
}
