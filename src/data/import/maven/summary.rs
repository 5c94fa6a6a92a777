//! What an import did, as a table for people.

use std::fmt;

use super::{
    super::{Tally, batch::thousands},
    Notes,
};

/// More refusals than this are not listed one by one.
const LISTED_REFUSALS: usize = 20;

/// What an import did, kind by kind, and what it found in the data.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Summary {
    pub people: Tally,
    pub pipelines: Tally,
    pub products: Tally,
    pub companies: Tally,
    pub deals: Tally,
    pub notes: Notes,
}

impl Summary {
    /// Whether everything was there before.
    #[must_use]
    pub fn changed_nothing(&self) -> bool {
        [
            self.people,
            self.pipelines,
            self.products,
            self.companies,
            self.deals,
        ]
        .iter()
        .all(|tally| tally.new == 0)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>12}{:>16}{:>12}",
            "", "new", "already there", "refused"
        )?;
        for (kind, tally, file) in [
            ("members", self.people, "sales_teams.csv"),
            ("pipelines", self.pipelines, ""),
            ("products", self.products, "products.csv"),
            ("companies", self.companies, "accounts.csv"),
            ("opportunities", self.deals, "sales_pipeline.csv"),
        ] {
            let [new, existing, refused] =
                [tally.new, tally.existing, self.notes.refused(file)].map(thousands);
            writeln!(f, "{kind:<16}{new:>12}{existing:>16}{refused:>12}")?;
        }
        if self.changed_nothing() {
            writeln!(f, "\nNothing was new: opportunities {}.", self.deals)?;
        }
        self.notes.fmt(f)
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.repairs().next().is_some() {
            writeln!(f, "\nRepaired")?;
        }
        for (repair, count) in self.repairs() {
            writeln!(
                f,
                "{:>8}  {} {:?} is {:?}",
                thousands(count),
                repair.column,
                repair.from,
                repair.to
            )?;
        }
        if self.remarks().next().is_some() {
            writeln!(f, "\nKept as follows")?;
        }
        for (about, count) in self.remarks() {
            writeln!(f, "{:>8}  {about}", thousands(count))?;
        }
        if self.refused_in_all() > 0 {
            writeln!(f, "\nRefused {} rows", thousands(self.refused_in_all()))?;
        }
        for refusal in self.refusals().iter().take(LISTED_REFUSALS) {
            writeln!(
                f,
                "          {} line {}: {}",
                refusal.file, refusal.line, refusal.reason
            )?;
        }
        if self.refused_in_all() > LISTED_REFUSALS {
            writeln!(
                f,
                "          and {} more",
                thousands(self.refused_in_all() - LISTED_REFUSALS)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_was_new_and_what_was_wrong() {
        let mut notes = Notes::default();
        notes.repair("product", "GTXPro".to_owned());
        notes.remark("opportunities without an account, kept without a company");
        for line in 2..25 {
            notes.refuse(
                "sales_pipeline.csv",
                line,
                "there is no stage \"Dreaming\"".to_owned(),
            );
        }
        let deals = Tally {
            new: 8_777,
            existing: 0,
        };
        let (people, pipelines, products, companies) = Default::default();
        let text = Summary {
            people,
            pipelines,
            products,
            companies,
            deals,
            notes,
        }
        .to_string();
        assert!(
            text.contains("opportunities          8,777               0          23\n"),
            "{text}"
        );
        assert!(
            text.contains("       1  product \"GTXPro\" is \"GTX Pro\"\n"),
            "{text}"
        );
        assert!(
            text.contains("sales_pipeline.csv line 2: there is no stage \"Dreaming\"\n"),
            "{text}"
        );
        assert!(
            text.ends_with("and 3 more\n") && !text.contains("Nothing was new"),
            "{text}"
        );
    }

    #[test]
    fn a_second_run_says_that_nothing_was_new() {
        let there = |existing| Tally { new: 0, existing };
        let summary = Summary {
            people: there(41),
            pipelines: there(1),
            products: there(7),
            companies: there(85),
            deals: there(8_800),
            notes: Notes::default(),
        };
        assert!(
            summary.to_string().contains("0 new, 8,800 already there"),
            "{summary}"
        );
    }
}
