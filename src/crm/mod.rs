//! The business: companies, contacts, leads, pipelines, opportunities and activities.

pub mod activities;
pub mod companies;
pub mod contacts;
pub mod leads;
pub mod opportunities;
pub mod pipelines;
pub mod presence;
