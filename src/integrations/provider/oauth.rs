//! OAuth 2.0 (RFC 6749) with PKCE (RFC 7636): sending a person to a service, and what they come back with.

use std::{borrow::Cow, time::Duration};

use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError, BasicTokenResponse},
    http,
};
use url::Url;

use super::ProviderFailure;
use crate::{
    base::{
        error::{Error, Result},
        secret::{self, Secret},
    },
    platform::outbound::{Outbound, OutboundRequest, SendError},
};

/// How long a service has for tokens.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that is read of an answer with tokens.
const MOST_BYTES: usize = 64 << 10;

/// What a service knows this installation as.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Where people are sent.
    pub authorize_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; without one PKCE stands for it.
    pub client_secret: Option<Secret<String>>,
    /// Where people may come back to, each exactly as it is registered there.
    pub redirect_uris: Vec<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
}

/// The begin of an authorisation.
#[derive(Debug)]
pub struct Grant {
    /// Where the person is sent.
    pub address: String,
    /// What proves, with the code, that it is the same server that began.
    pub verifier: Secret<String>,
}

/// What a service gave.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// What requests are authorised with.
    pub access: Secret<String>,
    /// What the next one is had with. Services may give another one each time, which ends the one before.
    pub refresh: Option<Secret<String>>,
    /// How long the first is good.
    pub lasts: Option<Duration>,
}

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl OAuthClient {
    /// Begins an authorisation that comes back to one of the registered addresses.
    ///
    /// # Errors
    /// `NOT_REGISTERED` on `redirectUri`.
    pub fn begin(&self, state: &str, redirect_uri: &str) -> Result<Grant> {
        if !self.redirect_uris.iter().any(|known| known == redirect_uri) {
            let message = "the service does not let people come back to this address";
            return Err(Error::invalid("NOT_REGISTERED", "redirectUri", message));
        }
        let verifier = PkceCodeVerifier::new(secret::token(""));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let state = state.to_owned();
        let scopes = self.scopes.iter().cloned().map(Scope::new);
        let (address, _) = self
            .client()
            .authorize_url(move || CsrfToken::new(state))
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(redirect(redirect_uri)?))
            .url();
        Ok(Grant {
            address: address.into(),
            verifier: Secret::new(verifier.into_secret()),
        })
    }

    /// Exchanges a code for tokens.
    ///
    /// # Errors
    /// [`ProviderFailure`]; `Unauthorized` for a code that is not good.
    pub async fn exchange(
        &self,
        outbound: &Outbound,
        code: &str,
        verifier: &Secret<String>,
        redirect_uri: &str,
    ) -> Result<Tokens, ProviderFailure> {
        let redirect = redirect(redirect_uri).map_err(|_| ProviderFailure::Unauthorized)?;
        let client = self.client();
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().clone()))
            .set_redirect_uri(Cow::Owned(redirect));
        let answered = request.request_async(&Asking(outbound)).await;
        tokens(answered)
    }

    /// Has another access token.
    ///
    /// # Errors
    /// [`ProviderFailure`]; `Unauthorized` when the service wants the person to come again.
    pub async fn refresh(
        &self,
        outbound: &Outbound,
        refresh: &Secret<String>,
    ) -> Result<Tokens, ProviderFailure> {
        let client = self.client();
        let refresh = RefreshToken::new(refresh.expose().clone());
        let request = client.exchange_refresh_token(&refresh);
        let answered = request.request_async(&Asking(outbound)).await;
        tokens(answered)
    }

    fn client(&self) -> Client {
        let client = BasicClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.authorize_url.clone()))
            .set_token_uri(TokenUrl::from_url(self.token_url.clone()));
        match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().clone())),
            None => client,
        }
    }
}

fn redirect(uri: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(uri.to_owned()).map_err(Error::internal)
}

fn tokens(
    answered: Result<BasicTokenResponse, BasicRequestTokenError<AskError>>,
) -> Result<Tokens, ProviderFailure> {
    let answer = answered.map_err(|error| match error {
        RequestTokenError::ServerResponse(refusal) => match refusal.error() {
            BasicErrorResponseType::InvalidGrant | BasicErrorResponseType::UnauthorizedClient => {
                ProviderFailure::Unauthorized
            }
            BasicErrorResponseType::InvalidClient => ProviderFailure::Refused {
                code: "CLIENT_REFUSED",
                message: "the service does not know this installation: its operator has to look"
                    .to_owned(),
            },
            _ => ProviderFailure::Unavailable {
                code: "TOKENS_REFUSED",
                message: "the service does not give tokens now".to_owned(),
            },
        },
        RequestTokenError::Request(AskError::Send(error)) => error.into(),
        _ => ProviderFailure::unreadable("these are no tokens"),
    })?;
    Ok(Tokens {
        access: Secret::new(answer.access_token().secret().clone()),
        refresh: answer
            .refresh_token()
            .map(|token| Secret::new(token.secret().clone())),
        lasts: answer.expires_in(),
    })
}

/// The library's way to the one client for other servers.
struct Asking<'o>(&'o Outbound);

/// Why there is no answer with tokens.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the service can't be reached")]
    Send(SendError),
    #[error("the answer is none")]
    Http(#[from] http::Error),
}

impl<'c> oauth2::AsyncHttpClient<'c> for Asking<'_> {
    type Error = AskError;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, AskError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let address = Url::parse(&head.uri.to_string()).ok();
            let address = address.ok_or(AskError::Send(SendError::Broken))?;
            let headers = head.headers.iter();
            let request = OutboundRequest {
                method: head.method,
                address,
                headers: headers
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
                body: body.into(),
                deadline: PATIENCE,
                most_bytes: MOST_BYTES,
            };
            let answer = self.0.send(request).await.map_err(AskError::Send)?;
            let mut response = http::Response::builder().status(answer.status);
            if let Some(headers) = response.headers_mut() {
                *headers = answer.headers;
            }
            Ok(response.body(answer.body)?)
        })
    }
}
