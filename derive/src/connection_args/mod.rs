//! `#[connection_args]`: the arguments of connections, from the one that holds them all.

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident};
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, ItemImpl, Pat, PatType,
    PathArguments, Result, Stmt, Type, parse_quote, spanned::Spanned as _,
};

/// With more arguments than this clippy asks whether they are not a struct; here they are one.
const MANY: usize = 7;

/// An argument that stands for those of a connection.
enum Shorthand {
    /// `Ends`: which part of the list.
    Ends,
    /// `ListArgs<Filter, Order>`: which rows besides, and in which order.
    List {
        filter: Box<Type>,
        order: Box<Type>,
        archives: bool,
    },
}

/// Puts the arguments of connections in the place of those that stand for them.
pub(crate) fn expand(mut block: ItemImpl) -> Result<TokenStream> {
    let mut expanded = 0;
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            expanded += usize::from(expand_method(method)?);
        }
    }
    if expanded == 0 {
        let message = "no method here takes `ListArgs<Filter, Order>` or `Ends`";
        return Err(Error::new_spanned(&block.self_ty, message));
    }
    Ok(block.into_token_stream())
}

/// Whether the method is one of a connection.
fn expand_method(method: &mut ImplItemFn) -> Result<bool> {
    let mut found: Option<(usize, PatType, Shorthand)> = None;
    for (at, argument) in method.sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        let Some(shorthand) = Shorthand::read(argument)? else {
            continue;
        };
        if let Some(attribute) = argument.attrs.first() {
            let message = "the arguments of a connection take no attribute but `list`";
            return Err(Error::new_spanned(attribute, message));
        }
        if found.is_some() {
            let message = "a field is one connection, with one `ListArgs` or `Ends`";
            return Err(Error::new_spanned(&argument.ty, message));
        }
        found = Some((at, argument.clone(), shorthand));
    }
    let Some((at, argument, shorthand)) = found else {
        return Ok(false);
    };
    let (arguments, together) = shorthand.expand(&argument);
    let mut inputs: Vec<FnArg> = std::mem::take(&mut method.sig.inputs).into_iter().collect();
    inputs.remove(at);
    refuse_twice(&arguments, &inputs)?;
    inputs.splice(at..at, arguments);
    if inputs.len() > MANY {
        method.attrs.push(parse_quote! {
            #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
        });
    }
    method.sig.inputs = inputs.into_iter().collect();
    method.block.stmts.insert(0, together);
    Ok(true)
}

impl Shorthand {
    fn read(argument: &mut PatType) -> Result<Option<Self>> {
        let says: Vec<Attribute> = argument
            .attrs
            .extract_if(.., |attribute| attribute.path().is_ident("list"))
            .collect();
        let segment = match &*argument.ty {
            Type::Path(path) => path.path.segments.last(),
            _ => None,
        };
        let shorthand = match segment {
            Some(segment) if segment.ident == "Ends" => Some(Self::Ends),
            Some(segment) if segment.ident == "ListArgs" => {
                let (filter, order) = of(&segment.arguments).ok_or_else(|| {
                    Error::new_spanned(segment, "expected `ListArgs<Filter, Order>`")
                })?;
                Some(Self::List {
                    filter: Box::new(filter),
                    order: Box::new(order),
                    archives: true,
                })
            }
            _ => None,
        };
        says.iter().try_fold(shorthand, Self::told)
    }

    /// With what an attribute says of it.
    fn told(shorthand: Option<Self>, says: &Attribute) -> Result<Option<Self>> {
        let Some(Self::List { filter, order, .. }) = shorthand else {
            let message = "`list` says more of a `ListArgs<Filter, Order>`";
            return Err(Error::new_spanned(says, message));
        };
        says.parse_nested_meta(|meta| match meta.path.is_ident("never_archived") {
            true => Ok(()),
            false => Err(meta.error("expected `never_archived`")),
        })?;
        Ok(Some(Self::List {
            filter,
            order,
            archives: false,
        }))
    }

    /// The arguments in its place, and the statement that brings them together again as it is called.
    fn expand(self, PatType { pat, ty, .. }: &PatType) -> (Vec<FnArg>, Stmt) {
        // The schema's names, found in the source where the argument is.
        let [
            first,
            after,
            last,
            before,
            filter,
            order_by,
            include_archived,
        ] = [
            "first",
            "after",
            "last",
            "before",
            "filter",
            "order_by",
            "include_archived",
        ]
        .map(|argument| format_ident!("{argument}", span = pat.span()));
        let mut arguments: Vec<FnArg> = vec![
            parse_quote!(#first: ::core::option::Option<i32>),
            parse_quote!(#after: ::core::option::Option<::std::string::String>),
            parse_quote!(#last: ::core::option::Option<i32>),
            parse_quote!(#before: ::core::option::Option<::std::string::String>),
        ];
        let Self::List {
            filter: filters,
            order,
            archives,
        } = self
        else {
            let ends = parse_quote!(let #pat: #ty = ((#first, #after), (#last, #before)););
            return (arguments, ends);
        };
        arguments.push(parse_quote!(#filter: ::core::option::Option<#filters>));
        arguments.push(parse_quote!(#order_by: ::core::option::Option<::std::vec::Vec<#order>>));
        if !archives {
            let args = parse_quote! {
                let #pat = <#ty>::new((#first, #after), (#last, #before), #filter, #order_by);
            };
            return (arguments, args);
        }
        arguments.push(parse_quote!(#[graphql(default)] #include_archived: bool));
        let args = parse_quote! {
            let #pat = <#ty>::new((#first, #after), (#last, #before), #filter, #order_by)
                .archived(#include_archived);
        };
        (arguments, args)
    }
}

/// The two types between the angle brackets.
fn of(arguments: &PathArguments) -> Option<(Type, Type)> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    let mut arguments = arguments.args.iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(GenericArgument::Type(filter)), Some(GenericArgument::Type(order)), None) => {
            Some((filter.clone(), order.clone()))
        }
        _ => None,
    }
}

/// Refuses other arguments of the names that a connection has.
fn refuse_twice(arguments: &[FnArg], others: &[FnArg]) -> Result<()> {
    let name = |argument: &FnArg| match argument {
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(pattern) => Some(pattern.ident.clone()),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    };
    let taken: Vec<Ident> = arguments.iter().filter_map(name).collect();
    let twice = others
        .iter()
        .filter_map(name)
        .find(|other| taken.contains(other));
    match twice {
        None => Ok(()),
        Some(other) => {
            let message = format!("`{other}` is an argument of the connection");
            Err(Error::new_spanned(other, message))
        }
    }
}
