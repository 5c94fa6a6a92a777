//! The rows as they stand in their files, and what each must look like to make sense.

use serde::Deserialize;

use super::{
    Account, Agent, Deal, DealState, Notes, Product,
    crew::mailbox,
    fields::{date, minor, optional_date, whole},
    read::RawRow,
    rows::Known,
};
use crate::base::text::normalize;

/// The product of a deal becomes its tag.
const MAX_TAG_CHARS: usize = 60;
/// Leaves room for the domain in an address of 254.
const MAX_MAILBOX_BYTES: usize = 160;

#[derive(Deserialize)]
pub(super) struct RawAccount {
    account: String,
    sector: String,
    year_established: String,
    revenue: String,
    employees: String,
    office_location: String,
    subsidiary_of: String,
}

#[derive(Deserialize)]
pub(super) struct RawAgent {
    sales_agent: String,
    manager: String,
    regional_office: String,
}

#[derive(Deserialize)]
pub(super) struct RawProduct {
    product: String,
    sales_price: String,
}

#[derive(Deserialize)]
pub(super) struct RawDeal {
    opportunity_id: String,
    sales_agent: String,
    product: String,
    account: String,
    deal_stage: String,
    engage_date: String,
    close_date: String,
    close_value: String,
}

impl RawRow for RawAccount {
    const FILE: &'static str = "accounts.csv";
    const COLUMNS: &'static [&'static str] = &[
        "account",
        "sector",
        "year_established",
        "revenue",
        "employees",
        "office_location",
        "subsidiary_of",
    ];
}

impl RawRow for RawAgent {
    const FILE: &'static str = "sales_teams.csv";
    const COLUMNS: &'static [&'static str] = &["sales_agent", "manager", "regional_office"];
}

impl RawRow for RawProduct {
    const FILE: &'static str = "products.csv";
    const COLUMNS: &'static [&'static str] = &["product", "sales_price"];
}

impl RawRow for RawDeal {
    const FILE: &'static str = "sales_pipeline.csv";
    const COLUMNS: &'static [&'static str] = &[
        "opportunity_id",
        "sales_agent",
        "product",
        "account",
        "deal_stage",
        "engage_date",
        "close_date",
        "close_value",
    ];
}

impl RawAccount {
    pub(super) fn typed(self, notes: &mut Notes) -> Result<(String, Account), String> {
        let account = Account {
            name: required("account", self.account)?,
            founded: whole("year_established", &self.year_established, 1000..=2200)?
                .map(|year| year as i16),
            // The file counts in millions of dollars: six decimals more than dollars have, and two for the cents.
            revenue_minor: match self.revenue.as_str() {
                "" => None,
                revenue => Some(minor("revenue", revenue, 8)?),
            },
            employees: whole("employees", &self.employees, 0..=i32::MAX)?,
            sector: notes.repair("sector", self.sector),
            country: notes.repair("office_location", self.office_location),
            parent: Some(self.subsidiary_of).filter(|parent| !parent.is_empty()),
        };
        Ok((account.name.clone(), account))
    }
}

impl RawAgent {
    pub(super) fn typed(self) -> Result<(String, Agent), String> {
        let agent = Agent {
            name: person("sales_agent", self.sales_agent)?,
            manager: person("manager", self.manager)?,
            office: required("regional_office", self.regional_office)?,
        };
        Ok((agent.name.clone(), agent))
    }
}

impl RawProduct {
    pub(super) fn typed(self) -> Result<(String, Product), String> {
        let price_minor = minor("sales_price", &self.sales_price, 2)?;
        let product = Product {
            name: tag("product", self.product)?,
            price_minor,
        };
        Ok((product.name.clone(), product))
    }
}

impl RawDeal {
    pub(super) fn typed(
        self,
        known: &Known<'_>,
        notes: &mut Notes,
    ) -> Result<(String, Deal), String> {
        let state = self.state()?;
        let product = notes.repair("product", self.product);
        let Some(&product) = known.products.get(&normalize(&product)) else {
            return Err(format!("there is no product {product:?} in products.csv"));
        };
        let Some(agent) = known.agents.get(&normalize(&self.sales_agent)) else {
            return Err(format!(
                "there is no sales agent {:?} in sales_teams.csv",
                self.sales_agent
            ));
        };
        let account = match self.account.as_str() {
            "" => None,
            name => match known.accounts.get(&normalize(name)) {
                Some(account) => Some(account.name.clone()),
                None => return Err(format!("there is no account {name:?} in accounts.csv")),
            },
        };
        let key = required("opportunity_id", self.opportunity_id)?;
        let deal = Deal {
            key: key.clone(),
            agent: agent.name.clone(),
            product: product.clone(),
            account,
            state,
        };
        Ok((key, deal))
    }

    fn state(&self) -> Result<DealState, String> {
        let engaged = optional_date("engage_date", &self.engage_date)?;
        if matches!(self.deal_stage.as_str(), "Prospecting" | "Engaging")
            && !self.close_date.is_empty()
        {
            return Err(format!(
                "a deal in stage {} has a close_date",
                self.deal_stage
            ));
        }
        let engaged = || {
            engaged.ok_or_else(|| format!("a deal in stage {} has no engage_date", self.deal_stage))
        };
        let closed = || {
            let (engaged, closed) = (engaged()?, date("close_date", &self.close_date)?);
            match closed < engaged {
                true => Err(format!(
                    "close_date {closed} is before engage_date {engaged}"
                )),
                false => Ok((engaged, closed)),
            }
        };
        Ok(match self.deal_stage.as_str() {
            "Prospecting" => DealState::Prospecting,
            "Engaging" => DealState::Engaging {
                engaged: engaged()?,
            },
            "Won" => {
                let (engaged, closed) = closed()?;
                DealState::Won {
                    engaged,
                    closed,
                    value_minor: minor("close_value", &self.close_value, 2)?,
                }
            }
            "Lost" => {
                let (engaged, closed) = closed()?;
                DealState::Lost { engaged, closed }
            }
            other => return Err(format!("there is no stage {other:?}")),
        })
    }
}

fn required(column: &str, text: String) -> Result<String, String> {
    if text.trim().is_empty() {
        Err(format!("{column} is empty"))
    } else {
        Ok(text)
    }
}

/// A name that an e-mail address can be made of.
fn person(column: &str, name: String) -> Result<String, String> {
    match mailbox(&name).len() {
        1..=MAX_MAILBOX_BYTES => Ok(name),
        _ => Err(format!("{column} {name:?} is not a name")),
    }
}

/// A name that fits a tag.
fn tag(column: &str, name: String) -> Result<String, String> {
    match name.chars().count() {
        0..=MAX_TAG_CHARS => required(column, name),
        _ => Err(format!(
            "{column} is longer than {MAX_TAG_CHARS} characters"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Files, Rows};

    const HEADER: &str = "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n";

    fn rows(deals: &str) -> Rows {
        let deals = format!("{HEADER}{deals}").into_bytes();
        Rows::read(&Files {
            deals: deals.into(),
            ..Files::embedded()
        })
        .expect("the columns are there")
    }

    #[test]
    fn a_row_that_makes_no_sense_is_refused_with_its_line_and_a_reason() {
        for (row, reason) in [
            (
                "A,Nobody,GTX Pro,Isdom,Prospecting,,,",
                "sales agent \"Nobody\"",
            ),
            (
                "A,Zane Levy,GTX 9,Isdom,Prospecting,,,",
                "product \"GTX 9\"",
            ),
            (
                "A,Zane Levy,GTX Pro,Nowhere,Prospecting,,,",
                "account \"Nowhere\"",
            ),
            (
                "A,Zane Levy,GTX Pro,Isdom,Dreaming,,,",
                "stage \"Dreaming\"",
            ),
            ("A,Zane Levy,GTX Pro,Isdom,Engaging,,,", "no engage_date"),
            (
                "A,Zane Levy,GTX Pro,Isdom,Engaging,2017-01-01,2017-02-01,",
                "has a close_date",
            ),
            (
                "A,Zane Levy,GTX Pro,Isdom,Won,2017-02-30,2017-03-01,5",
                "engage_date \"2017-02-30\"",
            ),
            (
                "A,Zane Levy,GTX Pro,Isdom,Won,2017-02-02,2017-02-01,5",
                "before engage_date",
            ),
            (
                "A,Zane Levy,GTX Pro,Isdom,Won,2017-02-02,2017-03-01,many",
                "close_value \"many\"",
            ),
            (
                "A,Zane Levy,GTX Pro,Isdom,Won,2017-02-02,2017-03-01,-5",
                "close_value \"-5\"",
            ),
            (
                ",Zane Levy,GTX Pro,Isdom,Prospecting,,,",
                "opportunity_id is empty",
            ),
        ] {
            let rows = rows(&format!("{row}\nB,Zane Levy,GTXPro,,Prospecting,,,\n"));
            let [refusal] = rows.notes.refusals() else {
                panic!("{row}: {:?}", rows.notes)
            };
            assert_eq!(
                (refusal.file, refusal.line, rows.deals.len()),
                ("sales_pipeline.csv", 2, 1),
                "{row}"
            );
            assert!(refusal.reason.contains(reason), "{}", refusal.reason);
        }
    }

    #[test]
    fn the_second_of_two_equal_keys_is_refused() {
        let rows =
            rows("A,Zane Levy,MG Special,,Prospecting,,,\na,Zane Levy,GTX Pro,,Prospecting,,,\n");
        assert_eq!(rows.deals.len(), 1);
        assert_eq!(
            rows.notes.refusals()[0].reason,
            "\"a\" is in line 2 already"
        );
    }

    #[test]
    fn the_data_set_is_read_whole_and_its_misspellings_are_repaired() {
        let rows = Rows::read(&Files::embedded()).expect("the data set");
        assert_eq!(rows.notes.refused_in_all(), 0);
        assert_eq!(
            (
                rows.accounts.len(),
                rows.agents.len(),
                rows.products.len(),
                rows.deals.len()
            ),
            (85, 35, 7, 8_800)
        );
        assert_eq!(
            rows.deals
                .iter()
                .filter(|deal| deal.account.is_none())
                .count(),
            1_425
        );
        let repairs: Vec<_> = rows
            .notes
            .repairs()
            .map(|(repair, count)| (repair.to, count))
            .collect();
        assert_eq!(
            repairs,
            [("Philippines", 1), ("GTX Pro", 1_480), ("technology", 12)]
        );
        assert!(
            rows.accounts
                .iter()
                .any(|account| account.revenue_minor == Some(110_004_000_000))
        );
    }

    #[test]
    fn loops_of_parents_are_opened_and_unknown_parents_dropped() {
        let accounts = "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n\
                        a,x,,,,,b\nb,x,,,,,a\nc,x,,,,,b\nd,x,,,,,nobody\ne,x,,,,,e\n";
        let files = Files {
            accounts: accounts.as_bytes().into(),
            ..Files::embedded()
        };
        let rows = Rows::read(&files).expect("the columns are there");
        let parents: Vec<_> = rows
            .accounts
            .iter()
            .map(|account| account.parent.as_deref())
            .collect();
        assert_eq!(parents, [Some("b"), None, Some("b"), None, None]);
    }
}
