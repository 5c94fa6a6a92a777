//! What an answer says of attempts: fields that were refused, and fields that named ids and found nothing.
//!
//! Read off the finished answer, so that no resolver can forget it and none takes longer for it. A client that does
//! not ask for a mutation's errors is found by what its writes came to.

use async_graphql::{
    Name, Response, Value, Variables,
    parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet},
};

use super::RequestContext;
use crate::audit::{Entry, MOST_IDS, NamedId, Suspicion, Whom};

/// Fragments nest at most so deep before a root field.
const DEPTH: usize = 8;
/// Most root fields that are looked at.
const MOST_FIELDS: usize = 50;

/// The root fields of an operation with the ids that each names.
#[derive(Debug, Default)]
pub(super) struct Asked(Vec<AskedField>);

#[derive(Debug)]
struct AskedField {
    key: Name,
    name: Name,
    ids: Vec<NamedId>,
}

/// What a root field came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused(String),
    Absent,
}

impl Asked {
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
        let mut asked = Self::default();
        asked.learn(document, &operation.selection_set.node, &values, DEPTH);
        asked
    }

    fn learn(
        &mut self,
        document: &ExecutableDocument,
        set: &SelectionSet,
        variables: &Variables,
        depth: usize,
    ) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if self.0.len() < MOST_FIELDS => {
                    self.0.push(AskedField::of(&field.node, variables));
                }
                Selection::Field(_) => return,
                Selection::InlineFragment(inline) => {
                    let set = &inline.node.selection_set.node;
                    self.learn(document, set, variables, depth);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = document.fragments.get(&spread.node.fragment_name.node);
                    if let Some(fragment) = fragment {
                        let set = &fragment.node.selection_set.node;
                        self.learn(document, set, variables, depth);
                    }
                }
            }
        }
    }

    /// Notes what the answer says of attempts; whether there was anything to note.
    pub(super) fn note(self, context: &RequestContext, response: &Response) -> bool {
        let slips = std::mem::take(&mut *context.slips());
        let mut reasons = slips.refused.into_iter();
        let mut quiet = Vec::new();
        let (mut is_told, mut has_noted) = (false, false);
        for field in self.0 {
            match field.outcome(response) {
                Outcome::Done => quiet.push(field),
                Outcome::Refused(why) => {
                    let why = reasons.next().unwrap_or(why);
                    field.note_refused(context, why);
                    has_noted = true;
                }
                Outcome::Absent => {
                    is_told = true;
                    has_noted |= field.suspect(context);
                }
            }
        }
        if let Some(field) = AskedField::of_all(quiet) {
            for why in reasons {
                field.note_refused(context, why);
                has_noted = true;
            }
            if slips.absent && !is_told {
                has_noted |= field.suspect(context);
            }
        }
        has_noted
    }
}

impl AskedField {
    fn of(field: &Field, variables: &Variables) -> Self {
        let mut ids = Vec::new();
        for (_, value) in &field.arguments {
            // What variables hold is read where it is; only the document's own text is copied.
            let literal = value.node.clone().into_const_with(|name| {
                if let Some(value) = variables.get(&name) {
                    collect(value, &mut ids);
                }
                Ok::<_, std::convert::Infallible>(Value::Null)
            });
            let Ok(literal) = literal;
            collect(&literal, &mut ids);
        }
        Self {
            key: field.response_key().node.clone(),
            name: field.name.node.clone(),
            ids,
        }
    }

    /// Several fields of which nobody can say which it was.
    fn of_all(fields: Vec<Self>) -> Option<Self> {
        fields.into_iter().reduce(|mut all, field| {
            all.name = Name::new(format!("{}, {}", all.name, field.name));
            all.ids.extend(field.ids);
            all
        })
    }

    fn outcome(&self, response: &Response) -> Outcome {
        let is_here = |path: &[async_graphql::PathSegment]| matches!(path.first(), Some(async_graphql::PathSegment::Field(key)) if *key == self.key.as_str());
        for error in response.errors.iter().filter(|error| is_here(&error.path)) {
            let code = error.extensions.as_ref().and_then(|all| all.get("code"));
            match code.and_then(text) {
                Some("FORBIDDEN") => return Outcome::Refused(error.message.clone()),
                Some("NOT_FOUND") => return Outcome::Absent,
                _ => {}
            }
        }
        let Value::Object(data) = &response.data else {
            return Outcome::Done;
        };
        match data.get(&self.key) {
            Some(Value::Null) => Outcome::Absent,
            Some(Value::Object(payload)) => of_payload(payload),
            _ => Outcome::Done,
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

    /// Whether it names any ids.
    fn suspect(&self, context: &RequestContext) -> bool {
        if self.ids.is_empty() {
            return false;
        }
        let actor = context.actor();
        context.recorder().suspect(Suspicion {
            tenant: actor.tenant,
            actor: actor.author.to_string(),
            operation: self.name.to_string(),
            origin: context.origin().clone(),
            ids: self.ids.clone(),
        });
        true
    }
}

/// A mutation's payload says it in its errors; a list that was filtered by ids and is empty may have been filtered by
/// another tenant's.
fn of_payload(payload: &async_graphql::indexmap::IndexMap<Name, Value>) -> Outcome {
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
                return Outcome::Refused(why.to_owned());
            }
            Some("NOT_FOUND") => return Outcome::Absent,
            _ => {}
        }
    }
    let is_empty =
        |name: &str| matches!(payload.get(name), Some(Value::List(rows)) if rows.is_empty());
    let counts_none =
        matches!(payload.get("totalCount"), Some(Value::Number(n)) if n.as_i64() == Some(0));
    if is_empty("nodes") || is_empty("edges") || counts_none {
        return Outcome::Absent;
    }
    Outcome::Done
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
