//! Members: the people of a tenant, with their role and team. Read here; managed by tenant admins elsewhere.

mod graphql;
mod model;
pub mod provision;

pub(crate) use graphql::USUAL_ORDER;
pub use graphql::{ChangeAuthor, MemberQuery, MembershipFilter, MembershipOrder, User};
pub use model::{Member, MemberOrderField, MembershipStatus, Team};
