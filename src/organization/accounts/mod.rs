//! People as identities beyond tenants: how they register, sign in, stay signed in and prove who they are.
//!
//! No answer discloses who has an account: an unknown address and a wrong password, a known and a new address take the
//! same path and the same time. What depends on the difference happens in the background, as mail or in the audit log.

mod alarm;
mod graphql;
pub mod hasher;
mod letters;
mod model;
pub mod one_time;
pub mod operator;
pub mod pages;
pub mod password;
pub mod profile;
pub mod refresh;
pub mod register;
mod rules;
mod service;
pub mod sessions;
mod sign_in;
mod slug;
mod store;
mod sweep;
pub mod switch;
pub mod trail;
pub mod verify;

pub(crate) use alarm::attempt as attempt_password;
pub use graphql::{AccountMutation, AccountQuery, AccountsExt, Session, SignInPayload};
pub use hasher::{HashCost, Hasher};
pub use model::{Entering, JoinedTenant, SecondFactorStep, SignedIn, TenantChoice};
pub(crate) use rules::check as check_password;
pub use service::{Accounts, Attempt, Furnish, Settings, Setup};
pub use sign_in::{Credentials, enter, sign_in};
