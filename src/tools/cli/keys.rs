//! Changing the keys that access tokens are signed with.

use std::path::PathBuf;

use crate::{
    base::clock::Clock,
    db::{Db, journal::Hints},
    organization::auth::keys::{self, KeyState},
    tools::{
        config::{Config, Purpose},
        dev,
    },
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{
    Outcome,
    arguments::KeyChange,
    databases::{logins, pool},
    print,
    serve::{token_settings, vault},
};

pub(crate) async fn change(change: KeyChange, data_dir: Option<PathBuf>) -> Outcome {
    let (db, vault, tokens_last) = match data_dir {
        Some(data_dir) => (
            dev::connect(&data_dir, Hints::default())?,
            dev::vault(&data_dir)?,
            dev::token_settings().options.lifetime,
        ),
        None => {
            let config = Config::from_env(Purpose::Keys)?;
            (
                Db::open(
                    logins(&config)?,
                    &pool(&config),
                    Clock::system(),
                    Hints::default(),
                ),
                vault(&config)?,
                token_settings(&config)?.options.lifetime,
            )
        }
    };
    match change {
        KeyChange::List => print(&described(&keys::list(&db).await?)),
        KeyChange::Rotate { overlap_s } => {
            let overlap = TimeDelta::seconds(overlap_s.into());
            let kid = keys::rotate(&db, &vault, overlap, tokens_last).await?;
            println!(
                "{kid} signs in {overlap_s} s; the keys of before check until their last token has ended"
            );
        }
        KeyChange::Retire { kid } => match keys::retire(&db, &vault, &kid).await? {
            Some(new) => println!("{kid} is good for nothing any more; {new} signs now"),
            None => println!("{kid} is good for nothing any more"),
        },
    }
    db.close().await;
    Ok(())
}

pub(crate) fn described(keys: &[keys::KnownKey]) -> String {
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let lines = keys.iter().map(|key| {
        let state = match key.state {
            KeyState::Next => "next",
            KeyState::Signing => "signs",
            KeyState::Checking => "checks",
            KeyState::Ended => "ended",
        };
        let until = key.checks_until.map_or_else(|| "-".to_owned(), at);
        format!(
            "{:<34} {state:<7} {:<21} {until}\n",
            key.kid,
            at(key.signs_from)
        )
    });
    let head = format!(
        "{:<34} {:<7} {:<21} {}\n",
        "kid", "state", "signs from", "checks until"
    );
    head + &lines.collect::<String>()
}
