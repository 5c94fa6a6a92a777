//! One OpenID provider that people sign in through: authorization code with PKCE and nonce (OpenID Connect Core 1.0).
//!
//! The only place that knows the OpenID library. The provider's metadata is cached, also while it is down.

use std::{borrow::Cow, pin::Pin, sync::Arc};

use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdTokenClaims,
        CoreJwsSigningAlgorithm as Signature, CoreProviderMetadata, CoreTokenResponse,
        CoreUserInfoClaims,
    },
};

use super::ExternalIdentity;
use crate::{
    base::{
        clock::Clock,
        error::{Error, Result},
        secret,
    },
    organization::{auth::cached_document::CachedDocument, identities::ProviderConfig},
    platform::outbound::{Fetch, FetchError},
};

/// What an id token may be signed with: public keys only, since a client secret would let its holder make id tokens.
const SIGNATURES: [Signature; 9] = [
    Signature::RsaSsaPkcs1V15Sha256,
    Signature::RsaSsaPkcs1V15Sha384,
    Signature::RsaSsaPkcs1V15Sha512,
    Signature::RsaSsaPssSha256,
    Signature::RsaSsaPssSha384,
    Signature::RsaSsaPssSha512,
    Signature::EcdsaP256Sha256,
    Signature::EcdsaP384Sha384,
    Signature::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider.
pub(super) struct Provider {
    pub(super) config: ProviderConfig,
    fetch: Fetch,
    metadata: CachedDocument<CoreProviderMetadata>,
    clock: Clock,
}

/// The start of a sign-in: where to send the person, and what the provider must return.
pub(super) struct AuthorizationRequest {
    pub(super) address: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// What came back from the provider.
pub(super) struct Returned {
    pub(super) code: String,
    pub(super) redirect_uri: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Provider {
    pub(super) fn new(config: ProviderConfig, clock: &Clock) -> Result<Self, FetchError> {
        let fetch = Fetch::from(config.issuer.url())?;
        let asked = (fetch.clone(), config.issuer.as_str().to_owned());
        let what = format!("the metadata of {}", config.issuer.as_str());
        let metadata = CachedDocument::new(what, clock.clone(), move || {
            let (fetch, issuer) = asked.clone();
            async move { discover(&fetch, issuer).await }
        });
        Ok(Self {
            config,
            fetch,
            metadata,
            clock: clock.clone(),
        })
    }

    /// Whether the operator trusts it with a tenant.
    pub(super) fn opens(&self, tenant: &str) -> bool {
        let tenants = &self.config.tenants;
        tenants.is_empty() || tenants.iter().any(|named| named == tenant)
    }

    /// Begins a sign-in that comes back to one of the registered addresses.
    pub(super) async fn begin(&self, redirect_uri: &str) -> Result<AuthorizationRequest> {
        let metadata = self.metadata().await?;
        let (state, nonce) = (secret::token(""), secret::token(""));
        let verifier = PkceCodeVerifier::new(secret::token(""));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let (sent_state, sent_nonce) = (state.clone(), nonce.clone());
        let redirect = redirect(redirect_uri)?;
        let client = self.client(&metadata);
        let scopes = ["email", "profile"]
            .into_iter()
            .chain(self.config.scopes.iter().map(String::as_str));
        let (address, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(sent_state),
                move || Nonce::new(sent_nonce),
            )
            .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(redirect))
            .url();
        Ok(AuthorizationRequest {
            address: address.into(),
            state,
            nonce,
            verifier: verifier.into_secret(),
        })
    }

    /// Exchanges the code for the identity that the provider vouches for.
    pub(super) async fn complete(&self, returned: Returned) -> Result<ExternalIdentity> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata);
        let tokens = self.exchange(&client, &returned).await?;
        let claims = match self.claims(&client, &tokens, &returned.nonce) {
            // The provider may sign with a key that is newer than the cached metadata.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let newer = self.metadata.newer(&metadata).await;
                let client = self.client(newer.as_ref().unwrap_or(&metadata));
                self.claims(&client, &tokens, &returned.nonce)
            }
            judged => judged,
        };
        let claims = claims.map_err(refused)?;
        let mut email = verified(claims.email(), claims.email_verified());
        if email.is_none() {
            email = self.ask_for_email(&client, &tokens, &claims).await;
        }
        Ok(ExternalIdentity {
            issuer: self.config.issuer.as_str().to_owned(),
            subject: claims.subject().to_string(),
            verified_email: email,
        })
    }

    /// Whether it publishes what it is.
    pub(super) async fn answers(&self) -> bool {
        self.metadata.get().await.is_some()
    }

    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>> {
        let metadata = self.metadata.get().await;
        metadata.ok_or(Error::Unavailable("the identity provider"))
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        let secret = self.config.client_secret.as_ref();
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.config.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose().clone())),
        );
        // Where a provider does not say, it takes the secret in the header (OpenID Connect Discovery 1.0, section 3).
        let methods = metadata.token_endpoint_auth_methods_supported();
        let by_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        if by_body {
            client.set_auth_type(AuthType::RequestBody)
        } else {
            client
        }
    }

    async fn exchange(&self, client: &Client, returned: &Returned) -> Result<CoreTokenResponse> {
        let request = client
            .exchange_code(AuthorizationCode::new(returned.code.clone()))
            .map_err(Error::internal)?
            .set_pkce_verifier(PkceCodeVerifier::new(returned.verifier.clone()))
            .set_redirect_uri(Cow::Owned(redirect(&returned.redirect_uri)?));
        request
            .request_async(&self.fetch)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(_) => refused(error),
                _ => {
                    tracing::warn!(
                        error = &error as &(dyn std::error::Error + 'static),
                        provider = self.config.key,
                        "a provider does not exchange codes"
                    );
                    Error::Unavailable("the identity provider")
                }
            })
    }

    /// The claims of the id token: signature, issuer, audience, times and nonce are checked by the library, and that
    /// the access token is the one that came with it.
    fn claims(
        &self,
        client: &Client,
        tokens: &CoreTokenResponse,
        nonce: &str,
    ) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
        let missing = || ClaimsVerificationError::Other("there is no id token".to_owned());
        let token = tokens.id_token().ok_or_else(missing)?;
        let clock = self.clock.clone();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(SIGNATURES)
            .set_time_fn(move || clock.now());
        let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned()))?;
        if let Some(expected) = claims.access_token_hash() {
            let signed_with = |error| ClaimsVerificationError::Other(format!("{error}"));
            let key = token
                .signing_key(&verifier)
                .map_err(ClaimsVerificationError::SignatureVerification)?;
            let algorithm = token
                .signing_alg()
                .map_err(|error| ClaimsVerificationError::Other(error.to_string()))?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
                .map_err(signed_with)?;
            if actual != *expected {
                let other = "the access token is another one".to_owned();
                return Err(ClaimsVerificationError::Other(other));
            }
        }
        Ok(claims.clone())
    }

    /// Some providers disclose the address only at the endpoint that takes the access token.
    async fn ask_for_email(
        &self,
        client: &Client,
        tokens: &CoreTokenResponse,
        claims: &CoreIdTokenClaims,
    ) -> Option<String> {
        let subject = claims.subject().clone();
        let request = client
            .user_info(tokens.access_token().clone(), Some(subject))
            .ok()?;
        let claims: CoreUserInfoClaims = request.request_async(&self.fetch).await.ok()?;
        verified(claims.email(), claims.email_verified())
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

async fn discover(fetch: &Fetch, issuer: String) -> Result<CoreProviderMetadata, FetchError> {
    let issuer = IssuerUrl::new(issuer).map_err(|error| FetchError::Content(error.to_string()))?;
    CoreProviderMetadata::discover_async(issuer, fetch)
        .await
        .map_err(|error| FetchError::Content(error.to_string()))
}

fn redirect(uri: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(uri.to_owned()).map_err(Error::internal)
}

fn verified(email: Option<&openidconnect::EndUserEmail>, verified: Option<bool>) -> Option<String> {
    email
        .filter(|_| verified == Some(true))
        .map(|email| email.to_string())
}

/// The person has to begin again; what exactly did not fit is in the log only.
fn refused(error: impl std::error::Error + 'static) -> Error {
    tracing::info!(
        error = &error as &(dyn std::error::Error + 'static),
        "a sign-in at a provider was refused"
    );
    Error::invalid(
        "SIGN_IN_REFUSED",
        "code",
        "the provider did not accept this sign-in, begin again",
    )
}
