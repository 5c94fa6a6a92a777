//! How sensitive a value is: declared once, on the field of the record that has it.

use super::{Rights, Sensitive};

/// Who a value may be shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    /// Every reader of the record.
    Plain,
    /// An amount of money.
    Amounts,
    /// An e-mail address.
    Emails,
    /// A phone number.
    Phones,
    /// Contact methods, addresses and numbers, each in an object's `value`.
    Ways,
    /// Every reader of the record; the audit log, which outlives it, keeps only so much that a reader who knows the value
    /// recognises it.
    Personal,
    /// No reader: it is a credential.
    Secret,
}

impl Sensitivity {
    /// What a role may keep back that this is.
    #[must_use]
    pub const fn kinds(self) -> &'static [Sensitive] {
        match self {
            Self::Plain | Self::Personal | Self::Secret => &[],
            Self::Amounts => &[Sensitive::Amounts],
            Self::Emails => &[Sensitive::Emails],
            Self::Phones => &[Sensitive::Phones],
            Self::Ways => &[Sensitive::Emails, Sensitive::Phones],
        }
    }

    /// Whether it is shown to a reader of the record who has these rights.
    #[must_use]
    pub fn is_shown(self, rights: &Rights) -> bool {
        let shown = self.kinds().iter().all(|what| rights.shows(*what));
        shown && self != Self::Secret
    }
}
