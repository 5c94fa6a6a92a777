//! The service as Dealgraph knows it: its addresses and shapes, and which of our records are meant.

use std::time::Duration;

use dealgraph::{
    base::{
        error::Result,
        ids::{ContactId, Typed as _},
    },
    crm::contacts::{
        self, Contact, ContactFields, ContactMethodKind, NewContact, NewContactMethod,
    },
    db::{ReadTx, Sql, Tx},
    entity::{self, Ownership},
    integrations::provider::{
        About, Applied, Authorization, BelongsTo, Budget, Call, Identity, Kind, OAuthClient,
        Provider, ProviderFailure, PullFrom, Pulled, Push, Pushed, Remote, RemoteChange,
        RemoteState, Session,
    },
};
use futures_util::future::{BoxFuture, FutureExt as _};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The service.
pub(crate) struct RolodexProvider {
    about: About,
    base: Url,
}

impl RolodexProvider {
    /// At an address; `key` is what it is called, and decides whose accounts are connected.
    pub(crate) fn new(key: &'static str, base: &str, belongs_to: BelongsTo) -> Self {
        let base: Url = base.parse().expect("an address");
        let client = OAuthClient {
            authorize_url: base.join("authorize").expect("an address"),
            token_url: base.join("token").expect("an address"),
            client_id: "dealgraph".to_owned(),
            client_secret: None,
            redirect_uris: vec!["https://crm.example/back".to_owned()],
            scopes: vec!["people".to_owned()],
        };
        let about = About {
            key,
            name: "Rolodex",
            belongs_to,
            authorization: Authorization::OAuth(Box::new(client)),
            kinds: vec![Kind {
                name: "people",
                record: "contact",
                is_pushed: true,
            }],
            budget: Budget {
                burst: 1_000,
                every: Duration::from_millis(10),
            },
            sync_every: Duration::from_secs(3_600),
        };
        Self { about, base }
    }

    /// Which may be asked so often.
    pub(crate) fn within(mut self, budget: Budget) -> Self {
        self.about.budget = budget;
        self
    }

    fn address(&self, path: &str) -> Url {
        self.base.join(path).expect("an address")
    }
}

#[derive(Deserialize)]
struct Me {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Page {
    people: Vec<Listed>,
    cursor: String,
    more: bool,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    first: String,
    last: String,
    email: Option<String>,
    gone: bool,
}

impl Provider for RolodexProvider {
    fn about(&self) -> &About {
        &self.about
    }

    fn authenticate<'a>(
        &'a self,
        session: &'a Session,
    ) -> BoxFuture<'a, Result<Identity, ProviderFailure>> {
        async move {
            let me: Me = session.ask(Call::get(self.address("me"))).await?.read()?;
            Ok(Identity {
                external_id: me.id,
                name: me.name,
            })
        }
        .boxed()
    }

    fn pull<'a>(
        &'a self,
        session: &'a Session,
        from: PullFrom<'a>,
    ) -> BoxFuture<'a, Result<Pulled, ProviderFailure>> {
        async move {
            let mut address = self.address("people");
            address
                .query_pairs_mut()
                .append_pair("limit", &from.most.to_string())
                .append_pair("after", from.cursor.unwrap_or(""));
            let reply = session.ask(Call::get(address)).await?;
            if reply.status == 410 {
                return Err(ProviderFailure::CursorLost);
            }
            let page: Page = reply.read()?;
            let records = page.people.into_iter().map(|person| Remote {
                external_id: person.id,
                state: match person.gone {
                    true => RemoteState::Gone,
                    false => RemoteState::Present(json!({
                        "first": person.first, "last": person.last, "email": person.email,
                    })),
                },
                updated_at: None,
            });
            Ok(Pulled {
                records: records.collect(),
                cursor: page.cursor,
                has_more: page.more,
            })
        }
        .boxed()
    }

    fn apply<'a>(
        &'a self,
        tx: &'a mut Tx,
        change: RemoteChange<'a>,
    ) -> BoxFuture<'a, Result<Applied>> {
        async move {
            let RemoteState::Present(fields) = &change.remote.state else {
                let Some(record) = change.record else {
                    return Ok(Applied::Skipped);
                };
                entity::archive::<Contact>(tx, record, None).await?;
                return Ok(Applied::Removed(record));
            };
            let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
            let email = fields["email"].as_str();
            let methods: Vec<_> = email.into_iter().map(method).collect();
            let known = match (change.record, email) {
                (Some(record), _) => Some(record),
                (None, Some(email)) => by_email(tx, email).await?,
                (None, None) => None,
            };
            match known {
                Some(record) => {
                    let id = (ContactId::from_uuid(record), None);
                    contacts::update(tx, id, Some(methods), |contact| {
                        contact.first_name = text("first");
                        contact.last_name = text("last");
                        Ok(())
                    })
                    .await?;
                    Ok(Applied::Updated(record))
                }
                None => {
                    // Whoever brings people in their own account has them.
                    let owner = tx.actor().person();
                    let owner_id = owner.filter(|_| self.about.belongs_to == BelongsTo::Person);
                    let new = NewContact {
                        id: ContactId::new(),
                        fields: ContactFields {
                            first_name: text("first"),
                            last_name: text("last"),
                            ownership: Ownership {
                                owner_id,
                                team_path: None,
                            },
                            ..ContactFields::default()
                        },
                        methods,
                        created_at: None,
                    };
                    let record = new.id.uuid();
                    contacts::create(tx, new).await?;
                    Ok(Applied::Created(record))
                }
            }
        }
        .boxed()
    }

    fn outgoing<'a>(
        &'a self,
        tx: &'a mut ReadTx,
        _: &'static str,
        record: Uuid,
    ) -> BoxFuture<'a, Result<Option<Value>>> {
        async move {
            let sql = Sql::new(
                "SELECT c.first_name, c.last_name, c.email_normalized FROM contacts c WHERE c.archived_at IS NULL AND c.tenant_id = ",
            )
            .bind(tx.tenant())
            .push(" AND c.contact_id = ")
            .bind(record);
            let found: Option<(String, String, Option<String>)> = tx.optional(sql).await?;
            // What has no address is not told.
            Ok(found.and_then(|(first, last, email)| {
                let email = email?;
                Some(json!({ "first": first, "last": last, "email": email }))
            }))
        }
        .boxed()
    }

    fn push<'a>(
        &'a self,
        session: &'a Session,
        push: Push<'a>,
    ) -> BoxFuture<'a, Result<Pushed, ProviderFailure>> {
        async move {
            let path = match push.external_id {
                Some(id) => format!("people/{id}"),
                None => "people".to_owned(),
            };
            let body = push.fields.clone();
            let call = Call::send(
                Method::POST,
                self.address(&path),
                body,
                push.idempotency_key,
            );
            #[derive(Deserialize)]
            struct Written {
                id: String,
            }
            let written: Written = session.ask(call).await?.read()?;
            Ok(Pushed {
                external_id: written.id,
            })
        }
        .boxed()
    }

    fn revoke<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<(), ProviderFailure>> {
        async move {
            let call = Call::send(Method::POST, self.address("revoke"), json!({}), "revoke");
            session.ask(call).await.map(drop)
        }
        .boxed()
    }
}

fn method(email: &str) -> NewContactMethod {
    NewContactMethod {
        id: None,
        kind: ContactMethodKind::Email,
        value: email.to_owned(),
        label: None,
        preferred: true,
        opted_out_at: None,
    }
}

async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<Uuid>> {
    let sql = Sql::new("SELECT c.contact_id FROM contacts c WHERE c.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND c.archived_at IS NULL AND c.email_normalized = ")
        .bind(email.to_lowercase())
        .push(" ORDER BY c.contact_id LIMIT 1");
    Ok(tx.column(sql).await?.pop())
}
