//! The demo: two tenants to look around in, loaded once into a development cluster.
//!
//! `maven` holds a real data set (see [`crate::data::import::maven`]) with contacts, leads, activities and next actions
//! invented around it; `globex` is invented as a whole. What is invented comes from dice that are seeded by the id
//! of the record it belongs to, so every demo has the same story; only what is still to be done is dated
//! around the day of loading. All of it is written through the product's verbs.

mod contacts;
mod deals;
mod dice;
mod globex;
mod leads;
mod load;
mod maven;
mod names;
mod people;
mod story;
mod world;

pub use people::{PASSWORD, PEOPLE, Person, people, set_passwords};

use crate::{data::import::ImportError, db::Db, platform::Progress};

/// Loads both demo tenants, unless they are there. One that was loaded before is left alone, so that what was
/// deleted from it stays deleted; loading that was cut off goes on where it stopped.
///
/// # Errors
/// The database, or another tenant that has a demo tenant's slug.
pub async fn load(db: &Db, progress: &Progress) -> Result<(), ImportError> {
    maven::load(db, progress).await?;
    globex::load(db, progress).await?;
    progress.finish();
    Ok(())
}
