//! A request as a form in a page posts it.

use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use url::{Url, form_urlencoded};

use super::OutboundRequest;

impl OutboundRequest {
    /// Posts these fields.
    #[must_use]
    pub fn form(
        address: Url,
        fields: &[(&str, &str)],
        deadline: Duration,
        most_bytes: usize,
    ) -> Self {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self {
            method: Method::POST,
            address,
            headers: vec![(header::CONTENT_TYPE, form)],
            body: body.finish().into(),
            deadline,
            most_bytes,
        }
    }
}
