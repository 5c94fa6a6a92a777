//! What is to be read and written, made of the document below a field.

use std::collections::HashMap;

use async_graphql::{
    Context, ContextSelectionSet, Name, Positioned,
    parser::types::{Field, Selection, SelectionSet},
};
use uuid::Uuid;

use super::{
    field::{Kind, Projected, Shape},
    page::Source,
};
use crate::{db::list::Table, graphql::projection::TYPE_KEY};

/// All of it.
pub(super) struct ProjectionPlan {
    pub(super) root: Root,
    /// The columns that the levels read; levels of records that are looked up by id share those of their table, so that
    /// what one of them has read serves the others.
    pub(super) columns: Vec<ColumnSet>,
}

pub(super) enum Root {
    Record(Uuid, LinkPlan),
    Page(ListPlan),
}

/// Columns of a table, in the order they are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ColumnSet {
    pub(super) of: Table,
    pub(super) names: Vec<&'static str>,
}

/// Rows that are read together, with their links and lists.
pub(super) struct Level {
    pub(super) shape: &'static Shape,
    /// Which of the plan's columns.
    pub(super) columns: usize,
    pub(super) links: Vec<LinkPlan>,
    pub(super) lists: Vec<ListPlan>,
}

/// Records that rows name.
pub(super) struct LinkPlan {
    pub(super) key: Naming,
    pub(super) level: Level,
    pub(super) fields: Vec<OutputField>,
}

/// How a row names a record.
#[derive(Clone, Copy)]
pub(super) enum Naming {
    /// By its id at a place.
    Id(usize),
    /// In a text at a place.
    Text(usize, fn(&str) -> Option<Uuid>),
}

/// A page of records below each row.
pub(super) struct ListPlan {
    pub(super) source: Source,
    pub(super) level: Level,
    /// The places of the columns that it is sorted by; only when cursors are asked for.
    pub(super) order: Vec<usize>,
    pub(super) is_counted: bool,
    pub(super) parts: Vec<(JsonKey, ConnectionField)>,
}

/// A key with its quotes and colon.
pub(super) type JsonKey = Box<[u8]>;

/// A field of an answer.
pub(super) struct OutputField {
    pub(super) key: JsonKey,
    pub(super) what: Output,
}

pub(super) enum Output {
    Value(Kind, usize, usize),
    TypeName(String),
    /// Fields of the same row; null when one of the columns is.
    Object(Vec<usize>, Vec<OutputField>),
    /// One of the level's links.
    Link(usize),
    /// One of the level's lists.
    List(usize),
    /// The actor's rights to the row, by the column that says who sees it.
    Rights(usize, Vec<(JsonKey, RightsField)>),
}

pub(super) enum RightsField {
    Update,
    Delete,
    TypeName,
}

/// A field of a connection.
pub(super) enum ConnectionField {
    Nodes(Vec<OutputField>),
    Edges(Vec<(JsonKey, EdgeField)>),
    PageInfo(Vec<(JsonKey, PageInfoField)>),
    TotalCount,
    IsEstimate,
    TypeName(String),
}

pub(super) enum EdgeField {
    Node(Vec<OutputField>),
    Cursor,
    TypeName(String),
}

#[derive(Clone, Copy)]
pub(super) enum PageInfoField {
    HasNext,
    HasPrevious,
    Start,
    End,
    TypeName,
}

impl ProjectionPlan {
    /// What is asked of a page, or none if the executor has to answer.
    pub(super) fn of_page(ctx: &Context<'_>, source: Source) -> Option<Self> {
        let mut planner = Planner::default();
        let set = ctx.with_selection_set(&ctx.item.node.selection_set);
        let page = planner.page(&set, source)?;
        Some(Self {
            root: Root::Page(page),
            columns: planner.columns,
        })
    }

    /// What is asked of a record, or none if the executor has to answer.
    pub(super) fn of_record(ctx: &Context<'_>, shape: &'static Shape, id: Uuid) -> Option<Self> {
        let mut planner = Planner::default();
        let set = ctx.with_selection_set(&ctx.item.node.selection_set);
        let link = planner.link(&set, shape, Naming::Id(0))?;
        Some(Self {
            root: Root::Record(id, link),
            columns: planner.columns,
        })
    }
}

#[derive(Default)]
struct Planner {
    columns: Vec<ColumnSet>,
    /// Of records that are looked up by id: which columns, by table.
    shared: HashMap<&'static str, usize>,
}

/// Where a selection finds its fields.
#[derive(Clone, Copy)]
struct FieldSource {
    type_name: &'static str,
    field: fn(&str) -> Option<Projected>,
}

impl Planner {
    fn level(&mut self, shape: &'static Shape, columns: usize) -> Level {
        self.column(columns, shape.table.id_column);
        Level {
            shape,
            columns,
            links: Vec::new(),
            lists: Vec::new(),
        }
    }

    fn new_columns(&mut self, shape: &'static Shape) -> usize {
        self.columns.push(ColumnSet {
            of: shape.table,
            names: Vec::new(),
        });
        self.columns.len() - 1
    }

    /// The place of a column.
    fn column(&mut self, columns: usize, name: &'static str) -> usize {
        let names = &mut self.columns[columns].names;
        let known = names.iter().position(|known| *known == name);
        known.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }

    fn link(
        &mut self,
        set: &ContextSelectionSet<'_>,
        shape: &'static Shape,
        key: Naming,
    ) -> Option<LinkPlan> {
        let columns = match self.shared.get(shape.table.name) {
            Some(columns) => *columns,
            None => {
                let columns = self.new_columns(shape);
                self.shared.insert(shape.table.name, columns);
                columns
            }
        };
        let mut level = self.level(shape, columns);
        let fields = self.record(set, &mut level)?;
        Some(LinkPlan { key, level, fields })
    }

    fn record(
        &mut self,
        set: &ContextSelectionSet<'_>,
        level: &mut Level,
    ) -> Option<Vec<OutputField>> {
        let source = FieldSource {
            type_name: level.shape.type_name,
            field: level.shape.field,
        };
        let mut fields = Vec::new();
        self.fields(set, source, level, &mut fields)?;
        Some(fields)
    }

    fn fields(
        &mut self,
        set: &ContextSelectionSet<'_>,
        source: FieldSource,
        level: &mut Level,
        fields: &mut Vec<OutputField>,
    ) -> Option<()> {
        for field in Flat::of(set, source.type_name)? {
            let key = key(field);
            if fields.iter().any(|known| known.key == key) {
                return None;
            }
            let below = set.with_field(field);
            let below = below.with_selection_set(&field.node.selection_set);
            let what = match name(field) {
                "__typename" => Output::TypeName(source.type_name.to_owned()),
                name => match (source.field)(name)? {
                    Projected::Value(kind, column) => {
                        let at = self.column(level.columns, column);
                        let other = match kind {
                            Kind::Joined(other) => self.column(level.columns, other),
                            _ => at,
                        };
                        Output::Value(kind, at, other)
                    }
                    Projected::Object(type_name, present, field) => {
                        let present = present.iter();
                        let present = present
                            .map(|column| self.column(level.columns, column))
                            .collect();
                        let mut inner = Vec::new();
                        self.fields(&below, FieldSource { type_name, field }, level, &mut inner)?;
                        Output::Object(present, inner)
                    }
                    Projected::One(shape, column) => {
                        let key = Naming::Id(self.column(level.columns, column));
                        let link = self.link(&below, shape, key)?;
                        level.links.push(link);
                        Output::Link(level.links.len() - 1)
                    }
                    Projected::Named(shape, column, read) => {
                        let key = Naming::Text(self.column(level.columns, column), read);
                        let link = self.link(&below, shape, key)?;
                        level.links.push(link);
                        Output::Link(level.links.len() - 1)
                    }
                    Projected::Page(source) => {
                        let page = self.page(&below, source(&set.with_field(field)).ok()?)?;
                        level.lists.push(page);
                        Output::List(level.lists.len() - 1)
                    }
                    Projected::Rights => {
                        let at = self.column(level.columns, "visible_to");
                        Output::Rights(at, rights(&below)?)
                    }
                },
            };
            fields.push(OutputField { key, what });
        }
        Some(())
    }

    fn page(&mut self, set: &ContextSelectionSet<'_>, mut source: Source) -> Option<ListPlan> {
        let shape = source.shape();
        let columns = self.new_columns(shape);
        let mut level = self.level(shape, columns);
        let (mut parts, mut has_cursors, mut is_counted) = (Vec::new(), false, false);
        let mut looks_further = false;
        for field in Flat::of(set, &format!("{}Connection", shape.type_name))? {
            let below = set.with_field(field);
            let below = below.with_selection_set(&field.node.selection_set);
            let part = match name(field) {
                "nodes" => ConnectionField::Nodes(self.record(&below, &mut level)?),
                "edges" => {
                    let edges = self.edges(&below, &mut level)?;
                    has_cursors |= edges
                        .iter()
                        .any(|(_, edge)| matches!(edge, EdgeField::Cursor));
                    ConnectionField::Edges(edges)
                }
                "pageInfo" => {
                    let info = page_info(&below)?;
                    has_cursors |= info
                        .iter()
                        .any(|(_, info)| matches!(info, PageInfoField::Start | PageInfoField::End));
                    looks_further |= info.iter().any(|(_, info)| {
                        matches!(info, PageInfoField::HasNext | PageInfoField::HasPrevious)
                    });
                    ConnectionField::PageInfo(info)
                }
                "totalCount" => ConnectionField::TotalCount,
                "totalCountIsEstimate" => ConnectionField::IsEstimate,
                "__typename" => ConnectionField::TypeName(format!("{}Connection", shape.type_name)),
                _ => return None,
            };
            is_counted |= matches!(
                part,
                ConnectionField::TotalCount | ConnectionField::IsEstimate
            );
            push_once(&mut parts, key(field), part)?;
        }
        if !looks_further {
            source.end_at_page();
        }
        let order = match has_cursors {
            true => source.order(),
            false => Vec::new(),
        };
        let order = order.into_iter();
        let order = order.map(|name| self.column(columns, name)).collect();
        Some(ListPlan {
            source,
            level,
            order,
            is_counted,
            parts,
        })
    }

    fn edges(
        &mut self,
        set: &ContextSelectionSet<'_>,
        level: &mut Level,
    ) -> Option<Vec<(JsonKey, EdgeField)>> {
        let type_name = format!("{}Edge", level.shape.type_name);
        let mut edges = Vec::new();
        for field in Flat::of(set, &type_name)? {
            let below = set.with_field(field);
            let below = below.with_selection_set(&field.node.selection_set);
            let edge = match name(field) {
                "node" => EdgeField::Node(self.record(&below, level)?),
                "cursor" => EdgeField::Cursor,
                "__typename" => EdgeField::TypeName(type_name.clone()),
                _ => return None,
            };
            push_once(&mut edges, key(field), edge)?;
        }
        Some(edges)
    }
}

fn page_info(set: &ContextSelectionSet<'_>) -> Option<Vec<(JsonKey, PageInfoField)>> {
    let mut parts = Vec::new();
    for field in Flat::of(set, "PageInfo")? {
        let info = match name(field) {
            "hasNextPage" => PageInfoField::HasNext,
            "hasPreviousPage" => PageInfoField::HasPrevious,
            "startCursor" => PageInfoField::Start,
            "endCursor" => PageInfoField::End,
            "__typename" => PageInfoField::TypeName,
            _ => return None,
        };
        push_once(&mut parts, key(field), info)?;
    }
    Some(parts)
}

fn rights(set: &ContextSelectionSet<'_>) -> Option<Vec<(JsonKey, RightsField)>> {
    let mut parts = Vec::new();
    for field in Flat::of(set, "RecordRights")? {
        let right = match name(field) {
            "update" => RightsField::Update,
            "delete" => RightsField::Delete,
            "__typename" => RightsField::TypeName,
            _ => return None,
        };
        push_once(&mut parts, key(field), right)?;
    }
    Some(parts)
}

/// A key that is asked for twice has to be merged, which is the executor's business.
fn push_once<T>(parts: &mut Vec<(JsonKey, T)>, key: JsonKey, part: T) -> Option<()> {
    if parts.iter().any(|(known, _)| *known == key) {
        return None;
    }
    parts.push((key, part));
    Some(())
}

fn name(field: &Positioned<Field>) -> &str {
    field.node.name.node.as_str()
}

/// Names are letters, digits and underscores, so nothing in them needs escaping.
fn key(field: &Positioned<Field>) -> JsonKey {
    let name: &Name = &field.node.response_key().node;
    format!("\"{name}\":").into_bytes().into_boxed_slice()
}

/// The fields of a selection with its fragments laid out.
struct Flat<'a>(Vec<&'a Positioned<Field>>);

impl<'a> Flat<'a> {
    fn of(set: &ContextSelectionSet<'a>, type_name: &str) -> Option<Vec<&'a Positioned<Field>>> {
        let mut flat = Self(Vec::new());
        flat.add(set, &set.item.node, type_name)?;
        // An object of which nothing is asked: only what the executor answers is completed.
        let is_made_up = |field: &&Positioned<Field>| field.node.response_key().node == TYPE_KEY;
        (!flat.0.iter().any(is_made_up)).then_some(flat.0)
    }

    /// `@skip` and `@include` were judged before anything runs; what is left of them says nothing any more. Fragments on
    /// interfaces are the executor's business.
    fn add(
        &mut self,
        ctx: &ContextSelectionSet<'a>,
        set: &'a SelectionSet,
        type_name: &str,
    ) -> Option<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.0.push(field),
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    if condition.is_some_and(|condition| condition.node.on.node != *type_name) {
                        return None;
                    }
                    self.add(ctx, &inline.node.selection_set.node, type_name)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = ctx.query_env.fragments.get(name)?;
                    if fragment.node.type_condition.node.on.node != *type_name {
                        return None;
                    }
                    self.add(ctx, &fragment.node.selection_set.node, type_name)?;
                }
            }
        }
        Some(())
    }
}
