//! Detecting cross-tenant probes: fields of a response that were refused, or that named ids and found nothing.
//!
//! Derived from the finished response, so that no resolver can forget it and none takes longer for it. A client that
//! does not select a mutation's errors is detected by the outcome of its writes. A filter does not report ids that it
//! finds nothing for, so the ids in filters are checked whatever the response is; the same goes for subscriptions.

use async_graphql::{
    Name, Response, Value, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet},
};

use crate::{
    db::journal::{Entry, MOST_IDS, NamedId, Suspicion, Whom},
    graphql::RequestContext,
};

/// Fragments nest at most so deep before a root field.
const DEPTH: usize = 8;
/// Most root fields that are examined.
const MOST_FIELDS: usize = 50;
/// Most fields below them that are, and how deep.
const MOST_NESTED: usize = 500;
const NESTED_DEPTH: usize = 20;

/// The root fields of an operation with the ids that each names.
#[derive(Debug, Default)]
pub(super) struct RootFields(Vec<RootField>);

#[derive(Debug)]
struct RootField {
    key: Name,
    name: Name,
    /// In its own arguments.
    ids: Vec<NamedId>,
    /// Where the response does not show whether they were found: in filters, and in the arguments of fields below.
    unanswered: Vec<NamedId>,
}

/// What a document is made of, for reading the ids in it.
struct IdReader<'d> {
    document: &'d ExecutableDocument,
    variables: &'d Variables,
    /// Fields below the root that may still be examined.
    nested: usize,
}

/// The outcome of a root field.
#[derive(Debug, PartialEq, Eq)]
enum FieldOutcome {
    Done,
    Refused(String),
    Absent,
}

impl RootFields {
    /// Reads the arguments of an operation's root fields.
    pub(super) fn of(
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> Self {
        let mut values = variables.clone();
        for variable in &operation.variable_definitions {
            let variable = &variable.node;
            if let Some(default) = &variable.default_value {
                let value = || default.node.clone();
                values
                    .entry(variable.name.node.clone())
                    .or_insert_with(value);
            }
        }
        let mut fields = Self::default();
        let mut reading = IdReader {
            document,
            variables: &values,
            nested: MOST_NESTED,
        };
        fields.collect_fields(&mut reading, &operation.selection_set.node, DEPTH);
        fields
    }

    fn collect_fields(&mut self, reading: &mut IdReader<'_>, set: &SelectionSet, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if self.0.len() < MOST_FIELDS => {
                    self.0.push(RootField::of(&field.node, reading));
                }
                Selection::Field(_) => return,
                Selection::InlineFragment(inline) => {
                    let set = &inline.node.selection_set.node;
                    self.collect_fields(reading, set, depth);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(set) = reading.fragment(&spread.node.fragment_name.node) {
                        self.collect_fields(reading, set, depth);
                    }
                }
            }
        }
    }

    /// Enqueues all ids of a subscription for checking: its responses never show that there is no such record.
    pub(super) fn enqueue(self, context: &RequestContext) {
        for field in &self.0 {
            field.enqueue(context);
        }
    }

    /// Records the probes that the response shows; whether there were any.
    pub(super) fn note(self, context: &RequestContext, response: &Response) -> bool {
        let slips = std::mem::take(&mut *context.slips());
        let mut reasons = slips.refused.into_iter();
        let mut quiet = Vec::new();
        let (mut is_told, mut has_noted) = (false, false);
        for field in self.0 {
            match field.outcome(response) {
                FieldOutcome::Done => {
                    field.leave(context, field.unanswered.clone());
                    quiet.push(field);
                }
                FieldOutcome::Refused(why) => {
                    let why = reasons.next().unwrap_or(why);
                    field.note_refused(context, why);
                    has_noted = true;
                }
                FieldOutcome::Absent => {
                    is_told = true;
                    has_noted |= field.enqueue(context);
                }
            }
        }
        if let Some(field) = RootField::of_all(quiet) {
            for why in reasons {
                field.note_refused(context, why);
                has_noted = true;
            }
            if slips.absent && !is_told {
                has_noted |= field.enqueue(context);
            }
        }
        has_noted
    }
}

impl RootField {
    fn of(field: &Field, reading: &mut IdReader<'_>) -> Self {
        let (mut ids, mut unanswered) = (Vec::new(), Vec::new());
        reading.collect(field, &mut ids, |name| name != "filter");
        reading.collect(field, &mut unanswered, |name| name == "filter");
        reading.below(&field.selection_set.node, &mut unanswered, NESTED_DEPTH);
        Self {
            key: field.response_key().node.clone(),
            name: field.name.node.clone(),
            ids,
            unanswered,
        }
    }

    /// Several fields, where it is unknown which of them it was.
    fn of_all(fields: Vec<Self>) -> Option<Self> {
        fields.into_iter().reduce(|mut all, field| {
            all.name = Name::new(format!("{}, {}", all.name, field.name));
            all.ids.extend(field.ids);
            all.unanswered.extend(field.unanswered);
            all
        })
    }

    fn outcome(&self, response: &Response) -> FieldOutcome {
        let is_here = |path: &[async_graphql::PathSegment]| matches!(path.first(), Some(async_graphql::PathSegment::Field(key)) if *key == self.key.as_str());
        for error in response.errors.iter().filter(|error| is_here(&error.path)) {
            let code = error.extensions.as_ref().and_then(|all| all.get("code"));
            match code.and_then(text) {
                Some("FORBIDDEN") => return FieldOutcome::Refused(error.message.clone()),
                Some("NOT_FOUND") => return FieldOutcome::Absent,
                _ => {}
            }
        }
        let Value::Object(data) = &response.data else {
            return FieldOutcome::Done;
        };
        match data.get(&self.key) {
            Some(Value::Null) => FieldOutcome::Absent,
            Some(Value::Object(payload)) => of_payload(payload),
            _ => FieldOutcome::Done,
        }
    }

    fn note_refused(&self, context: &RequestContext, why: String) {
        let actor = context.actor();
        let mut entry = Entry::new(&actor.author, "access.refused")
            .noting("operation", self.name.as_str())
            .noting("reason", why);
        if let Some(id) = self.ids.first() {
            entry = id.noted(entry);
        }
        let whom = Whom::Tenant(actor.tenant);
        context
            .recorder()
            .note(whom, entry, context.origin().clone());
    }

    /// Enqueues all its ids for checking; whether it names any.
    fn enqueue(&self, context: &RequestContext) -> bool {
        let all = self.ids.iter().chain(&self.unanswered).copied();
        self.leave(context, all.collect())
    }

    fn leave(&self, context: &RequestContext, ids: Vec<NamedId>) -> bool {
        if ids.is_empty() {
            return false;
        }
        let actor = context.actor();
        context.recorder().suspect(Suspicion {
            tenant: actor.tenant,
            actor: actor.author.to_string(),
            operation: self.name.to_string(),
            request_id: context.origin().request_id.clone(),
            ids,
        });
        true
    }
}

impl<'d> IdReader<'d> {
    fn fragment(&self, name: &Name) -> Option<&'d SelectionSet> {
        let fragment = self.document.fragments.get(name)?;
        Some(&fragment.node.selection_set.node)
    }

    /// The ids in some of a field's arguments.
    fn collect(&self, field: &Field, ids: &mut Vec<NamedId>, is_meant: impl Fn(&str) -> bool) {
        let meant = field
            .arguments
            .iter()
            .filter(|(name, _)| is_meant(&name.node));
        for (_, value) in meant {
            // What variables hold is read where it is; only the document's own text is copied.
            let literal = value.node.clone().into_const_with(|name| {
                if let Some(value) = self.variables.get(&name) {
                    collect(value, ids);
                }
                Ok::<_, std::convert::Infallible>(Value::Null)
            });
            let Ok(literal) = literal;
            collect(&literal, ids);
        }
    }

    /// The ids in the arguments of all fields of a selection.
    fn below(&mut self, set: &SelectionSet, ids: &mut Vec<NamedId>, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        for selection in &set.items {
            let Some(left) = self.nested.checked_sub(1) else {
                return;
            };
            self.nested = left;
            match &selection.node {
                Selection::Field(field) => {
                    self.collect(&field.node, ids, |_| true);
                    self.below(&field.node.selection_set.node, ids, depth);
                }
                Selection::InlineFragment(inline) => {
                    self.below(&inline.node.selection_set.node, ids, depth);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(set) = self.fragment(&spread.node.fragment_name.node) {
                        self.below(set, ids, depth);
                    }
                }
            }
        }
    }
}

/// A mutation's payload says it in its errors; a list that was filtered by ids and is empty may have been filtered by
/// another tenant's.
fn of_payload(payload: &async_graphql::indexmap::IndexMap<Name, Value>) -> FieldOutcome {
    let errors = match payload.get("userErrors") {
        Some(Value::List(errors)) => errors.as_slice(),
        _ => &[],
    };
    for error in errors {
        let Value::Object(error) = error else {
            continue;
        };
        match error.get("code").and_then(text) {
            Some("FORBIDDEN") => {
                let why = error.get("message").and_then(text).unwrap_or_default();
                return FieldOutcome::Refused(why.to_owned());
            }
            Some("NOT_FOUND") => return FieldOutcome::Absent,
            _ => {}
        }
    }
    let is_empty =
        |name: &str| matches!(payload.get(name), Some(Value::List(rows)) if rows.is_empty());
    let counts_none =
        matches!(payload.get("totalCount"), Some(Value::Number(n)) if n.as_i64() == Some(0));
    if is_empty("nodes") || is_empty("edges") || counts_none {
        return FieldOutcome::Absent;
    }
    FieldOutcome::Done
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Enum(name) => Some(name),
        _ => None,
    }
}

/// All ids in a value, up to a number of them.
fn collect(value: &Value, ids: &mut Vec<NamedId>) {
    match value {
        Value::String(text) => keep(text, ids),
        Value::List(items) => items.iter().for_each(|item| collect(item, ids)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, ids)),
        _ => {}
    }
}

fn keep(text: &str, ids: &mut Vec<NamedId>) {
    if ids.len() < MOST_IDS {
        ids.extend(NamedId::parse(text));
    }
}
