//! Reads single variables, and gathers every problem instead of stopping at the first.

use std::collections::BTreeMap;

use super::{
    Problem,
    nearest::nearest,
    problem::shown,
    variables::{self, PREFIX},
};
use crate::base::secret::Secret;

/// How much of a bad value an error repeats.
#[derive(Clone, Copy)]
enum Show {
    Value,
    Nothing,
}

pub(super) struct Reader {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
    #[cfg(test)]
    pub(super) asked: std::collections::BTreeSet<&'static str>,
}

impl Reader {
    /// Keeps the variables with our prefix. An empty value counts as unset, because templates of deployments leave
    /// such values behind. Unknown names and values that are not plain text are problems.
    pub(super) fn new(vars: impl Iterator<Item = (String, String)>) -> Self {
        let mut reader = Self {
            values: BTreeMap::new(),
            problems: Vec::new(),
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        };
        for (name, value) in vars {
            if !name.starts_with(PREFIX) || is_service_link(&name, &value) {
                continue;
            }
            if variables::find(&name).is_none() {
                let expected = match nearest(&name) {
                    Some(meant) => format!("{meant}, if that was meant"),
                    None => "one of the names that `dealgraph serve --help` lists".to_owned(),
                };
                reader.problem(
                    &shown(&name),
                    "a name that is not known".to_owned(),
                    &expected,
                );
            } else if value.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
                let expected = "UTF-8 text without line breaks or control characters";
                reader.problem(&name, "a value that is not plain text".to_owned(), expected);
            } else if !value.is_empty() {
                reader.values.insert(name, value);
            }
        }
        reader
    }

    /// A setting with a default, which also stands in for a bad value while the other problems are gathered.
    pub(super) fn setting<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> T {
        self.optional(name, expected, &read).unwrap_or_else(|| {
            let variable = variables::find(name).expect("only names of the table are asked for");
            read(variable.default).expect("a unit test reads every default of the table")
        })
    }

    /// A setting that may be unset.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(name, Show::Value, expected, read)
    }

    /// A secret setting that may be unset; its value is in no error.
    pub(super) fn secret(
        &mut self,
        name: &'static str,
        expected: &str,
        acceptable: impl Fn(&str) -> bool,
    ) -> Option<Secret<String>> {
        self.read(name, Show::Nothing, expected, |value| {
            acceptable(value).then(|| Secret::new(value.to_owned()))
        })
    }

    /// Reports the variables as missing when none of them is set.
    pub(super) fn require_one_of(&mut self, names: &[&'static str], why: &str) {
        if !names
            .iter()
            .any(|name| self.values.contains_key(*name) || self.is_reported(name))
        {
            self.problem(&names.join(" or "), "nothing".to_owned(), why);
        }
    }

    /// Everything that was wrong.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        show: Show,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        debug_assert!(
            variables::find(name).is_some(),
            "{name} is not in the table"
        );
        #[cfg(test)]
        self.asked.insert(name);
        let value = self.values.get(name)?;
        let typed = read(value);
        if typed.is_none() {
            let found = match show {
                Show::Value => format!("{:?}", shown(value)),
                Show::Nothing => {
                    format!("an unsuitable value of {} bytes (not shown)", value.len())
                }
            };
            self.problem(name, found, expected);
        }
        typed
    }

    fn is_reported(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.name == name)
    }

    fn problem(&mut self, name: &str, found: String, expected: &str) {
        self.problems.push(Problem {
            name: name.to_owned(),
            found,
            expected: expected.to_owned(),
        });
    }
}

/// Kubernetes and Docker put the addresses of a service called `dealgraph…` into the environment of its neighbours
/// under names like `DEALGRAPH_PORT`; those are not settings and must not stop the server.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = value.starts_with("tcp://") || value.starts_with("udp://");
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.contains("_PORT_") && (name.contains("_TCP") || name.contains("_UDP")))
        || (name.ends_with("_PORT") && is_address)
}
