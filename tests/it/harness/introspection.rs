//! The schema as data, so that a law holds for a field that nobody thought of when the law was written.

use std::collections::BTreeMap;

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, Type, TypeKind, TypeSystemDefinition},
};

use super::kind_of_operation;

/// All types of the schema.
pub(crate) struct Schema {
    fields: BTreeMap<String, Vec<Field>>,
    enums: BTreeMap<String, Vec<String>>,
    unions: BTreeMap<String, Vec<String>>,
    nodes: Vec<String>,
}

/// A field of an object, or of an input object.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) arguments: Vec<Field>,
    pub(crate) of: TypeRef,
}

/// A type as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeRef {
    pub(crate) name: String,
    pub(crate) is_list: bool,
    pub(crate) is_required: bool,
}

impl Schema {
    /// Reads what the server serves.
    pub(crate) fn of_server() -> Self {
        let document =
            parse_schema(dealgraph::api::sdl()).expect("the schema's own text is a schema");
        let mut schema = Self {
            fields: BTreeMap::new(),
            enums: BTreeMap::new(),
            unions: BTreeMap::new(),
            nodes: Vec::new(),
        };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let name = definition.node.name.node.to_string();
            let fields = match definition.node.kind {
                TypeKind::Object(object) => {
                    if object
                        .implements
                        .iter()
                        .any(|interface| interface.node == "Node")
                    {
                        schema.nodes.push(name.clone());
                    }
                    object
                        .fields
                        .into_iter()
                        .map(|field| field.node.into())
                        .collect()
                }
                TypeKind::InputObject(input) => input
                    .fields
                    .into_iter()
                    .map(|field| field.node.into())
                    .collect(),
                TypeKind::Enum(of) => {
                    let values = of
                        .values
                        .into_iter()
                        .map(|value| value.node.value.to_string())
                        .collect();
                    schema.enums.insert(name, values);
                    continue;
                }
                TypeKind::Union(of) => {
                    schema.unions.insert(
                        name,
                        of.members
                            .into_iter()
                            .map(|member| member.node.to_string())
                            .collect(),
                    );
                    continue;
                }
                _ => continue,
            };
            schema.fields.insert(name, fields);
        }
        schema
    }

    /// The fields of an object or an input object; none for a scalar.
    pub(crate) fn fields(&self, of: &str) -> &[Field] {
        self.fields.get(of).map_or(&[], Vec::as_slice)
    }

    /// All objects that are sent, by their names.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &[Field])> {
        let inputs = self.fields.iter();
        let inputs = inputs.filter(|(name, _)| name.ends_with("Input") || name.ends_with("Filter"));
        inputs.map(|(name, fields)| (name.as_str(), fields.as_slice()))
    }

    /// The values of an enum; none for anything else.
    pub(crate) fn values(&self, of: &str) -> &[String] {
        self.enums.get(of).map_or(&[], Vec::as_slice)
    }

    /// The members of a union; none for anything else.
    pub(crate) fn members(&self, of: &str) -> &[String] {
        self.unions.get(of).map_or(&[], Vec::as_slice)
    }

    /// Whether a filter's field compares ids.
    pub(crate) fn compares_ids(&self, filter: &Field) -> bool {
        self.fields(&filter.of.name)
            .iter()
            .any(|operator| operator.name == "eq" && operator.of.name == "ID")
    }

    /// Whether a field of the type needs no selection: a scalar or an enum.
    pub(crate) fn is_leaf(&self, of: &str) -> bool {
        self.enums.contains_key(of)
            || [
                "ID",
                "String",
                "Int",
                "Float",
                "Boolean",
                "BigInt",
                "Date",
                "DateTime",
                "JSON",
                "EventCursor",
            ]
            .contains(&of)
    }

    /// The kinds of ids that `node` takes.
    pub(crate) fn implementors_of_node(&self) -> Vec<&'static str> {
        self.nodes
            .iter()
            .map(|name| kind_of_operation(name))
            .collect()
    }

    /// The connections of the root, each with its filter and its order.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &Field> {
        self.fields("Query")
            .iter()
            .filter(|field| field.of.name.ends_with("Connection"))
    }
}

impl Field {
    /// An argument by its name.
    pub(crate) fn argument(&self, name: &str) -> Option<&Field> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}

impl From<async_graphql::parser::types::FieldDefinition> for Field {
    fn from(field: async_graphql::parser::types::FieldDefinition) -> Self {
        let arguments = field
            .arguments
            .into_iter()
            .map(|argument| argument.node.into())
            .collect();
        Self {
            name: field.name.node.to_string(),
            arguments,
            of: (&field.ty.node).into(),
        }
    }
}

impl From<async_graphql::parser::types::InputValueDefinition> for Field {
    fn from(value: async_graphql::parser::types::InputValueDefinition) -> Self {
        let mut of = TypeRef::from(&value.ty.node);
        of.is_required &= value.default_value.is_none();
        Self {
            name: value.name.node.to_string(),
            arguments: Vec::new(),
            of,
        }
    }
}

impl From<&Type> for TypeRef {
    fn from(of: &Type) -> Self {
        match &of.base {
            BaseType::Named(name) => Self {
                name: name.to_string(),
                is_list: false,
                is_required: !of.nullable,
            },
            BaseType::List(inner) => Self {
                is_list: true,
                is_required: !of.nullable,
                ..Self::from(&**inner)
            },
        }
    }
}
