//! Writing rows as JSON.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{
    fetch::{Extent, Fetched, FetchedPages, FetchedRows, ID, Linked},
    field::Kind,
    plan::{
        ConnectionField, EdgeField, JsonKey, Level, LinkPlan, ListPlan, Output, OutputField,
        PageInfoField, ProjectionPlan, RightsField, Root,
    },
};
use crate::{
    access::Actor,
    base::error::{Error, Result},
    db::list::LeanRow,
};

/// Writes all that was read for a plan, up to so many bytes; answers how many objects that are.
///
/// # Errors
/// `TooLarge` when there is more to write, soon after that many.
pub(super) fn write(
    out: &mut Vec<u8>,
    plan: &ProjectionPlan,
    fetched: &Fetched,
    actor: &Actor,
    max_bytes: usize,
) -> Result<u64> {
    let mut writer = JsonWriter {
        out,
        actor,
        max_bytes,
        objects: 0,
    };
    match (&plan.root, fetched) {
        (Root::Record(_, link), Fetched::Record(linked)) => writer.link(link, linked, 0),
        (Root::Page(below), Fetched::Page(pages)) => writer.page(below, pages, 0),
        _ => unreachable!("what is read for a plan is of its kind"),
    }?;
    Ok(writer.objects)
}

struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    actor: &'a Actor,
    max_bytes: usize,
    objects: u64,
}

impl JsonWriter<'_> {
    /// An object of so many entries.
    fn object<'e, E: 'e>(
        &mut self,
        entries: &'e [E],
        mut entry: impl FnMut(&mut Self, &'e E) -> Result<()>,
    ) -> Result<()> {
        self.objects += 1;
        self.list(b"{}", entries.iter(), |writer, next| entry(writer, next))
    }

    fn list<E>(
        &mut self,
        brackets: &[u8; 2],
        entries: impl Iterator<Item = E>,
        mut entry: impl FnMut(&mut Self, E) -> Result<()>,
    ) -> Result<()> {
        self.out.push(brackets[0]);
        for (i, next) in entries.enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            entry(self, next)?;
            if self.out.len() > self.max_bytes {
                return Err(Error::TooLarge);
            }
        }
        self.out.push(brackets[1]);
        Ok(())
    }

    fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        serde_json::to_writer(&mut *self.out, value).map_err(Error::internal)
    }

    fn null(&mut self) -> Result<()> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn link(&mut self, link: &LinkPlan, linked: &Linked, row: usize) -> Result<()> {
        match linked.places[row] {
            Some(place) => self.record(&link.fields, &link.level, &linked.rows, place),
            None => self.null(),
        }
    }

    fn record(
        &mut self,
        fields: &[OutputField],
        level: &Level,
        rows: &FetchedRows,
        row: usize,
    ) -> Result<()> {
        self.object(fields, |writer, field| {
            writer.out.extend_from_slice(&field.key);
            writer.field(&field.what, level, rows, row)
        })
    }

    fn field(&mut self, what: &Output, level: &Level, rows: &FetchedRows, i: usize) -> Result<()> {
        let row = &rows.rows[i];
        match what {
            Output::Value(kind, at, other) => self.value(row, *kind, *at, *other),
            Output::TypeName(name) => self.json(name),
            Output::Object(present, fields) => {
                for at in present {
                    if row.is_null(*at)? {
                        return self.null();
                    }
                }
                self.record(fields, level, rows, i)
            }
            Output::Link(link) => self.link(&level.links[*link], &rows.links[*link], i),
            Output::List(list) => self.page(&level.lists[*list], &rows.lists[*list], i),
            Output::Rights(at, parts) => {
                let (actor, visible_to) = (self.actor, row.get::<&str>(*at)?);
                self.object(parts, |writer, (key, right)| {
                    writer.out.extend_from_slice(key);
                    match right {
                        RightsField::Update => {
                            writer.json(&actor.edits_row(level.shape.table.access, visible_to))
                        }
                        RightsField::Delete => {
                            writer.json(&actor.deletes_row(level.shape.table.access, visible_to))
                        }
                        RightsField::TypeName => writer.json("RecordRights"),
                    }
                })
            }
        }
    }

    fn value(&mut self, row: &LeanRow, kind: Kind, at: usize, other: usize) -> Result<()> {
        match kind {
            Kind::Id(prefix) => match row.get::<Option<Uuid>>(at)? {
                Some(id) => {
                    let mut text = Uuid::encode_buffer();
                    let text = id.hyphenated().encode_lower(&mut text);
                    self.out.push(b'"');
                    self.out.extend_from_slice(prefix.as_bytes());
                    self.out.push(b':');
                    self.out.extend_from_slice(text.as_bytes());
                    self.out.push(b'"');
                    Ok(())
                }
                None => self.null(),
            },
            Kind::Text => self.json(&row.get::<Option<&str>>(at)?),
            Kind::Joined(_) => {
                let (first, second) = (row.get::<&str>(at)?, row.get::<&str>(other)?);
                self.json(&format_args!("{first} {second}"))
            }
            Kind::Derived(derive) => self.json(&row.get::<Option<&str>>(at)?.and_then(derive)),
            Kind::Texts => self.json(&row.get::<Option<Vec<String>>>(at)?),
            Kind::Small => self.json(&row.get::<Option<i16>>(at)?),
            Kind::Int => self.json(&row.get::<Option<i32>>(at)?),
            Kind::Big => self.json(&row.get::<Option<i64>>(at)?),
            Kind::Bool => self.json(&row.get::<Option<bool>>(at)?),
            Kind::Time => match row.get::<Option<DateTime<Utc>>>(at)? {
                Some(time) => self.json(&time.to_rfc3339()),
                None => self.null(),
            },
            Kind::Date => self.json(&row.get::<Option<NaiveDate>>(at)?),
        }
    }

    fn page(&mut self, below: &ListPlan, pages: &FetchedPages, parent: usize) -> Result<()> {
        let extent = pages.extents[parent];
        let of_page = extent.first..extent.first + extent.len;
        let (level, rows) = (&below.level, &pages.rows);
        self.object(&below.parts, |writer, (key, part)| {
            writer.out.extend_from_slice(key);
            match part {
                ConnectionField::Nodes(fields) => {
                    writer.list(b"[]", of_page.clone(), |writer, row| {
                        writer.record(fields, level, rows, row)
                    })
                }
                ConnectionField::Edges(parts) => {
                    writer.list(b"[]", of_page.clone(), |writer, row| {
                        writer.edge(below, parts, rows, row)
                    })
                }
                ConnectionField::PageInfo(parts) => writer.page_info(below, parts, rows, extent),
                ConnectionField::TotalCount => writer.json(&extent.count.value),
                ConnectionField::IsEstimate => writer.json(&extent.count.is_more),
                ConnectionField::TypeName(name) => writer.json(name),
            }
        })
    }

    fn edge(
        &mut self,
        below: &ListPlan,
        parts: &[(JsonKey, EdgeField)],
        rows: &FetchedRows,
        row: usize,
    ) -> Result<()> {
        self.object(parts, |writer, (key, part)| {
            writer.out.extend_from_slice(key);
            match part {
                EdgeField::Node(fields) => writer.record(fields, &below.level, rows, row),
                EdgeField::Cursor => writer.cursor(below, &rows.rows[row]),
                EdgeField::TypeName(name) => writer.json(name),
            }
        })
    }

    fn page_info(
        &mut self,
        below: &ListPlan,
        parts: &[(JsonKey, PageInfoField)],
        rows: &FetchedRows,
        extent: Extent,
    ) -> Result<()> {
        let (first, last) = match extent.len {
            0 => (None, None),
            len => (
                rows.rows.get(extent.first),
                rows.rows.get(extent.first + len - 1),
            ),
        };
        self.object(parts, |writer, (key, info)| {
            writer.out.extend_from_slice(key);
            let cursor = match info {
                PageInfoField::HasNext => return writer.json(&extent.has_next),
                PageInfoField::HasPrevious => return writer.json(&extent.has_previous),
                PageInfoField::TypeName => return writer.json("PageInfo"),
                PageInfoField::Start => first,
                PageInfoField::End => last,
            };
            match cursor {
                Some(row) => writer.cursor(below, row),
                None => writer.null(),
            }
        })
    }

    fn cursor(&mut self, below: &ListPlan, row: &LeanRow) -> Result<()> {
        let id = row.get::<Uuid>(ID)?;
        let source = &below.source;
        self.json(&source.cursor(self.actor.tenant, row, id, &below.order)?)
    }
}
