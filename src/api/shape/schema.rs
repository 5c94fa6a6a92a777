//! What the schema says of its fields, read once from the schema definition language.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, OperationType, SchemaDefinition, Type,
    TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{self, parse_schema};
use async_graphql::{Name, Positioned};

use super::{
    filter::{self, InputRole},
    page::{default_page, is_sized},
    texts,
};

/// The list whose length the tenant determines, and which has no page size by default.
const STAGES: (&str, &str) = ("Pipeline", "stages");

/// The interface of what is read by its id.
const RECORD: &str = "Node";
/// Scalars that every schema has without saying so.
const STANDARD_SCALARS: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];

/// What the schema says of each field that matters for the cost of a query, and which input types there are. Built once.
#[derive(Debug)]
pub struct SchemaShape {
    roots: Roots,
    types: HashMap<String, TypeShape>,
    inputs: HashSet<String>,
    input_fields: Inputs,
    /// Which of them have to do with filters.
    input_roles: HashMap<String, InputRole>,
}

/// The types of the fields of input objects.
pub(super) type Inputs = HashMap<String, HashMap<String, String>>;

#[derive(Debug)]
struct Roots {
    query: String,
    mutation: String,
    subscription: String,
}

/// The fields of one type.
#[derive(Debug, Default)]
pub(super) struct TypeShape {
    pub(super) role: ConnectionRole,
    /// Whether its objects are records, each read by its id.
    pub(super) is_record: bool,
    pub(super) fields: HashMap<String, FieldShape>,
}

/// What a type is in the pattern of connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionRole {
    #[default]
    Record,
    Connection,
    Edge,
}

/// What one field answers.
#[derive(Debug)]
pub(super) struct FieldShape {
    pub(super) target: String,
    pub(super) size: Size,
    /// Points that its text may come to.
    pub(super) texts: usize,
    /// The types of its arguments.
    pub(super) arguments: HashMap<String, String>,
}

/// How many objects one field value stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    One,
    List,
    Page {
        default: usize,
    },
    /// As many as the tenant has stages in a pipeline, or a page of them.
    Stages,
}

impl SchemaShape {
    /// Reads the shape from a schema in the schema definition language.
    ///
    /// # Errors
    /// The text is not a schema.
    pub fn from_sdl(sdl: &str) -> Result<Self, parser::Error> {
        let inputs = STANDARD_SCALARS
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let mut shape = Self {
            roots: Roots::default(),
            types: HashMap::new(),
            inputs,
            input_fields: HashMap::new(),
            input_roles: HashMap::new(),
        };
        for definition in parse_schema(sdl)?.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => shape.roots.rename(schema.node),
                TypeSystemDefinition::Type(definition) => {
                    shape.learn(definition.node.name.node.as_str(), &definition.node.kind);
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        shape.input_roles = filter::roles(&shape.input_fields);
        Ok(shape)
    }

    fn learn(&mut self, name: &str, kind: &TypeKind) {
        let (fields, is_record) = match kind {
            TypeKind::Object(object) => {
                let mut interfaces = object.implements.iter();
                (&object.fields, interfaces.any(|of| of.node == RECORD))
            }
            TypeKind::Interface(interface) => (&interface.fields, name == RECORD),
            // Of several kinds of records, as all unions here are.
            TypeKind::Union(_) => {
                self.types.entry(name.to_owned()).or_default().is_record = true;
                return;
            }
            TypeKind::InputObject(input) => {
                self.inputs.insert(name.to_owned());
                let fields = input.fields.iter().map(|field| typed(&field.node));
                self.input_fields.insert(name.to_owned(), fields.collect());
                return;
            }
            TypeKind::Scalar | TypeKind::Enum(_) => {
                self.inputs.insert(name.to_owned());
                return;
            }
        };
        let known = self.types.entry(name.to_owned()).or_default();
        known.role = ConnectionRole::of(name);
        known.is_record = is_record;
        for field in fields {
            let field = &field.node;
            known
                .fields
                .insert(field.name.node.to_string(), FieldShape::of(name, field));
        }
    }

    /// The fields of a type that has some.
    pub(super) fn fields_of(&self, type_name: &str) -> Option<&TypeShape> {
        self.types.get(type_name)
    }

    /// Whether there is a type of objects of this name, an interface or a union.
    pub fn has_type(&self, name: &str) -> bool {
        self.types.contains_key(name)
    }

    /// The fields of an input object with their types.
    pub(super) fn input_fields(&self, type_name: &str) -> Option<&HashMap<String, String>> {
        self.input_fields.get(type_name)
    }

    /// What an input object has to do with filters, if anything.
    pub(super) fn input_role(&self, type_name: &str) -> Option<InputRole> {
        self.input_roles.get(type_name).copied()
    }

    /// Whether a variable may be of the type.
    pub(super) fn has_input(&self, type_name: &str) -> bool {
        self.inputs.contains(type_name)
    }

    pub(super) fn root(&self, operation: OperationType) -> &str {
        match operation {
            OperationType::Query => &self.roots.query,
            OperationType::Mutation => &self.roots.mutation,
            OperationType::Subscription => &self.roots.subscription,
        }
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            query: "Query".into(),
            mutation: "Mutation".into(),
            subscription: "Subscription".into(),
        }
    }
}

impl Roots {
    fn rename(&mut self, schema: SchemaDefinition) {
        let replace = |root: &mut String, name: Option<Positioned<Name>>| {
            if let Some(name) = name {
                *root = name.node.to_string();
            }
        };
        replace(&mut self.query, schema.query);
        replace(&mut self.mutation, schema.mutation);
        replace(&mut self.subscription, schema.subscription);
    }
}

impl ConnectionRole {
    fn of(type_name: &str) -> Self {
        if type_name.ends_with("Connection") {
            Self::Connection
        } else if type_name.ends_with("Edge") {
            Self::Edge
        } else {
            Self::Record
        }
    }

    /// Whether a field only wraps the records of a page, which are counted where the connection is.
    pub(super) fn wraps_in(self, field: &str) -> bool {
        match self {
            Self::Connection => matches!(field, "nodes" | "edges" | "pageInfo"),
            Self::Edge => field == "node",
            Self::Record => false,
        }
    }
}

impl FieldShape {
    fn of(type_name: &str, field: &FieldDefinition) -> Self {
        let (target, listed) = named(&field.ty.node);
        let arguments = field.arguments.iter();
        let place = (type_name, field.name.node.as_str());
        let size = if place == STAGES {
            Size::Stages
        } else if ConnectionRole::of(target) == ConnectionRole::Connection
            || (listed && is_sized(field))
        {
            Size::Page {
                default: default_page(field),
            }
        } else if listed {
            Size::List
        } else {
            Size::One
        };
        Self {
            target: target.to_owned(),
            size,
            texts: texts::points(place),
            arguments: arguments.map(|argument| typed(&argument.node)).collect(),
        }
    }
}

/// The name inside a type, and whether a list is around it.
pub(super) fn named(ty: &Type) -> (&str, bool) {
    match &ty.base {
        BaseType::Named(name) => (name.as_str(), false),
        BaseType::List(inner) => (named(inner).0, true),
    }
}

/// The name of an input with that of its type.
fn typed(input: &InputValueDefinition) -> (String, String) {
    (
        input.name.node.to_string(),
        named(&input.ty.node).0.to_owned(),
    )
}
