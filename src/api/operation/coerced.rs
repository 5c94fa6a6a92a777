//! Variables within a value that stands for a list of it, as in `or: { and: $filters }`: apollo-compiler does not look whether
//! they may be used there (GraphQL specification, section 5.8.5).

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Name, Node,
    ast::{Type, Value},
    executable::{Operation, Selection, SelectionSet},
    schema::ExtendedType,
};

use super::{literals::LiteralFault, parse::SCHEMA};

/// All that may not be used where they are.
pub(super) fn faults(document: &ExecutableDocument) -> Vec<LiteralFault<'_>> {
    let mut found = Vec::new();
    for operation in document.operations.iter() {
        let mut walk = Walk {
            document,
            operation,
            seen: HashSet::new(),
            found: &mut found,
        };
        walk.of_set(&operation.selection_set);
    }
    found
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'t> {
    ty: &'t Type,
    has_default: bool,
    /// Whether something around it stands for a list.
    is_coerced: bool,
}

struct Walk<'a, 'f> {
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    seen: HashSet<&'a Name>,
    found: &'f mut Vec<LiteralFault<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn of_set(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    for argument in &field.arguments {
                        if let Some(known) = field.definition.argument_by_name(&argument.name) {
                            let place = Place {
                                ty: &known.ty,
                                has_default: known.default_value.is_some(),
                                is_coerced: false,
                            };
                            self.check(place, &argument.value);
                        }
                    }
                    self.of_set(&field.selection_set);
                }
                Selection::InlineFragment(inline) => self.of_set(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment.filter(|of| self.seen.insert(&of.name)) {
                        self.of_set(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn check(&mut self, place: Place<'_>, value: &'a Node<Value>) {
        let within = |ty, is_coerced| Place {
            ty,
            has_default: false,
            is_coerced,
        };
        match (place.ty, &**value) {
            (_, Value::Variable(name)) if place.is_coerced => self.variable(place, name, value),
            (Type::List(inner) | Type::NonNullList(inner), Value::List(items)) => {
                for item in items {
                    self.check(within(inner, place.is_coerced), item);
                }
            }
            (Type::List(inner) | Type::NonNullList(inner), Value::Object(_)) => {
                self.check(within(inner, true), value);
            }
            (Type::Named(name) | Type::NonNullNamed(name), Value::Object(fields)) => {
                let Some(ExtendedType::InputObject(known)) = SCHEMA.types.get(name) else {
                    return;
                };
                for (name, value) in fields {
                    if let Some(field) = known.fields.get(name) {
                        let place = Place {
                            ty: &field.ty,
                            has_default: field.default_value.is_some(),
                            is_coerced: place.is_coerced,
                        };
                        self.check(place, value);
                    }
                }
            }
            _ => {}
        }
    }

    fn variable(&mut self, place: Place<'_>, name: &Name, value: &'a Node<Value>) {
        let mut variables = self.operation.variables.iter();
        // One that is not declared is told of by the other rules.
        let Some(variable) = variables.find(|variable| variable.name == *name) else {
            return;
        };
        let default = variable.default_value.as_ref();
        let is_given = place.has_default || default.is_some_and(|value| !value.is_null());
        let is_allowed = match place.ty.is_non_null() && !variable.ty.is_non_null() {
            true => is_given && variable.ty.is_assignable_to(&place.ty.clone().nullable()),
            false => variable.ty.is_assignable_to(place.ty),
        };
        if !is_allowed {
            let (is, wanted) = (&variable.ty, place.ty);
            let mismatch = format!(
                "Variable \"${name}\" of type \"{is}\" used in position expecting type \"{wanted}\"."
            );
            let mismatch = mismatch.into();
            self.found.push(LiteralFault { value, mismatch });
        }
    }
}
