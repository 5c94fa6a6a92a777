//! Lead capture: forms on any page, and programs, by which strangers become leads.
//!
//! # What holds
//! - What is posted is untrusted, and the key of a form is public: it is in the page. So a form can do one thing, which is to
//!   make a lead or to add to one that is open; the server does it with the permissions that this takes and no others.
//! - A lead comes about and changes by the rules of [`crate::crm::leads`], as through the API.
//! - What is known already of a lead is not overwritten: whoever knows an address could do that.
//! - The answer doesn't tell whether there was a lead with the address, nor that a program was recognised by the honeypot.
//! - What became of each submission, and what its sender agreed to, is kept in the transaction that writes the lead.

mod captcha;
mod capture;
mod filter;
mod forget;
mod form;
mod graphql;
mod inbound;
mod key;
mod model;
mod mutation;
mod posted;
mod reading;
mod store;
mod submission;

pub use captcha::Captcha;
pub use capture::{Capture, Captured, FormView, NotCaptured, Post};
pub use filter::{LeadFormFilter, LeadFormSubmissionFilter};
pub use forget::ForgetSubmissionsHandler;
pub use form::{create, update};
pub use graphql::LeadFormQuery;
pub use inbound::InboundLeads;
pub use key::FormKey;
pub use model::{
    FieldMapping, LeadForm, LeadFormDuplicates, LeadFormFields, LeadFormOrderField, LeadFormTarget,
};
pub use mutation::LeadFormMutation;
pub use posted::{Format, POST_BYTES, Posted};
pub use submission::{LeadFormSubmission, LeadFormSubmissionOrderField, SubmissionOutcome};
