//! What an anonymous caller may select: the fields that lead to a token, and nothing else.
//!
//! Nothing below these fields may use the request's context, because without an actor there is none.

use async_graphql::parser::types::{ExecutableDocument, Selection};

use super::shape;

/// The root fields that need no token.
pub(super) const OPEN_FIELDS: [&str; 14] = [
    "__typename",
    "acceptInvitation",
    "beginProviderSignIn",
    "completeProviderSignIn",
    "completeSecondFactor",
    "confirmSecondFactor",
    "refreshSession",
    "register",
    "requestPasswordReset",
    "resetPassword",
    "setUpSecondFactor",
    "signIn",
    "signInOptions",
    "verifyEmail",
];

/// Whether the operation that will run selects nothing but open fields, all of them in sight.
pub(super) fn is_open(document: &ExecutableDocument, name: Option<&str>) -> bool {
    let Ok((_, operation)) = shape::select_operation(document, name) else {
        return false;
    };
    let mut items = operation.node.selection_set.node.items.iter();
    items.all(|item| match &item.node {
        Selection::Field(field) => OPEN_FIELDS.contains(&field.node.name.node.as_str()),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn only_fields_that_end_in_a_token_are_open() {
        let open = |document: &str, name: Option<&str>| {
            is_open(&parse_query(document).expect("a document"), name)
        };
        assert!(open("{ __typename }", None));
        assert!(open(
            "mutation { a: signIn { session { ...s } } } fragment s on Session { accessToken }",
            None
        ));
        for closed in [
            "{ viewer { id } }",
            "{ __schema { types { name } } }",
            "mutation { signIn { session { accessToken } } signOut { ended } }",
            "mutation { ...f } fragment f on Mutation { signIn { session { accessToken } } }",
            "mutation { ... on Mutation { signIn { session { accessToken } } } }",
        ] {
            assert!(!open(closed, None), "{closed}");
        }
        let two = "query a { __typename } query b { viewer { id } }";
        assert!(open(two, Some("a")) && !open(two, Some("b")) && !open(two, None));
    }
}
