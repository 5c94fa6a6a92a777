//! What the list of entities ([`crate::base::entities`]) says of a record.

use crate::access::Access;

/// A record that the list of entities has.
pub trait Registered {
    /// What it is called in events, in the audit log and in messages, for example `opportunity`.
    const KIND: &'static str;
    /// The table.
    const TABLE: &'static str;
    /// The second column of its primary key; the first is the tenant.
    const ID_COLUMN: &'static str;
    /// How access to it is judged.
    const ACCESS: Access;
}

/// Implements [`Registered`] for entries of the list, in the module that has theirs.
macro_rules! register {
    ($(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )*) => {$(
        impl $crate::db::Registered for $domain::$record {
            const KIND: &'static str = $prefix;
            const TABLE: &'static str = stringify!($table);
            const ID_COLUMN: &'static str = stringify!($column);
            const ACCESS: $crate::access::Access = $crate::access::access!($access);
        }
    )*};
}

pub(crate) use register;
