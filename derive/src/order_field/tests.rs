//! What is said of fields, and what is not understood.

use syn::{Data, DeriveInput, Result, parse_quote};

use super::{Field, expand};

fn fields(input: &DeriveInput) -> Result<Vec<Field>> {
    let Data::Enum(data) = &input.data else {
        panic!("expected an enum");
    };
    data.variants.iter().map(Field::read).collect()
}

fn refused(input: &DeriveInput) -> String {
    expand(input).expect_err("refused").to_string()
}

#[test]
fn fields_say_their_column_and_what_is_in_it() {
    let of = fields(&parse_quote! {
        enum ProductOrderField {
            #[order(time = self.stamps.created_at)]
            CreatedAt,
            #[order(text = normalize(&self.name), column = "name_normalized")]
            Name,
            #[order(int = self.unit_price_minor, column = "unit_price_minor", absent = "-1")]
            UnitPrice,
        }
    })
    .expect("fields");
    let said: Vec<String> = of
        .iter()
        .map(|field| {
            let absent = field.absent.as_ref().map(syn::LitStr::value);
            format!(
                "{} {} {} {absent:?}",
                field.variant, field.column, field.kind
            )
        })
        .collect();
    let expected = [
        "CreatedAt created_at Time None",
        "Name name_normalized Text None",
        "UnitPrice unit_price_minor Int Some(\"-1\")",
    ];
    assert_eq!(said, expected);
}

#[test]
fn only_what_can_be_absent_is_an_option() {
    let of = fields(&parse_quote! {
        enum A {
            #[order(date = self.due_on)]
            DueOn,
            #[order(int = self.price, absent = "-1")]
            Price,
        }
    })
    .expect("fields");
    let values: Vec<String> = of.iter().map(|field| field.value().to_string()).collect();
    let expected = [
        quote::quote!({
            let value = self.due_on;
            ::core::option::Option::Some(crate::db::Value::Date(value))
        }),
        quote::quote!(::core::option::Option::map(self.price, |value| {
            crate::db::Value::Int(::core::convert::Into::into(value))
        })),
    ];
    let expected =
        expected.map(|tokens| tokens.to_string().replace("| { ", "| ").replace(" })", ")"));
    assert_eq!(values, expected);
}

#[test]
fn what_it_does_not_know_it_refuses() {
    let refusals = [
        refused(&parse_quote!(
            struct A;
        )),
        refused(&parse_quote!(
            enum A {
                #[order(int = self.a)]
                A,
            }
        )),
        refused(&parse_quote!(
            #[order(of = B)]
            enum A {
                A,
            }
        )),
        refused(&parse_quote!(
            #[order(of = B)]
            enum A {
                #[order(float = self.a)]
                A,
            }
        )),
        refused(&parse_quote!(
            #[order(of = B)]
            enum A {
                #[order(int = self.a)]
                A(i64),
            }
        )),
    ];
    let expected = [
        "only an enum is one of several fields",
        "expected `#[order(of = …)]` with the record that is sorted",
        "expected `#[order(…)]` with its value as `text`, `int`, `time` or `date`",
        "expected `text`, `int`, `time` or `date`, `column` or `absent`",
        "a field has nothing inside",
    ];
    assert_eq!(refusals, expected);
}
