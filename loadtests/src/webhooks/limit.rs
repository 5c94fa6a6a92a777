//! What it takes at the least: the same bytes, posted by a client that does nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Client, header::CONTENT_TYPE};
use tokio::{task::JoinSet, time::Instant};

use super::{
    AT_ONCE,
    stage::{ENDPOINTS, EVENTS, Stage},
};
use crate::Outcome;

/// How long all of them take, with as many under way as the server has.
pub(super) async fn run(stage: &Stage<'_>, bodies: Vec<Bytes>) -> Outcome<Duration> {
    let client = Client::builder().no_proxy().build()?;
    let mut posting = JoinSet::new();
    let began = Instant::now();
    for (url, body) in stage.urls().zip(bodies) {
        let left = Arc::new(AtomicUsize::new(EVENTS / ENDPOINTS));
        for _ in 0..AT_ONCE {
            let (client, url, body) = (client.clone(), url.to_owned(), body.clone());
            let left = Arc::clone(&left);
            let one_less = |left: usize| left.checked_sub(1);
            posting.spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                    .is_ok()
                {
                    let post = client.post(&url).header(CONTENT_TYPE, "application/json");
                    post.body(body.clone()).send().await?.error_for_status()?;
                }
                Ok::<_, reqwest::Error>(())
            });
        }
    }
    while let Some(posted) = posting.join_next().await {
        posted??;
    }
    Ok(began.elapsed())
}
