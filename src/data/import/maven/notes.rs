//! What was found in the data that is not as it should be, as values: repaired, kept with a remark, or refused.

use std::collections::BTreeMap;

/// More refusals than this are counted only.
const MAX_KEPT_REFUSALS: usize = 1_000;

/// What was repaired, remarked and refused.
#[derive(Debug, Default)]
pub struct Notes {
    repairs: BTreeMap<Repair, usize>,
    remarks: BTreeMap<&'static str, usize>,
    refusals: Vec<Refusal>,
    refused: BTreeMap<&'static str, usize>,
}

/// A misspelling with its correction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Repair {
    pub column: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Refusal {
    pub file: &'static str,
    pub line: u64,
    pub reason: String,
}

/// The misspellings that are known of this data set.
const REPAIRS: [Repair; 3] = [
    Repair {
        column: "product",
        from: "GTXPro",
        to: "GTX Pro",
    },
    Repair {
        column: "sector",
        from: "technolgy",
        to: "technology",
    },
    Repair {
        column: "office_location",
        from: "Philipines",
        to: "Philippines",
    },
];

impl Notes {
    /// The text with its spelling corrected, if it is a known misspelling in this column.
    pub(super) fn repair(&mut self, column: &'static str, text: String) -> String {
        let Some(repair) = REPAIRS
            .iter()
            .find(|repair| repair.column == column && repair.from == text)
        else {
            return text;
        };
        *self.repairs.entry(repair.clone()).or_default() += 1;
        repair.to.to_owned()
    }

    /// Counts a row that is kept although something about it is worth knowing.
    pub(super) fn remark(&mut self, about: &'static str) {
        *self.remarks.entry(about).or_default() += 1;
    }

    /// Leaves a row out.
    pub(super) fn refuse(&mut self, file: &'static str, line: u64, reason: String) {
        *self.refused.entry(file).or_default() += 1;
        if self.refusals.len() < MAX_KEPT_REFUSALS {
            self.refusals.push(Refusal { file, line, reason });
        }
    }

    /// Puts the refusals in the order of the files' lines.
    pub(super) fn sort(&mut self) {
        self.refusals
            .sort_by_key(|refusal| (refusal.file, refusal.line));
    }

    /// What was repaired, and how often.
    pub fn repairs(&self) -> impl Iterator<Item = (&Repair, usize)> {
        self.repairs.iter().map(|(repair, count)| (repair, *count))
    }

    /// What is remarked, and how often.
    pub fn remarks(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.remarks.iter().map(|(about, count)| (*about, *count))
    }

    /// The rows that were left out, the first thousand of them.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// How many rows of a file were left out.
    #[must_use]
    pub fn refused(&self, file: &str) -> usize {
        self.refused.get(file).copied().unwrap_or(0)
    }

    /// How many rows of all files were left out.
    #[must_use]
    pub fn refused_in_all(&self) -> usize {
        self.refused.values().sum()
    }
}
