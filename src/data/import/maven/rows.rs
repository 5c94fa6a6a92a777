//! From rows of text to rows that make sense together: typed, without doubles, and referring to what exists.

use std::collections::{HashMap, hash_map::Entry};

use chrono::NaiveDate;

use super::{
    super::ImportError,
    Files, Notes,
    raw::{RawAccount, RawAgent, RawDeal, RawProduct},
    read::{RawRow, lines},
};
use crate::base::text::normalize;

/// All sound rows of the four files.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Rows {
    pub accounts: Vec<Account>,
    pub agents: Vec<Agent>,
    pub products: Vec<Product>,
    pub deals: Vec<Deal>,
    pub notes: Notes,
}

/// A company.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Account {
    pub name: String,
    pub sector: String,
    pub founded: Option<i16>,
    /// Cents of a US dollar.
    pub revenue_minor: Option<i64>,
    pub employees: Option<i32>,
    pub country: String,
    /// Another account's name, if there is such an account.
    pub parent: Option<String>,
}

/// A sales agent.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Agent {
    pub name: String,
    pub manager: String,
    pub office: String,
}

/// A product.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Product {
    pub name: String,
    /// The list price in cents of a US dollar.
    pub price_minor: i64,
}

/// An opportunity.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Deal {
    pub key: String,
    pub agent: String,
    pub product: Product,
    pub account: Option<String>,
    pub state: DealState,
}

/// How far a deal came, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DealState {
    Prospecting,
    Engaging {
        engaged: NaiveDate,
    },
    Won {
        engaged: NaiveDate,
        closed: NaiveDate,
        value_minor: i64,
    },
    Lost {
        engaged: NaiveDate,
        closed: NaiveDate,
    },
}

/// What a deal may refer to, by normalised name.
pub(super) struct Known<'a> {
    pub(super) accounts: HashMap<String, &'a Account>,
    pub(super) agents: HashMap<String, &'a Agent>,
    pub(super) products: HashMap<String, &'a Product>,
}

impl Rows {
    /// Reads the files.
    ///
    /// # Errors
    /// A file without the columns, or with too many rows.
    pub fn read(files: &Files) -> Result<Self, ImportError> {
        let mut notes = Notes::default();
        let products = sound(
            lines(&files.products, &mut notes)?,
            &mut notes,
            |row: RawProduct, _| row.typed(),
        );
        let agents = sound(
            lines(&files.agents, &mut notes)?,
            &mut notes,
            |row: RawAgent, _| row.typed(),
        );
        let mut accounts = sound(
            lines(&files.accounts, &mut notes)?,
            &mut notes,
            RawAccount::typed,
        );
        settle_parents(&mut accounts, &mut notes);
        let by_name = |name: &str| normalize(name);
        let known = Known {
            accounts: accounts
                .iter()
                .map(|account| (by_name(&account.name), account))
                .collect(),
            agents: agents
                .iter()
                .map(|agent| (by_name(&agent.name), agent))
                .collect(),
            products: products
                .iter()
                .map(|product| (by_name(&product.name), product))
                .collect(),
        };
        let deals = lines(&files.deals, &mut notes)?;
        let deals = sound(deals, &mut notes, |row: RawDeal, notes| {
            row.typed(&known, notes)
        });
        notes.sort();
        Ok(Self {
            accounts,
            agents,
            products,
            deals,
            notes,
        })
    }
}

/// Types each row; refuses those that make no sense and those whose natural key was there before.
fn sound<R: RawRow, T>(
    rows: Vec<(u64, R)>,
    notes: &mut Notes,
    typed: impl Fn(R, &mut Notes) -> Result<(String, T), String>,
) -> Vec<T> {
    let mut first_seen: HashMap<String, u64> = HashMap::with_capacity(rows.len());
    let mut sound = Vec::with_capacity(rows.len());
    for (line, row) in rows {
        let (key, row) = match typed(row, notes) {
            Ok(typed) => typed,
            Err(reason) => {
                notes.refuse(R::FILE, line, reason);
                continue;
            }
        };
        match first_seen.entry(normalize(&key)) {
            Entry::Vacant(entry) => {
                entry.insert(line);
                sound.push(row);
            }
            Entry::Occupied(entry) => {
                notes.refuse(
                    R::FILE,
                    line,
                    format!("{key:?} is in line {} already", entry.get()),
                );
            }
        }
    }
    sound
}

/// Takes away parents that are no account, and one of each loop of parents. Each account is walked over once.
fn settle_parents(accounts: &mut [Account], notes: &mut Notes) {
    let place: HashMap<String, usize> = accounts
        .iter()
        .enumerate()
        .map(|(at, account)| (normalize(&account.name), at))
        .collect();
    let mut above: Vec<Option<usize>> = Vec::with_capacity(accounts.len());
    for account in accounts.iter_mut() {
        above.push(
            account
                .parent
                .as_ref()
                .and_then(|parent| place.get(&normalize(parent)).copied()),
        );
        if account.parent.is_some() && above.last() == Some(&None) {
            account.parent = None;
            notes.remark(
                "accounts kept without the company they belong to: it is not among the accounts",
            );
        }
    }
    // From which account on a walk up came by; none comes twice.
    let mut walk = vec![None; accounts.len()];
    for start in 0..accounts.len() {
        let mut at = start;
        while walk[at].is_none() {
            walk[at] = Some(start);
            let Some(parent) = above[at] else { break };
            if walk[parent] == Some(start) {
                above[at] = None;
                accounts[at].parent = None;
                notes.remark(
                    "accounts kept without the company they belong to: it belongs to them in turn",
                );
                break;
            }
            at = parent;
        }
    }
}
