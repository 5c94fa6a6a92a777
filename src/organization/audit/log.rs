//! The log as it is read: an entry, and what lists of them can be sorted by.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    access::{Access, Rights, Scope, Sensitivity, access},
    base::{
        entities::entities,
        ids::{AuditEntryId, ContactMethodId, Typed as _},
    },
    db::{Part, Registered, journal::is_circumstance, list::Record, sensitivity},
    entity::{FieldDiff, shown_to},
    organization::members::Member,
};

/// An entry of the audit log.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct AuditEntry {
    #[sqlx(rename = "audit_id")]
    pub(crate) id: AuditEntryId,
    pub(crate) seq: i64,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) entity: Option<String>,
    pub(crate) entity_id: Option<Uuid>,
    pub(crate) changes: String,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: String,
}

/// Whose values of an entry a reader may see, whatever is masked in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryVisibility {
    /// Of every reader of the log.
    All,
    /// Of records that the reader sees now.
    Seen,
    /// Of no reader.
    None,
}

macro_rules! read_by {
    ($($section:ident { $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )* })*) => {
        /// Kinds of records that an entry can be about, with the access to them. What is none (sessions, the tenant itself)
        /// is shown to every reader of the log.
        const READ_BY: &[(&str, Access)] = &[
            $($( ($prefix, access!($access)), )*)*
            (Member::KIND, Member::ACCESS),
            (ContactMethodId::PREFIX, access!(Contacts)),
        ];
    };
}
entities!(read_by);

impl AuditEntry {
    /// Whose values a reader with these rights may see: the log shows of each kind what its reader could read there.
    pub(crate) fn reach(&self, rights: &Rights) -> EntryVisibility {
        // What was tried has circumstances, and no values of the record.
        if self.action.starts_with("access.") {
            return EntryVisibility::All;
        }
        let entity = self.entity.as_deref().unwrap_or_default();
        let read_by = READ_BY.iter().find(|(kind, _)| *kind == entity);
        let Some((_, access)) = read_by else {
            return EntryVisibility::All;
        };
        match rights.sees(*access) {
            Scope::All => EntryVisibility::All,
            Scope::Team | Scope::Own => EntryVisibility::Seen,
            Scope::None => EntryVisibility::None,
        }
    }

    /// The same fields without any value.
    pub(crate) fn changes_hidden(&self, rights: &Rights) -> Vec<FieldDiff> {
        let mut changes = self.changes_for(rights, None);
        for change in &mut changes {
            (change.before, change.after, change.masked) = (Json::Null, Json::Null, true);
        }
        changes
    }

    /// The fields that changed, without the values that the reader's masks hide by what records of the kind declare.
    /// What is no record (a session, the account) has nothing that a role could mask.
    pub(crate) fn changes_for(
        &self,
        rights: &Rights,
        parts: Option<&'static [Part]>,
    ) -> Vec<FieldDiff> {
        let declared = |name: &str| match parts {
            Some(parts) => sensitivity(parts, name)
                .or_else(|| is_circumstance(name).then_some(Sensitivity::Plain)),
            None => Some(Sensitivity::Plain),
        };
        let fields: Map<String, Json> = serde_json::from_str(&self.changes).unwrap_or_default();
        let side = |sides: &Json, n: usize| sides.get(n).cloned().unwrap_or(Json::Null);
        let fields = fields
            .iter()
            .map(|(name, sides)| (name.as_str(), side(sides, 0), side(sides, 1)));
        shown_to(rights, declared, fields).collect()
    }

    /// What the entry is about, by the prefix of its kind's ids.
    pub(crate) fn subject(&self) -> Option<String> {
        let (entity, id) = (self.entity.as_deref()?, self.entity_id?);
        // A member is known by the person.
        let prefix = if entity == "member" { "user" } else { entity };
        Some(format!("{prefix}:{}", id.hyphenated()))
    }
}

/// What the log can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = AuditEntry)]
pub enum AuditOrderField {
    /// As it was written: entries are numbered without gaps.
    #[order(int = self.seq)]
    Seq,
    /// When it happened.
    #[order(time = self.occurred_at)]
    OccurredAt,
}

impl Registered for AuditEntry {
    const KIND: &'static str = "auditEntry";
    const TABLE: &'static str = "audit_log";
    const ID_COLUMN: &'static str = "audit_id";
    const ACCESS: Access = Access::Shared {
        read: "audit:read",
        write: "audit:read",
    };
}

impl Record for AuditEntry {
    const ARCHIVES: bool = false;
    type Order = AuditOrderField;

    fn key(&self) -> Uuid {
        crate::base::ids::Typed::uuid(self.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::Sensitive;

    fn entry(changes: Json) -> AuditEntry {
        AuditEntry {
            id: AuditEntryId::new(),
            seq: 1,
            occurred_at: DateTime::UNIX_EPOCH,
            actor: "user:1".to_owned(),
            action: "lead.updated".to_owned(),
            entity: Some("member".to_owned()),
            entity_id: Some(Uuid::nil()),
            changes: changes.to_string(),
            address: None,
            user_agent: None,
            request_id: "r".to_owned(),
        }
    }

    const PARTS: &[Part] = &[
        Part::Told("estimated_amount_minor", Sensitivity::Amounts),
        Part::Told("email", Sensitivity::Emails),
        Part::Told("phone", Sensitivity::Phones),
        Part::Told("contact_methods", Sensitivity::Ways),
        Part::Told("owner_id", Sensitivity::Plain),
    ];

    fn shown(masks: &[Sensitive]) -> Vec<(String, Json)> {
        let entry = entry(json!({
            "estimated_amount_minor": [1, 2], "email": ["a•••@b.example", null], "phone": [null, "•••78"], "reason": [null, "left"], "unheard_of": [1, 2],
            "contact_methods": [null, [{ "opted_out_at": null }]], "owner_id": ["user:1", "user:2"],
        }));
        let rights = Rights::parse(&[], masks).expect("a role without permissions");
        let changes = entry.changes_for(&rights, Some(PARTS));
        changes
            .into_iter()
            .map(|change| {
                (
                    change.field,
                    json!([change.before, change.after, change.masked]),
                )
            })
            .collect()
    }

    #[test]
    fn what_a_role_masks_is_not_read_from_the_log() {
        let all = shown(&[]);
        assert_eq!(
            json!(all),
            json!([
                ["contactMethods", [null, [{ "optedOutAt": null }], false]],
                ["email", ["a•••@b.example", null, false]],
                ["estimatedAmountMinor", [1, 2, false]],
                ["ownerId", ["user:1", "user:2", false]],
                ["phone", [null, "•••78", false]],
                ["reason", [null, "left", false]],
                ["unheardOf", [null, null, true]],
            ])
        );
        let hidden = |mask| -> Vec<String> {
            let changes = shown(&[mask]).into_iter();
            let masked = changes.filter(|(_, sides)| *sides == json!([null, null, true]));
            masked.map(|(field, _)| field).collect()
        };
        assert_eq!(
            hidden(Sensitive::Amounts),
            ["estimatedAmountMinor", "unheardOf"]
        );
        assert_eq!(
            hidden(Sensitive::Emails),
            ["contactMethods", "email", "unheardOf"]
        );
        assert_eq!(
            hidden(Sensitive::Phones),
            ["contactMethods", "phone", "unheardOf"]
        );
    }

    #[test]
    fn a_member_is_named_by_the_person() {
        let subject = entry(json!({})).subject();
        assert_eq!(
            subject.as_deref(),
            Some("user:00000000-0000-0000-0000-000000000000")
        );
    }
}
