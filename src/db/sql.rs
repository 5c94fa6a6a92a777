//! Statements put together from fixed text and bound values; text that came from outside can't get in.

use sqlx::{Encode, Postgres, QueryBuilder, Type};
use uuid::Uuid;

/// A statement under construction. Only text of the program itself can be pushed; all else is bound.
pub struct Sql(pub(super) QueryBuilder<Postgres>);

impl Sql {
    /// Starts with fixed text.
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self(QueryBuilder::new(text))
    }

    /// Appends fixed text.
    #[must_use]
    pub fn push(mut self, text: &'static str) -> Self {
        self.0.push(text);
        self
    }

    /// Appends a placeholder and binds its value.
    #[must_use]
    pub fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres> + 't>(mut self, value: T) -> Self {
        self.0.push_bind(value);
        self
    }

    /// Appends ` IN (…)`.
    ///
    /// Few ids are placeholders of their own, filled up to a power of two by repeating the last one. Of an array Postgres
    /// takes for granted that it holds ten; for one or two it then finds any plan made for them better than the one for all
    /// arrays, and plans anew at each execution, which takes several times as long as the rest.
    #[must_use]
    pub fn one_of(mut self, ids: &[Uuid]) -> Self {
        let Some(places) = places(ids) else {
            return self.push(" = ANY(").bind(ids.to_vec()).push(")");
        };
        self.0.push(" IN (");
        let mut separated = self.0.separated(", ");
        for i in 0..places {
            separated.push_bind(ids[i.min(ids.len() - 1)]);
        }
        self.push(")")
    }

    /// Appends `(…) AS k(key)`: the ids as rows to join with. Few are placeholders for the reason of [`Self::one_of`], and
    /// what fills them up is NULL, to which nothing belongs.
    #[must_use]
    pub fn keys(mut self, ids: &[Uuid]) -> Self {
        let Some(places) = places(ids) else {
            return self.push("unnest(").bind(ids.to_vec()).push(") AS k(key)");
        };
        for i in 0..places {
            self.0.push(if i == 0 { "(VALUES (" } else { ", (" });
            self.0.push_bind(ids.get(i).copied());
            self.0.push("::uuid)");
        }
        self.push(") AS k(key)")
    }

    /// Appends `(…), (…)`, one row per item, for a multi-row INSERT.
    #[must_use]
    pub fn rows<I>(
        mut self,
        items: impl IntoIterator<Item = I>,
        mut row: impl FnMut(Row<'_>, I),
    ) -> Self {
        self.0.push(" ");
        self.0
            .push_values(items, |separated, item| row(Row(separated), item));
        self
    }

    /// Appends `(…)`, one row, for an UPDATE that sets a list of columns.
    #[must_use]
    pub fn row(mut self, row: impl FnOnce(Row<'_>)) -> Self {
        self.0.push("(");
        row(Row(self.0.separated(", ")));
        self.0.push(")");
        self
    }

    /// The builder, for the renderers of this folder.
    pub(super) fn builder(&mut self) -> &mut QueryBuilder<Postgres> {
        &mut self.0
    }
}

/// More ids than this are an array.
const MOST_PLACES: usize = 64;

/// How many placeholders so many ids get; none when they are better an array.
fn places(ids: &[Uuid]) -> Option<usize> {
    let is_few = (1..=MOST_PLACES).contains(&ids.len());
    is_few.then(|| ids.len().next_power_of_two())
}

/// One row of a multi-row INSERT.
pub struct Row<'a>(sqlx::query_builder::Separated<'a, Postgres, &'static str>);

impl Row<'_> {
    /// Binds the next column.
    pub fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres> + 't>(
        &mut self,
        value: T,
    ) -> &mut Self {
        self.0.push_bind(value);
        self
    }
}

/// Rows per statement: Postgres takes 65,535 placeholders.
#[must_use]
pub const fn rows_per_statement(columns: usize) -> usize {
    60_000 / columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<Uuid> {
        (0..count as u128).map(Uuid::from_u128).collect()
    }

    fn text(sql: Sql) -> String {
        sql.0.sql().as_str().to_owned()
    }

    #[test]
    fn few_ids_are_places_of_their_own_and_their_numbers_are_few() {
        let of = |count| text(Sql::new("x").one_of(&ids(count)));
        assert_eq!(of(0), "x = ANY($1)");
        assert_eq!(of(1), "x IN ($1)");
        assert_eq!(of(3), "x IN ($1, $2, $3, $4)");
        assert_eq!(of(33), of(64));
        assert_eq!(of(65), "x = ANY($1)");
        let statements: std::collections::HashSet<_> = (0..200).map(of).collect();
        assert_eq!(statements.len(), 8);
    }

    #[test]
    fn keys_are_rows_to_join_with() {
        let of = |count| text(Sql::new("FROM ").keys(&ids(count)));
        assert_eq!(of(1), "FROM (VALUES ($1::uuid)) AS k(key)");
        assert_eq!(of(2), "FROM (VALUES ($1::uuid), ($2::uuid)) AS k(key)");
        assert_eq!(of(65), "FROM unnest($1) AS k(key)");
    }
}
