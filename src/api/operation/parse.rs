//! From the text of a document to what the rest of the program walks, and what validation says of it.
//!
//! apollo-compiler reads and validates: it keeps to the specification where async-graphql 7.2.1 does not (surrogate
//! pairs and `\u{…}` in strings, enum values given as strings, variables in nested positions, directives on
//! `__typename`), and in time linear to the text. What it read is written down in the types of async-graphql, since that
//! is what executes.

use std::{collections::HashMap, sync::LazyLock};

use apollo_compiler::{
    Node, Schema,
    ast::{self, Definition, DirectiveList},
    diagnostic::ToCliReport as _,
    parser::SourceSpan,
    validation::{DiagnosticData, DiagnosticList, Valid},
};
use async_graphql::{
    Name, Pos, Positioned, ServerError, Value as ConstValue,
    parser::types::{
        BaseType, Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition,
        FragmentSpread, InlineFragment, OperationDefinition, OperationType, Selection,
        SelectionSet, Type, TypeCondition, VariableDefinition,
    },
};
use async_graphql_value::{Number, Value};

use super::{coerced, literals};

/// The schema that documents are validated against.
pub(in crate::api) static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    // async-graphql answers this one too; apollo-compiler does not know it yet.
    let text = super::super::sdl() + "extend type __Type { isOneOf: Boolean }";
    Schema::parse_and_validate(text, "schema.graphql").expect("the schema's own text is a schema")
});

/// The most errors that are reported of one document.
const MOST_ERRORS: usize = 10;

/// A document that was read.
#[derive(Debug)]
pub(in crate::api) struct Read {
    /// Its operations and fragments.
    pub(in crate::api) parsed: ExecutableDocument,
    /// What is wrong with it by the schema; nothing, mostly.
    pub(in crate::api) faults: Vec<ServerError>,
}

/// Why a text is no document.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api) struct SyntaxError {
    /// What is wrong.
    pub(in crate::api) message: String,
    /// Where.
    pub(in crate::api) at: Option<Pos>,
}

/// Reads a text and validates it. Its size and nesting were bounded before.
///
/// # Errors
/// The text is no document, or has no operation.
pub(in crate::api) fn read(text: &str) -> Result<Read, SyntaxError> {
    let lines = Lines::of(text);
    let document =
        ast::Document::parse(text, "document").map_err(|wrong| lines.syntax(&wrong.errors))?;
    let faults = match document.to_executable_validate(&SCHEMA) {
        Ok(valid) => lines.wrong_literals(&valid),
        Err(wrong) => lines.faults(&wrong.errors),
    };
    let parsed = DocumentConverter { lines }.document(&document)?;
    Ok(Read { parsed, faults })
}

/// Where lines begin, to give positions as clients count them: from one, in UTF-16 units, as graphql-js does.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let ends_line = |at: usize| match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let starts = (0..bytes.len()).filter(|at| ends_line(*at));
        Self {
            text,
            starts: std::iter::once(0).chain(starts.map(|at| at + 1)).collect(),
        }
    }

    fn pos(&self, offset: usize) -> Pos {
        let line = self.starts.partition_point(|start| *start <= offset);
        let before = self.text.get(self.starts[line - 1]..offset);
        Pos {
            line,
            column: before.unwrap_or_default().encode_utf16().count() + 1,
        }
    }

    fn of_span(&self, span: Option<SourceSpan>) -> Pos {
        self.pos(span.map_or(0, |span| span.offset()))
    }

    /// The parser goes on after an error and reports more because of it; the first is the one to fix.
    fn syntax(&self, wrong: &DiagnosticList) -> SyntaxError {
        let first = wrong.iter().next();
        SyntaxError {
            at: first
                .as_ref()
                .and_then(|first| first.error.location())
                .map(|span| self.pos(span.offset())),
            message: first.map_or_else(String::new, |first| {
                let message = first.to_json().message;
                message
                    .trim_start_matches("syntax error: ")
                    .trim_end_matches('.')
                    .to_owned()
            }),
        }
    }

    fn wrong_literals(&self, document: &apollo_compiler::ExecutableDocument) -> Vec<ServerError> {
        let faults = literals::faults(document)
            .into_iter()
            .chain(coerced::faults(document));
        let faults = faults.take(MOST_ERRORS);
        let faults = faults.map(|fault| {
            let at = self.of_span(fault.value.location());
            let mut error = ServerError::new(fault.mismatch.expected, Some(at));
            if let Some(code) = fault.mismatch.code {
                error.extensions.get_or_insert_default().set("code", code);
            }
            error
        });
        faults.collect()
    }

    fn faults(&self, wrong: &DiagnosticList) -> Vec<ServerError> {
        let all: Vec<_> = wrong.iter().collect();
        let name_of = |known: &DiagnosticData| known.unstable_error_name();
        // What is left of a selection without the fields that are unknown may be nothing, which is no fault of its own.
        let has_unknown = all
            .iter()
            .any(|fault| name_of(fault.error) == Some("UndefinedField"));
        let faults = all.into_iter().filter_map(|fault| {
            let known: &DiagnosticData = fault.error;
            let name = name_of(known);
            if has_unknown && name == Some("MissingSubselection") {
                return None;
            }
            let at = known.location().map(|span| self.pos(span.offset()));
            let mut error = ServerError::new(fault.unstable_to_json_compat().message, at);
            if name == Some("SubscriptionUsesMultipleFields") {
                let extensions = error.extensions.get_or_insert_default();
                extensions.set("code", "SUBSCRIPTION_FIELDS");
            }
            Some(error)
        });
        faults.take(MOST_ERRORS).collect()
    }
}

/// Writes a document down in the types of async-graphql.
struct DocumentConverter<'a> {
    lines: Lines<'a>,
}

impl DocumentConverter<'_> {
    fn document(&self, document: &ast::Document) -> Result<ExecutableDocument, SyntaxError> {
        let mut anonymous = None;
        let (mut named, mut fragments) = (HashMap::new(), HashMap::new());
        for definition in &document.definitions {
            match definition {
                Definition::OperationDefinition(operation) => {
                    let written = self.at(operation, self.operation(operation));
                    // Validation refuses two of one name, and one without a name beside others.
                    match &operation.name {
                        Some(name) => _ = named.entry(to_name(name)).or_insert(written),
                        None => _ = anonymous.get_or_insert(written),
                    }
                }
                Definition::FragmentDefinition(fragment) => {
                    let written = self.at(fragment, self.fragment(fragment));
                    fragments.entry(to_name(&fragment.name)).or_insert(written);
                }
                // Validation says that these can't be executed.
                _ => {}
            }
        }
        let operations = match anonymous {
            _ if !named.is_empty() => DocumentOperations::Multiple(named),
            Some(operation) => DocumentOperations::Single(operation),
            None => {
                return Err(SyntaxError {
                    message: "the document has no operation".to_owned(),
                    at: None,
                });
            }
        };
        Ok(ExecutableDocument {
            operations,
            fragments,
        })
    }

    fn at<T, U>(&self, source: &Node<T>, node: U) -> Positioned<U> {
        Positioned::new(node, self.lines.of_span(source.location()))
    }

    fn name(&self, name: &apollo_compiler::Name) -> Positioned<Name> {
        Positioned::new(to_name(name), self.lines.of_span(name.location()))
    }

    fn operation(&self, operation: &ast::OperationDefinition) -> OperationDefinition {
        let variables = operation.variables.iter();
        OperationDefinition {
            ty: match operation.operation_type {
                ast::OperationType::Query => OperationType::Query,
                ast::OperationType::Mutation => OperationType::Mutation,
                ast::OperationType::Subscription => OperationType::Subscription,
            },
            variable_definitions: variables
                .map(|variable| self.at(variable, self.variable(variable)))
                .collect(),
            directives: self.directives(&operation.directives),
            selection_set: self.set(&operation.selection_set),
        }
    }

    fn variable(&self, variable: &ast::VariableDefinition) -> VariableDefinition {
        let default = variable.default_value.as_ref();
        VariableDefinition {
            name: self.name(&variable.name),
            var_type: self.at(&variable.ty, to_type(&variable.ty)),
            directives: self.directives(&variable.directives),
            // Validation refuses variables in it.
            default_value: default.map(|value| {
                let constant = to_value(value).into_const();
                self.at(value, constant.unwrap_or(ConstValue::Null))
            }),
        }
    }

    fn fragment(&self, fragment: &ast::FragmentDefinition) -> FragmentDefinition {
        FragmentDefinition {
            type_condition: self.condition(&fragment.type_condition),
            directives: self.directives(&fragment.directives),
            selection_set: self.set(&fragment.selection_set),
        }
    }

    fn condition(&self, on: &ast::NamedType) -> Positioned<TypeCondition> {
        let on = self.name(on);
        Positioned::new(TypeCondition { on: on.clone() }, on.pos)
    }

    fn set(&self, items: &[ast::Selection]) -> Positioned<SelectionSet> {
        let items: Vec<_> = items.iter().map(|item| self.selection(item)).collect();
        let at = items.first().map(|first| first.pos).unwrap_or_default();
        Positioned::new(SelectionSet { items }, at)
    }

    fn selection(&self, selection: &ast::Selection) -> Positioned<Selection> {
        match selection {
            ast::Selection::Field(field) => {
                let written = self.at(field, self.field(field));
                Positioned::new(Selection::Field(written.clone()), written.pos)
            }
            ast::Selection::FragmentSpread(spread) => {
                let written = self.at(
                    spread,
                    FragmentSpread {
                        fragment_name: self.name(&spread.fragment_name),
                        directives: self.directives(&spread.directives),
                    },
                );
                Positioned::new(Selection::FragmentSpread(written.clone()), written.pos)
            }
            ast::Selection::InlineFragment(inline) => {
                let condition = inline.type_condition.as_ref();
                let written = self.at(
                    inline,
                    InlineFragment {
                        type_condition: condition.map(|on| self.condition(on)),
                        directives: self.directives(&inline.directives),
                        selection_set: self.set(&inline.selection_set),
                    },
                );
                Positioned::new(Selection::InlineFragment(written.clone()), written.pos)
            }
        }
    }

    fn field(&self, field: &ast::Field) -> Field {
        Field {
            alias: field.alias.as_ref().map(|alias| self.name(alias)),
            name: self.name(&field.name),
            arguments: self.arguments(&field.arguments),
            directives: self.directives(&field.directives),
            selection_set: self.set(&field.selection_set),
        }
    }

    fn arguments(
        &self,
        arguments: &[Node<ast::Argument>],
    ) -> Vec<(Positioned<Name>, Positioned<Value>)> {
        let arguments = arguments.iter().map(|argument| {
            let value = self.at(&argument.value, to_value(&argument.value));
            (self.name(&argument.name), value)
        });
        arguments.collect()
    }

    fn directives(&self, directives: &DirectiveList) -> Vec<Positioned<Directive>> {
        let directives = directives.iter().map(|directive| {
            let written = Directive {
                name: self.name(&directive.name),
                arguments: self.arguments(&directive.arguments),
            };
            self.at(directive, written)
        });
        directives.collect()
    }
}

fn to_name(name: &apollo_compiler::Name) -> Name {
    Name::new(name.as_str())
}

fn to_type(ty: &ast::Type) -> Type {
    let base = match ty {
        ast::Type::Named(name) | ast::Type::NonNullNamed(name) => BaseType::Named(to_name(name)),
        ast::Type::List(inner) | ast::Type::NonNullList(inner) => {
            BaseType::List(Box::new(to_type(inner)))
        }
    };
    Type {
        base,
        nullable: !ty.is_non_null(),
    }
}

pub(super) fn to_value(value: &ast::Value) -> Value {
    match value {
        ast::Value::Null => Value::Null,
        ast::Value::Enum(name) => Value::Enum(to_name(name)),
        ast::Value::Variable(name) => Value::Variable(to_name(name)),
        ast::Value::String(text) => Value::String(text.clone()),
        ast::Value::Boolean(is_so) => Value::Boolean(*is_so),
        ast::Value::Int(number) => to_number(number.as_str()),
        ast::Value::Float(number) => to_number(number.as_str()),
        ast::Value::List(items) => Value::List(items.iter().map(|item| to_value(item)).collect()),
        ast::Value::Object(fields) => {
            let fields = fields.iter();
            Value::Object(
                fields
                    .map(|(name, value)| (to_name(name), to_value(value)))
                    .collect(),
            )
        }
    }
}

/// A number beyond what any of our types holds becomes its digits, which none of them accepts.
fn to_number(digits: &str) -> Value {
    match digits.parse::<Number>() {
        Ok(number) => Value::Number(number),
        Err(_) => Value::String(digits.to_owned()),
    }
}

/// The type whose fields an operation selects.
pub(super) fn root(operation: OperationType) -> &'static str {
    let root = SCHEMA.root_operation(match operation {
        OperationType::Query => ast::OperationType::Query,
        OperationType::Mutation => ast::OperationType::Mutation,
        OperationType::Subscription => ast::OperationType::Subscription,
    });
    root.map_or("", |name| name.as_str())
}
