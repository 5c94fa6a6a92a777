//! Conditions that no row meets together.
//!
//! Postgres does not see that `kind = 'CALL'` and `kind IN ('EMAIL', 'MEETING')` exclude each other: it expects to fill a
//! page soon, walks the index of the order, and reads the whole table to find nothing.

use super::predicate::{Column, Comparison, Predicate, Value};

/// Longer lists are left to Postgres, so that looking costs nothing beside asking.
const MOST_VALUES: usize = 32;

/// Whether no row can meet all of these, whatever is stored.
pub(super) fn is_contradiction(parts: &[Predicate]) -> bool {
    let mut columns = Vec::new();
    parts.iter().any(|part| narrow(&mut columns, part))
}

/// What conditions leave of the values that a column may have.
struct Left<'p> {
    column: &'static str,
    /// The values themselves, once a condition has named them.
    values: Option<Vec<&'p Value>>,
    lower: Option<(&'p Value, Comparison)>,
    upper: Option<(&'p Value, Comparison)>,
}

/// Notes a condition; whether it leaves a column no value.
fn narrow<'p>(columns: &mut Vec<Left<'p>>, part: &'p Predicate) -> bool {
    match part {
        Predicate::All(parts) => parts.iter().any(|part| narrow(columns, part)),
        Predicate::In(column, values) if values.len() <= MOST_VALUES => {
            of(columns, column).keep(values.iter().collect())
        }
        Predicate::Compare(column, comparison, value) => {
            let left = of(columns, column);
            match comparison {
                Comparison::Eq => left.keep(vec![value]),
                Comparison::Gt | Comparison::Gte => {
                    left.bound(|left| &mut left.lower, (value, *comparison))
                }
                Comparison::Lt | Comparison::Lte => {
                    left.bound(|left| &mut left.upper, (value, *comparison))
                }
                Comparison::Neq | Comparison::StartsWith => false,
            }
        }
        _ => false,
    }
}

fn of<'c, 'p>(columns: &'c mut Vec<Left<'p>>, column: &Column) -> &'c mut Left<'p> {
    let name = column.name();
    let known = columns.iter().position(|left| left.column == name);
    let place = known.unwrap_or_else(|| {
        columns.push(Left {
            column: name,
            values: None,
            lower: None,
            upper: None,
        });
        columns.len() - 1
    });
    &mut columns[place]
}

impl<'p> Left<'p> {
    /// Only these values are left; whether that is none.
    fn keep(&mut self, values: Vec<&'p Value>) -> bool {
        let left = match self.values.take() {
            Some(left) => left
                .into_iter()
                .filter(|value| values.contains(value))
                .collect(),
            None => values,
        };
        self.values = Some(left);
        self.is_empty()
    }

    /// A first bound is kept: one that excludes the others is found with it or not at all.
    fn bound(
        &mut self,
        side: impl FnOnce(&mut Self) -> &mut Option<(&'p Value, Comparison)>,
        bound: (&'p Value, Comparison),
    ) -> bool {
        side(self).get_or_insert(bound);
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        let bounds = [self.lower, self.upper];
        let is_within = |value: &Value| {
            let mut bounds = bounds.iter().flatten();
            bounds.all(|(bound, comparison)| meets(value, *comparison, bound))
        };
        match (&self.values, self.lower, self.upper) {
            (Some(values), ..) => !values.iter().any(|value| is_within(value)),
            (None, Some((lower, _)), Some((upper, _))) => lower > upper,
            _ => false,
        }
    }
}

fn meets(value: &Value, comparison: Comparison, bound: &Value) -> bool {
    match comparison {
        Comparison::Gt => value > bound,
        Comparison::Gte => value >= bound,
        Comparison::Lt => value < bound,
        Comparison::Lte => value <= bound,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eq(column: &'static str, value: i64) -> Predicate {
        Predicate::Compare(column.into(), Comparison::Eq, Value::Int(value))
    }

    fn compare(comparison: Comparison, value: i64) -> Predicate {
        Predicate::Compare("a".into(), comparison, Value::Int(value))
    }

    fn one_of(values: &[i64]) -> Predicate {
        let values = values.iter().copied().map(Value::Int).collect();
        Predicate::In("a".into(), values)
    }

    #[test]
    fn what_excludes_each_other_is_seen_however_deep_it_stands() {
        assert!(is_contradiction(&[eq("a", 1), eq("a", 2)]));
        assert!(is_contradiction(&[eq("a", 1), one_of(&[2, 3])]));
        let nested = Predicate::All(vec![one_of(&[1, 2]), eq("b", 1)]);
        assert!(is_contradiction(&[nested, one_of(&[3])]));
        let (above, below) = (compare(Comparison::Gt, 5), compare(Comparison::Lte, 4));
        assert!(is_contradiction(&[above.clone(), below]));
        assert!(is_contradiction(&[one_of(&[4, 5]), above]));
    }

    #[test]
    fn what_some_row_may_meet_is_asked() {
        assert!(!is_contradiction(&[]));
        assert!(!is_contradiction(&[eq("a", 1), eq("a", 1), eq("b", 2)]));
        assert!(!is_contradiction(&[one_of(&[1, 2]), one_of(&[2, 3])]));
        let bounds = [compare(Comparison::Gte, 4), compare(Comparison::Lte, 4)];
        assert!(!is_contradiction(&bounds));
        let either = Predicate::Any(vec![eq("a", 1), eq("a", 2)]);
        assert!(!is_contradiction(&[either]));
        let not = Predicate::Not(Box::new(eq("a", 1)));
        assert!(!is_contradiction(&[not, eq("a", 1)]));
    }

    #[test]
    fn long_lists_are_not_looked_through() {
        let long: Vec<_> = (10..100).collect();
        assert!(!is_contradiction(&[eq("a", 1), one_of(&long)]));
    }
}
