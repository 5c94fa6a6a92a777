//! The schema as the tools of the field take it: rules for Relay, Relay's compiler and store, types for TypeScript.

use crate::live::node::all_checks_pass;

#[test]
fn frontends_are_compiled_against_the_schema_and_page_through_the_server() {
    all_checks_pass("schema-clients.mjs", 3);
}
