use proc_macro2::TokenStream;

use super::*;

fn read(text: &str) -> Result<Struct> {
    let tokens: TokenStream = text.parse().expect("Rust");
    Struct::read(&syn::parse2(tokens)?)
}

#[test]
fn fields_say_what_they_are_in_the_table() {
    let of = read(
        "#[computed(name_normalized = normalize(&self.name))]
         #[told(contact_methods, ways)]
         struct Product {
             #[sqlx(rename = \"product_id\")] #[column(once)] id: Uuid,
             #[column(amounts)] price: i64,
             #[column(long)] notes: String,
             #[column(select = \"'|'\")] visible_to: String,
             #[sqlx(flatten)] stamps: Stamps,
             #[sqlx(skip)] note: bool,
         }",
    )
    .expect("a struct");
    let said: Vec<String> = of
        .fields
        .iter()
        .map(|field| match &field.kind {
            Kind::Skipped => "nothing".to_owned(),
            Kind::Flat(_) => "others".to_owned(),
            Kind::Column {
                name,
                sensitivity,
                written,
                select,
                is_long,
            } => {
                format!(
                    "{name} {sensitivity} {written} {} {is_long}",
                    select.is_some()
                )
            }
        })
        .collect();
    let expected = [
        "product_id Plain Once false false",
        "price Amounts Always false false",
        "notes Plain Always false true",
        "visible_to Plain Never true false",
        "others",
        "nothing",
    ];
    assert_eq!(said, expected);
    assert_eq!(of.computed[0].column, "name_normalized");
    assert_eq!(of.told[0].sensitivity, "Ways");
}

#[test]
fn columns_are_fields_of_the_schema_unless_they_are_skipped() {
    let of = read(
        "struct Deal {
             won_at: Time,
             #[graphql(name = \"isManual\")] manual: bool,
             #[graphql(skip)] company_id: Uuid,
             #[sqlx(flatten)] stamps: Stamps,
         }",
    );
    let of = of.expect("a struct");
    let shown: Vec<_> = of
        .fields
        .iter()
        .map(|field| field.shown.as_deref())
        .collect();
    assert_eq!(
        shown,
        [Some("wonAt"), Some("isManual"), None, Some("stamps")]
    );
}

#[test]
fn what_it_does_not_know_it_refuses() {
    assert!(read("struct A { #[column(hidden)] a: i64 }").is_err());
    assert!(read("struct A { #[graphql(hidden)] a: i64 }").is_err());
    assert!(read("struct A(i64);").is_err());
    assert!(read("enum A { B }").is_err());
}
