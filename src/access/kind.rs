//! The kinds of records that have permissions and row scopes of their own, and how access to all others is judged.

use crate::base::entities::entities;

/// How access to the records of an entity is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// They have an owner: by the permissions of their kind, each with a row scope.
    Scoped(RecordKind),
    /// Nobody owns them: an actor that holds a permission reaches all of them.
    Shared {
        /// The permission that reads them.
        read: &'static str,
        /// The one that changes and deletes them; it needs the other.
        write: &'static str,
    },
}

impl From<RecordKind> for Access {
    fn from(kind: RecordKind) -> Self {
        Self::Scoped(kind)
    }
}

/// The access that an entry of the list of entities names.
macro_rules! access {
    ($kind:ident) => {
        $crate::access::Access::Scoped($crate::access::RecordKind::$kind)
    };
    (($read:literal $write:literal)) => {
        $crate::access::Access::Shared {
            read: $read,
            write: $write,
        }
    };
}
pub(crate) use access;

macro_rules! record_kinds {
    (@kinds $($(#[$doc:meta])* $kind:ident $table:ident;)*) => {
        /// A kind of records that permissions and scopes are given for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum RecordKind { $($kind,)* }

        impl RecordKind {
            /// All of them, in the order in which permissions are listed.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$kind,)*];
            /// How many there are.
            pub const COUNT: usize = [$(stringify!($kind),)*].len();

            /// The word in permissions and settings, for example `companies`; also the name of the table.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => stringify!($table),)* }
            }

            /// Its permissions: to read, to write and to delete.
            pub(super) const fn permissions(self) -> [&'static str; 3] {
                match self {
                    $(Self::$kind => [
                        concat!(stringify!($table), ":read"),
                        concat!(stringify!($table), ":write"),
                        concat!(stringify!($table), ":delete"),
                    ],)*
                }
            }
        }
    };
    (
        targets { $(
            $(#[$target_doc:meta])*
            $target:ident $target_id:ident $target_prefix:literal $target_table:ident.$target_column:ident
                $target_layer:ident::$target_domain:ident $target_kind:ident $target_children:tt $target_itself:tt;
        )* }
        owned { $(
            $(#[$doc:meta])*
            $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $kind:ident
                $children:tt $itself:tt;
        )* }
        $($others:tt)*
    ) => {
        record_kinds! { @kinds $($target_kind $target_table;)* $($kind $table;)* }
    };
}
entities!(record_kinds);

impl RecordKind {
    /// The place among all of them.
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}
