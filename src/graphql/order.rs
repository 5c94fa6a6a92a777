//! Answers come in the order of the question (GraphQL specification, section 6.3): the executor runs the fields of
//! an object at once and writes them as they get ready.

use std::collections::HashMap;

use async_graphql::{
    Name, Positioned, Value,
    indexmap::IndexMap,
    parser::types::{
        ExecutableDocument, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
    },
};

/// The order of an object's keys, and of the objects below each.
#[derive(Debug, Default)]
pub(super) struct Order(Vec<(Name, Order)>);

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

impl Order {
    /// The order that an operation asks for. The document was measured, so fragments end and are few.
    pub(super) fn of(document: &ExecutableDocument, operation: &OperationDefinition) -> Self {
        let mut order = Self::default();
        order.learn(&operation.selection_set.node, &document.fragments);
        order
    }

    fn learn(&mut self, set: &SelectionSet, fragments: &Fragments) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    let place = self
                        .0
                        .iter()
                        .position(|(known, _)| known == key)
                        .unwrap_or_else(|| {
                            self.0.push((key.clone(), Self::default()));
                            self.0.len() - 1
                        });
                    self.0[place]
                        .1
                        .learn(&field.node.selection_set.node, fragments);
                }
                Selection::InlineFragment(inline) => {
                    self.learn(&inline.node.selection_set.node, fragments)
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        self.learn(&fragment.node.selection_set.node, fragments);
                    }
                }
            }
        }
    }

    /// Puts an answer in order.
    pub(super) fn arrange(&self, value: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.arrange(item)),
            Value::Object(fields) => {
                let mut ready = std::mem::take(fields);
                let mut arranged = IndexMap::with_capacity(ready.len());
                for (key, below) in &self.0 {
                    if let Some((key, mut value)) = ready.swap_remove_entry(key) {
                        below.arrange(&mut value);
                        arranged.insert(key, value);
                    }
                }
                *fields = arranged;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{parser::parse_query, value};

    use super::*;

    #[test]
    fn an_answer_comes_in_the_order_of_the_question() {
        let text = "{ b: x { two one } ...F a }  fragment F on Query { c b: x { three } }";
        let document = parse_query(text).expect("sound text");
        let (_, operation) = document.operations.iter().next().expect("one operation");
        let mut answer =
            value!({ "a": 1, "c": 2, "b": [{ "three": 3, "one": 1, "two": 2 }, null] });
        Order::of(&document, &operation.node).arrange(&mut answer);
        assert_eq!(
            answer.to_string(),
            "{b: [{two: 2, one: 1, three: 3}, null], c: 2, a: 1}"
        );
    }
}
