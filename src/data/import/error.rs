//! Why an import stops. What is wrong with single rows does not stop it: those are refused and reported at the end.

use std::path::PathBuf;

use crate::base::error::Error;

/// Why an import could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something with a file's name that is none, such as a folder or a pipe.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A file is larger than an import takes.
    #[error("{file} is larger than {max_mb} MB, split it")]
    TooLarge {
        /// Which file.
        file: &'static str,
        /// The bound.
        max_mb: u64,
    },
    /// A file has more rows than an import takes.
    #[error("{file} has more than {max} rows, split it")]
    TooManyRows {
        /// Which file.
        file: &'static str,
        /// The bound.
        max: usize,
    },
    /// The first line of a file does not name the columns.
    #[error("the first line of {file} must name the columns, and {column} once among them")]
    Header {
        /// Which file.
        file: &'static str,
        /// The column that is missing or there twice.
        column: &'static str,
    },
    /// There is no such tenant, or nobody to import for.
    #[error("there is no tenant {0:?} with an active member of role ADMIN to import for")]
    NoAdmin(String),
    /// The tenant has a pipeline of its own by the import's name.
    #[error("the tenant has another pipeline named {0:?} already, rename that one first")]
    PipelineTaken(String),
    /// The product refused a record, or the database does not answer.
    #[error("{kind} could not be created: {source}")]
    Refused {
        /// The kind of the records.
        kind: &'static str,
        /// Why.
        source: Error,
    },
    /// The database.
    #[error("{0}")]
    Product(#[from] Error),
}
