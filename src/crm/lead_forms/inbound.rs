//! Messages of other services that go to a form: who sent them was verified, so they need no captcha.

use futures_util::future::BoxFuture;

use super::{
    capture,
    model::LeadForm,
    posted::{Format, Posted},
    reading,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::Typed as _,
    },
    db::{Registered as _, Tx, list},
    organization::inbound::{Handled, InboundHandler, Incoming},
};

/// Takes messages as what is posted to a form.
pub struct InboundLeads;

impl InboundHandler for InboundLeads {
    fn handle<'a>(
        &'a self,
        tx: &'a mut Tx,
        message: &'a Incoming,
    ) -> BoxFuture<'a, Result<Handled>> {
        Box::pin(take(tx, message))
    }
}

async fn take(tx: &mut Tx, message: &Incoming) -> Result<Handled> {
    let form: Option<LeadForm> = match message.lead_form {
        Some(id) => list::find(tx, id.uuid()).await?,
        None => None,
    };
    let form = form.ok_or(Error::NotFound {
        kind: LeadForm::KIND,
        field: "leadFormId",
    })?;
    if !form.fields.enabled {
        return Ok(Handled::Ignored);
    }
    let content_type = message.content_type.as_deref().unwrap_or_default();
    let format = match content_type.starts_with("application/x-www-form-urlencoded") {
        true => Format::Form,
        false => Format::Json,
    };
    let posted = Posted::read(format, &message.body)?;
    let mut reading = reading::read(&form.fields, &posted)?;
    reading.page = reading::page(&posted, None, None);
    capture::write(tx, &form, reading, None).await?;
    Ok(Handled::Processed)
}
