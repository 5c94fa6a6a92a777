//! A database of before is brought to the forms that text is compared in now.

use dealgraph::db::migrate;
use serde_json::json;

use crate::{
    harness::{A, Who, test},
    records::arrange,
};

#[test]
fn stored_text_is_brought_to_the_forms_of_this_version_once() {
    test(async |world| {
        let tenant = A.uuid("tenant", 1);
        // As lower case wrote them: a final sigma, an eszett, and two roles that are one by now.
        let sql = format!(
            "UPDATE companies SET name = 'ΟΔΥΣ', name_normalized = 'οδυς' WHERE tenant_id = '{tenant}' AND company_id = '{}';
             UPDATE companies SET name = 'Straße', name_normalized = 'straße' WHERE tenant_id = '{tenant}' AND company_id = '{}';
             UPDATE leads SET email = 'ΟΔΥΣ@x.example', email_normalized = 'οδυς@x.example' WHERE tenant_id = '{tenant}';
             INSERT INTO roles (tenant_id, role_id, name, name_normalized, permissions, created_at, created_by, updated_at, updated_by)
                SELECT '{tenant}', gen_random_uuid(), name, lower(name), '{{}}', now(), 'x', now(), 'x'
                FROM (VALUES ('Maße'), ('Masse')) v(name);
             DELETE FROM app.text_forms",
            A.uuid("company", 1),
            A.uuid("company", 2)
        );
        arrange(world, sql).await;
        let owner = world.database.options(migrate::OWNER).await;
        migrate::run(&owner)
            .await
            .expect("the database is brought to this version");
        let count = async |document: &str| {
            let seen = world.a(Who::Admin).ask_anew(document).await.data();
            seen.as_object()
                .expect("an object")
                .values()
                .next()
                .expect("a list")["totalCount"]
                .clone()
        };
        for (document, found) in [
            (
                "{ companies(filter: { name: { eq: \"Οδυσ\" } }) { totalCount } }",
                1,
            ),
            (
                "{ companies(filter: { name: { eq: \"STRASSE\" } }) { totalCount } }",
                1,
            ),
            (
                "{ leads(filter: { email: { startsWith: \"οδυσ@\" }, id: { neq: null } }) { totalCount } }",
                -1,
            ),
            (
                "{ roles(filter: { name: { in: [\"MASSE\", \"maße\"] } }) { totalCount } }",
                1,
            ),
        ] {
            let expected = match found {
                -1 => count("{ leads { totalCount } }").await,
                found => json!(found),
            };
            assert_eq!(count(document).await, expected, "{document}");
        }
        let forced: bool = sqlx::query_scalar(
            "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname IN ('companies', 'users', 'roles', 'leads')",
        )
        .fetch_one(&mut world.database.superuser().await)
        .await
        .expect("the catalogue");
        assert!(forced, "the owner is kept out again");
    });
}
