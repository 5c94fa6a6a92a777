//! Which fields an operation selects of each object (GraphQL specification, section 6.3.2), with what `@skip` and
//! `@include` evaluated: fragments are expanded, and fields of the same key merged. Variables still stand in arguments,
//! so that the fields of a document whose directives use no variable are collected once.

use std::cell::Cell;

use apollo_compiler::{
    Schema,
    ast::{InputValueDefinition, Type},
    schema::ExtendedType,
};
use async_graphql::{
    Name, Pos, Positioned, Value as ConstValue, Variables,
    indexmap::IndexMap,
    parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet},
};
use async_graphql_value::Value;

use super::parse::SCHEMA;

/// What is selected of an object.
#[derive(Debug, Default)]
pub(super) struct CollectedFields {
    /// In the order of the answer.
    pub(super) fields: Vec<CollectedField>,
    /// The position of a directive whose condition is null: the selection is undecidable, so the object fails.
    pub(super) undecided: Option<Pos>,
}

/// A field that is answered.
#[derive(Debug)]
pub(super) struct CollectedField {
    /// Its key in the answer.
    pub(super) key: Name,
    /// The field for the executor, except for the values of variables: no directives, and nothing below it.
    pub(super) asked: Positioned<Field>,
    /// Its type by the schema.
    pub(super) ty: Type,
    /// What is selected of what it answers.
    pub(super) below: SubSelection,
}

/// What is selected of the objects that a field answers.
#[derive(Debug)]
pub(super) enum SubSelection {
    /// They are none.
    Leaf,
    /// The same of all.
    Object(CollectedFields),
    /// By the object's type.
    Abstract {
        /// Of objects of these types.
        of: IndexMap<Name, CollectedFields>,
        /// Of all others.
        others: CollectedFields,
        /// All types that there may be.
        possible: Vec<Name>,
    },
}

impl CollectedFields {
    /// Whether a field of one of these names is among them or below them.
    pub(super) fn selects(&self, names: &[&str]) -> bool {
        self.fields.iter().any(|field| {
            names.contains(&field.asked.node.name.node.as_str())
                || match &field.below {
                    SubSelection::Leaf => false,
                    SubSelection::Object(fields) => fields.selects(names),
                    SubSelection::Abstract { of, others, .. } => {
                        others.selects(names) || of.values().any(|fields| fields.selects(names))
                    }
                }
        })
    }
}

/// Collects the fields of one operation.
pub(super) struct Collector<'a> {
    pub(super) document: &'a ExecutableDocument,
    /// Coerced.
    pub(super) variables: &'a Variables,
    /// Whether a directive uses a variable.
    pub(super) has_asked: Cell<bool>,
}

/// Selection sets that stand on the same object.
type Sets<'a> = Vec<&'a SelectionSet>;

/// Fields of the same key.
type Group<'a> = Vec<&'a Positioned<Field>>;

/// What was found of an object.
#[derive(Default)]
struct FieldGroups<'a> {
    groups: IndexMap<Name, Group<'a>>,
    /// Fragments that were expanded already.
    spread: Vec<&'a Name>,
    undecided: Option<Pos>,
}

impl<'a> Collector<'a> {
    /// What sets select of objects of a type.
    pub(super) fn object(&self, type_name: &str, sets: &Sets<'a>) -> CollectedFields {
        let mut found = FieldGroups::default();
        for set in sets {
            found.spread.clear();
            self.collect(type_name, set, &mut found);
        }
        if found.undecided.is_some() {
            return CollectedFields {
                fields: Vec::new(),
                undecided: found.undecided,
            };
        }
        let groups = found.groups.into_iter();
        let fields = groups.filter_map(|(key, group)| self.field(type_name, key, &group));
        CollectedFields {
            fields: fields.collect(),
            undecided: None,
        }
    }

    /// Adds the fields that a set selects of objects of a type.
    fn collect(&self, type_name: &str, set: &'a SelectionSet, found: &mut FieldGroups<'a>) {
        for item in &set.items {
            match self.includes(item.node.directives()) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(at) => {
                    found.undecided.get_or_insert(at);
                    continue;
                }
            }
            match &item.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.clone();
                    found.groups.entry(key).or_default().push(field);
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    if on.is_none_or(|on| is_of(type_name, &on.node.on.node)) {
                        let set = &inline.node.selection_set.node;
                        self.collect(type_name, set, found);
                    }
                }
                Selection::FragmentSpread(used) => {
                    let name = &used.node.fragment_name.node;
                    let Some(fragment) = self.document.fragments.get(name) else {
                        continue;
                    };
                    let on = &fragment.node.type_condition.node.on.node;
                    if !found.spread.contains(&name) && is_of(type_name, on) {
                        found.spread.push(name);
                        let set = &fragment.node.selection_set.node;
                        self.collect(type_name, set, found);
                    }
                }
            }
        }
    }

    /// One field; the arguments of all of the group are the same, as validation has seen to.
    fn field(&self, parent: &str, key: Name, group: &Group<'a>) -> Option<CollectedField> {
        let first = *group.first()?;
        let known = SCHEMA.type_field(parent, &first.node.name.node).ok()?;
        let target = known.ty.inner_named_type();
        let sets = group.iter().map(|field| &field.node.selection_set.node);
        let sets: Sets<'a> = sets.collect();
        let below = match SCHEMA.types.get(target)? {
            ExtendedType::Object(_) => SubSelection::Object(self.object(target, &sets)),
            ExtendedType::Interface(_) | ExtendedType::Union(_) => self.by_type(target, &sets),
            _ => SubSelection::Leaf,
        };
        let field = &first.node;
        let asked = Field {
            alias: (field.name.node != key).then(|| first.position_node(key.clone())),
            name: field.name.clone(),
            arguments: self.arguments(field, &known.arguments),
            directives: Vec::new(),
            selection_set: field.selection_set.position_node(SelectionSet::default()),
        };
        Some(CollectedField {
            asked: first.position_node(asked),
            ty: known.ty.clone(),
            key,
            below,
        })
    }

    fn by_type(&self, type_name: &str, sets: &Sets<'a>) -> SubSelection {
        let possible = possible_types(&SCHEMA, type_name);
        let mut conditions = TypeConditions::default();
        for set in sets {
            conditions.learn(self.document, set);
        }
        let is_told_apart = |one: &&Name| {
            let mut named = conditions.named.iter();
            named.any(|on| is_of(one, on) != is_of(type_name, on))
        };
        let apart = possible.iter().filter(is_told_apart);
        SubSelection::Abstract {
            of: apart
                .map(|one| (one.clone(), self.object(one, sets)))
                .collect(),
            others: self.object(type_name, sets),
            possible,
        }
    }

    /// Whether directives include what they stand on; the place of one that does not say.
    fn includes(&self, directives: &[Positioned<Directive>]) -> Result<bool, Pos> {
        for directive in directives {
            let wanted = match directive.node.name.node.as_str() {
                "skip" => false,
                "include" => true,
                _ => continue,
            };
            let condition = directive.node.get_argument("if");
            match condition.and_then(|value| self.condition(&value.node)) {
                Some(ConstValue::Boolean(is_so)) if is_so == wanted => {}
                Some(ConstValue::Boolean(_)) => return Ok(false),
                _ => return Err(directive.pos),
            }
        }
        Ok(true)
    }

    fn arguments(
        &self,
        field: &Field,
        known: &[apollo_compiler::Node<InputValueDefinition>],
    ) -> Vec<(Positioned<Name>, Positioned<Value>)> {
        let given = field.arguments.iter().filter_map(|(name, value)| {
            let mut known = known.iter();
            let known = known.find(|known| known.name == name.node.as_str())?;
            let value = value.position_node(literal(&known.ty, &value.node));
            Some((name.clone(), value))
        });
        given.collect()
    }

    fn condition(&self, value: &Value) -> Option<ConstValue> {
        if let Value::Variable(_) = value {
            self.has_asked.set(true);
        }
        filled(value, self.variables)
    }
}

/// A value with its variables put in; none when it is a variable that has no value, which is as if it were not there.
pub(super) fn filled(value: &Value, variables: &Variables) -> Option<ConstValue> {
    Some(match value {
        Value::Variable(name) => return variables.get(name).cloned(),
        Value::List(items) => {
            let items = items.iter();
            let items = items.map(|item| filled(item, variables).unwrap_or_default());
            ConstValue::List(items.collect())
        }
        Value::Object(fields) => {
            let given = fields
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), filled(value, variables)?)));
            ConstValue::Object(given.collect())
        }
        plain => plain.clone().into_const()?,
    })
}

/// A literal as its type reads it.
fn literal(ty: &Type, value: &Value) -> Value {
    match (ty, value) {
        (_, Value::Variable(_) | Value::Null) => value.clone(),
        (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
            Value::List(items.iter().map(|item| literal(inner, item)).collect())
        }
        (Type::List(inner) | Type::NonNullList(inner), one) => {
            Value::List(vec![literal(inner, one)])
        }
        (Type::Named(name) | Type::NonNullNamed(name), value) => named(name, value),
    }
}

fn named(type_name: &str, value: &Value) -> Value {
    match (SCHEMA.types.get(type_name), value) {
        (Some(ExtendedType::InputObject(known)), Value::Object(given)) => {
            let fields = given.iter().filter_map(|(name, value)| {
                let known = known.fields.get(name.as_str())?;
                Some((name.clone(), literal(&known.ty, value)))
            });
            Value::Object(fields.collect())
        }
        (_, Value::Number(number)) if type_name == "ID" => Value::String(number.to_string()),
        (_, value) => value.clone(),
    }
}

/// The type conditions of fragments, wherever they stand in a set.
#[derive(Default)]
struct TypeConditions<'a> {
    named: Vec<&'a Name>,
    spread: Vec<&'a Name>,
}

impl<'a> TypeConditions<'a> {
    fn learn(&mut self, document: &'a ExecutableDocument, set: &'a SelectionSet) {
        for item in &set.items {
            let (on, set) = match &item.node {
                Selection::Field(_) => continue,
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    (on, &inline.node.selection_set.node)
                }
                Selection::FragmentSpread(used) => {
                    let name = &used.node.fragment_name.node;
                    let Some(fragment) = document.fragments.get(name) else {
                        continue;
                    };
                    if self.spread.contains(&name) {
                        continue;
                    }
                    self.spread.push(name);
                    let on = Some(&fragment.node.type_condition);
                    (on, &fragment.node.selection_set.node)
                }
            };
            self.named.extend(on.map(|on| &on.node.on.node));
            self.learn(document, set);
        }
    }
}

/// Whether all objects of a type are of another one.
fn is_of(type_name: &str, other: &str) -> bool {
    type_name == other || SCHEMA.is_subtype(other, type_name)
}

/// The types of the objects that an interface or a union stands for.
fn possible_types(schema: &Schema, type_name: &str) -> Vec<Name> {
    let is_one = |(name, ty): &(&apollo_compiler::Name, &ExtendedType)| {
        ty.is_object() && schema.is_subtype(type_name, name)
    };
    let types = schema.types.iter().filter(is_one);
    types.map(|(name, _)| Name::new(name.as_str())).collect()
}
