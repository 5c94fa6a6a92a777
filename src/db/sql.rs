//! Statements put together from fixed text and bound values; text that came from outside can't get in.

use sqlx::{Encode, Postgres, QueryBuilder, Type};

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
