//! What writers ask for.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::soak::kind::Kind;

/// The mutation that answers with two records.
pub(crate) const COMPLETE: &str = "opportunityCompleteNextAction";

/// A mutation to be asked for.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) mutation: &'static str,
    pub(crate) of: Option<(Kind, Uuid)>,
    pub(crate) expected: Option<i32>,
    pub(crate) mark: Option<String>,
    pub(crate) input: Json,
}

impl Act {
    /// Something that is done with none of the records that are watched.
    pub(crate) fn aside(mutation: &'static str, input: Json) -> Self {
        Self {
            mutation,
            of: None,
            expected: None,
            mark: None,
            input,
        }
    }

    pub(crate) fn is_creation(&self) -> bool {
        self.of.is_some() && self.mutation.ends_with("Create")
    }

    /// What is to be shown of the payload.
    pub(crate) fn shown(&self) -> &'static str {
        match self.of {
            None => "",
            Some(_) if self.mutation.ends_with("Delete") => "deletedId",
            Some(_) if self.mutation == COMPLETE => {
                "opportunity { version archivedAt } activity { id }"
            }
            Some((Kind::Company, _)) => "company { version archivedAt }",
            Some((Kind::Contact, _)) => "contact { version archivedAt }",
            Some((Kind::Lead, _)) => "lead { version archivedAt }",
            Some((Kind::Opportunity, _)) => "opportunity { version archivedAt }",
            Some((Kind::Activity, _)) => "activity { version archivedAt }",
        }
    }
}

pub(crate) fn named(kind: Kind, verb: &str) -> &'static str {
    let names: [&'static str; 6] = match kind {
        Kind::Company => [
            "companyCreate",
            "companyUpdate",
            "companyArchive",
            "companyRestore",
            "companyDelete",
            "",
        ],
        Kind::Contact => [
            "contactCreate",
            "contactUpdate",
            "contactArchive",
            "contactRestore",
            "contactDelete",
            "",
        ],
        Kind::Lead => [
            "leadCreate",
            "leadUpdate",
            "leadArchive",
            "leadRestore",
            "leadDelete",
            "",
        ],
        Kind::Opportunity => [
            "opportunityCreate",
            "opportunityUpdate",
            "opportunityArchive",
            "opportunityRestore",
            "opportunityDelete",
            "",
        ],
        Kind::Activity => [
            "activityCreate",
            "activityUpdate",
            "activityArchive",
            "activityRestore",
            "activityDelete",
            "activityComplete",
        ],
    };
    let verbs = [
        "Create", "Update", "Archive", "Restore", "Delete", "Complete",
    ];
    let place = verbs.iter().position(|known| *known == verb).unwrap_or(1);
    names[place]
}
