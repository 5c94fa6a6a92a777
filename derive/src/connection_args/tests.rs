//! What is written, and what becomes of it.

use quote::ToTokens as _;
use syn::{ItemImpl, parse_quote};

use super::expand;

fn refused(block: ItemImpl) -> String {
    expand(block).expect_err("refused").to_string()
}

#[test]
fn the_arguments_of_a_list_stand_where_it_stood() {
    let written: ItemImpl = parse_quote! {
        #[Object]
        impl CompanyQuery {
            /// Companies.
            async fn companies(
                &self,
                ctx: &Context<'_>,
                args: ListArgs<CompanyFilter, CompanyOrder>,
            ) -> Result<Connection<Company>> {
                read(ctx, args).await
            }

            async fn company(&self, id: CompanyId) -> Company {
                find(id).await
            }
        }
    };
    let expected: ItemImpl = parse_quote! {
        #[Object]
        impl CompanyQuery {
            /// Companies.
            #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
            async fn companies(
                &self,
                ctx: &Context<'_>,
                first: ::core::option::Option<i32>,
                after: ::core::option::Option<::std::string::String>,
                last: ::core::option::Option<i32>,
                before: ::core::option::Option<::std::string::String>,
                filter: ::core::option::Option<CompanyFilter>,
                order_by: ::core::option::Option<::std::vec::Vec<CompanyOrder>>,
                #[graphql(default)] include_archived: bool
            ) -> Result<Connection<Company>> {
                let args = <ListArgs<CompanyFilter, CompanyOrder>>::new(
                    (first, after), (last, before), filter, order_by
                ).archived(include_archived);
                read(ctx, args).await
            }

            async fn company(&self, id: CompanyId) -> Company {
                find(id).await
            }
        }
    };
    let expanded = expand(written).expect("expands").to_string();
    assert_eq!(expanded, expected.into_token_stream().to_string());
}

#[test]
fn a_list_says_when_its_rows_are_never_archived() {
    let written: ItemImpl = parse_quote! {
        impl Query {
            async fn keys(&self, #[list(never_archived)] page: graphql::ListArgs<KeyFilter, KeyOrder>) {}
        }
    };
    let expected: ItemImpl = parse_quote! {
        impl Query {
            async fn keys(
                &self,
                first: ::core::option::Option<i32>,
                after: ::core::option::Option<::std::string::String>,
                last: ::core::option::Option<i32>,
                before: ::core::option::Option<::std::string::String>,
                filter: ::core::option::Option<KeyFilter>,
                order_by: ::core::option::Option<::std::vec::Vec<KeyOrder>>
            ) {
                let page = <graphql::ListArgs<KeyFilter, KeyOrder>>::new(
                    (first, after), (last, before), filter, order_by
                );
            }
        }
    };
    let expanded = expand(written).expect("expands").to_string();
    assert_eq!(expanded, expected.into_token_stream().to_string());
}

#[test]
fn ends_are_four_arguments_and_leave_the_others_alone() {
    let written: ItemImpl = parse_quote! {
        impl Query {
            async fn stages(&self, (front, back): Ends, filter: Option<StageFilter>) {}
        }
    };
    let expected: ItemImpl = parse_quote! {
        impl Query {
            async fn stages(
                &self,
                first: ::core::option::Option<i32>,
                after: ::core::option::Option<::std::string::String>,
                last: ::core::option::Option<i32>,
                before: ::core::option::Option<::std::string::String>,
                filter: Option<StageFilter>
            ) {
                let (front, back): Ends = ((first, after), (last, before));
            }
        }
    };
    let expanded = expand(written).expect("expands").to_string();
    assert_eq!(expanded, expected.into_token_stream().to_string());
}

#[test]
fn what_it_does_not_understand_it_refuses() {
    let refusals = [
        refused(parse_quote!(impl A { fn a(&self, args: ListArgs<F>) {} })),
        refused(parse_quote!(impl A { fn a(&self, #[list(archived)] args: ListArgs<F, O>) {} })),
        refused(parse_quote!(impl A { fn a(&self, #[list(never_archived)] args: Ends) {} })),
        refused(parse_quote!(impl A {
            fn a(&self, #[graphql(desc = "which")] args: Ends) {}
        })),
        refused(parse_quote!(impl A { fn a(&self, a: ListArgs<F, O>, b: Ends) {} })),
        refused(parse_quote!(impl A { fn a(&self, last: bool, args: Ends) {} })),
        refused(parse_quote!(impl A { fn a(&self) {} })),
    ];
    let expected = [
        "expected `ListArgs<Filter, Order>`",
        "expected `never_archived`",
        "`list` says more of a `ListArgs<Filter, Order>`",
        "the arguments of a connection take no attribute but `list`",
        "a field is one connection, with one `ListArgs` or `Ends`",
        "`last` is an argument of the connection",
        "no method here takes `ListArgs<Filter, Order>` or `Ends`",
    ];
    assert_eq!(refusals, expected);
}
