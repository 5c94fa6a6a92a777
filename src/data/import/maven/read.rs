//! From files to rows of text, within bounds: the files may be anything.

use std::{borrow::Cow, fs, io::Read as _, path::Path};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use serde::de::DeserializeOwned;

use super::{super::ImportError, Notes};

const MAX_FILE_MB: u64 = 64;
const MAX_ROWS: usize = 1_000_000;
/// What is put together from two fields, such as a deal's name, still fits a line of the product.
const MAX_FIELD_CHARS: usize = 120;

/// The four files, as bytes.
#[derive(Debug)]
pub struct Files {
    pub(super) accounts: Cow<'static, [u8]>,
    pub(super) products: Cow<'static, [u8]>,
    pub(super) agents: Cow<'static, [u8]>,
    pub(super) deals: Cow<'static, [u8]>,
}

/// A row as it stands in its file.
pub(super) trait RawRow: DeserializeOwned {
    /// The file.
    const FILE: &'static str;
    /// The columns it must have; further ones are ignored.
    const COLUMNS: &'static [&'static str];
}

impl Files {
    /// Reads the four files of a folder.
    ///
    /// # Errors
    /// A file that can't be read, is no regular file or is larger than 64 MB.
    pub fn open(folder: &Path) -> Result<Self, ImportError> {
        Ok(Self {
            accounts: open(folder, "accounts.csv")?,
            products: open(folder, "products.csv")?,
            agents: open(folder, "sales_teams.csv")?,
            deals: open(folder, "sales_pipeline.csv")?,
        })
    }

    /// The files that the program carries for its demo.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            accounts: Cow::Borrowed(include_bytes!("../../../../data/maven/accounts.csv")),
            products: Cow::Borrowed(include_bytes!("../../../../data/maven/products.csv")),
            agents: Cow::Borrowed(include_bytes!("../../../../data/maven/sales_teams.csv")),
            deals: Cow::Borrowed(include_bytes!("../../../../data/maven/sales_pipeline.csv")),
        }
    }
}

fn open(folder: &Path, file: &'static str) -> Result<Cow<'static, [u8]>, ImportError> {
    let path = folder.join(file);
    let read = |source| ImportError::Read {
        path: path.clone(),
        source,
    };
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !fs::metadata(&path).map_err(read)?.is_file() {
        return Err(ImportError::NotAFile { path });
    }
    let bound = MAX_FILE_MB << 20;
    let mut bytes = Vec::new();
    let opened = fs::File::open(&path).map_err(read)?;
    // The size is bounded while reading, because a file may grow.
    opened
        .take(bound + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    if bytes.len() as u64 > bound {
        return Err(ImportError::TooLarge {
            file,
            max_mb: MAX_FILE_MB,
        });
    }
    Ok(Cow::Owned(bytes))
}

/// The rows of a file with their line numbers. A row that is none (not UTF-8, too few or too many columns, a field
/// beyond all measure) is refused and left out.
pub(super) fn lines<R: RawRow>(
    bytes: &[u8],
    notes: &mut Notes,
) -> Result<Vec<(u64, R)>, ImportError> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    let header = reader.headers().cloned().unwrap_or_default();
    for column in R::COLUMNS {
        if header.iter().filter(|name| name == column).count() != 1 {
            return Err(ImportError::Header {
                file: R::FILE,
                column,
            });
        }
    }
    let mut rows = Vec::new();
    for (count, record) in reader.records().enumerate() {
        if count == MAX_ROWS {
            return Err(ImportError::TooManyRows {
                file: R::FILE,
                max: MAX_ROWS,
            });
        }
        match record
            .map_err(broken)
            .and_then(|record| Ok((line(&record), parse(&record, &header)?)))
        {
            Ok(row) => rows.push(row),
            Err((line, reason)) => notes.refuse(R::FILE, line, reason),
        }
    }
    Ok(rows)
}

fn parse<R: RawRow>(record: &StringRecord, header: &StringRecord) -> Result<R, (u64, String)> {
    if record
        .iter()
        .any(|field| field.chars().count() > MAX_FIELD_CHARS)
    {
        return Err((
            line(record),
            format!("a field is longer than {MAX_FIELD_CHARS} characters"),
        ));
    }
    if record
        .iter()
        .any(|field| field.chars().any(char::is_control))
    {
        return Err((
            line(record),
            "a field has a line break or another control character".to_owned(),
        ));
    }
    record
        .deserialize(Some(header))
        .map_err(|error| (line(record), error.to_string()))
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn broken(error: csv::Error) -> (u64, String) {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        ErrorKind::Utf8 { .. } => "the row is not UTF-8".to_owned(),
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("the row has {len} columns, the first line has {expected_len}")
        }
        _ => "the row is not CSV".to_owned(),
    };
    (line, reason)
}

#[cfg(test)]
mod tests {
    use super::{super::raw::RawProduct, *};

    fn read(text: &[u8]) -> (usize, Vec<(u64, String)>) {
        let mut notes = Notes::default();
        let rows = lines::<RawProduct>(text, &mut notes).expect("a header");
        (
            rows.len(),
            notes
                .refusals()
                .iter()
                .map(|r| (r.line, r.reason.clone()))
                .collect(),
        )
    }

    #[test]
    fn a_row_that_is_none_is_refused_with_its_line_and_the_others_stay() {
        let long = "x".repeat(MAX_FIELD_CHARS + 1);
        let text =
            format!("product,series,sales_price\na,b,1\na,b\n{long},b,1\na\x1b[2J,b,1\nc,d,2\n");
        let (rows, refused) = read(text.as_bytes());
        assert_eq!(rows, 2);
        assert_eq!(
            refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [3, 4, 5]
        );
        assert!(refused[0].1.contains("2 columns"), "{refused:?}");
        let (rows, refused) = read(b"product,series,sales_price\n\xff,b,1\nc,d,2\n");
        assert_eq!(
            (rows, refused),
            (1, vec![(2, "the row is not UTF-8".to_owned())])
        );
    }

    #[test]
    fn columns_are_found_by_name_and_a_missing_one_is_told() {
        assert_eq!(
            read(b"\xef\xbb\xbfsales_price,product,x,series\r\n1,a,,b\r\n").0,
            1
        );
        let error = lines::<RawProduct>(b"product,series\n", &mut Notes::default())
            .err()
            .expect("no price");
        assert!(error.to_string().contains("sales_price"), "{error}");
        assert!(lines::<RawProduct>(b"", &mut Notes::default()).is_err());
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        assert!(matches!(
            open(Path::new("/"), "tmp"),
            Err(ImportError::NotAFile { .. })
        ));
        assert!(matches!(
            open(Path::new("/nonexistent"), "accounts.csv"),
            Err(ImportError::Read { .. })
        ));
    }
}
