//! The rules of a contact's list of methods.

use super::{ContactMethodKind::*, *};

fn new(kind: ContactMethodKind, value: &str) -> NewContactMethod {
    NewContactMethod::new(kind, value.to_owned())
}

fn refused(methods: Vec<NewContactMethod>, known: &[ContactMethod]) -> (&'static str, String) {
    let error = arrange(methods, known).expect_err("to be refused");
    (error.code(), error.field().unwrap_or_default().to_owned())
}

#[test]
fn numbers_are_compared_without_punctuation_and_anything_else_is_refused() {
    let methods = vec![new(Phone, "+49 (30) 901820-0"), new(Fax, "030/90 18.20")];
    let methods = arrange(methods, &[]).expect("sound numbers");
    let seen: Vec<_> = methods
        .iter()
        .map(|method| &*method.value_normalized)
        .collect();
    assert_eq!(seen, ["+49309018200", "030901820"]);
    for bad in [
        "+",
        "1234",
        "123456789012345678901",
        "0800 FLOWERS",
        "+49+30123456",
        "٠١٢٣٤٥٦",
        "12345x6",
    ] {
        let found = refused(vec![new(Mobile, bad)], &[]);
        assert_eq!(
            found,
            ("INVALID_PHONE", "contactMethods.0.value".to_owned()),
            "{bad}"
        );
    }
}

#[test]
fn values_are_kept_as_written_and_compared_in_their_normal_form() {
    let methods = vec![
        new(Email, " Ada@Example.COM "),
        new(Url, "HTTPS://Example.com"),
        new(Social, "@Ada  L"),
    ];
    let methods = arrange(methods, &[]).expect("sound methods");
    let seen: Vec<_> = methods
        .iter()
        .map(|method| (&*method.value, &*method.value_normalized))
        .collect();
    let expected = [
        ("Ada@Example.COM", "ada@example.com"),
        ("HTTPS://Example.com", "https://example.com/"),
        ("@Ada  L", "@ada l"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn the_first_of_a_kind_is_preferred_when_none_is() {
    let second = NewContactMethod {
        preferred: true,
        ..new(Email, "b@x.example")
    };
    let methods = vec![
        new(Email, "a@x.example"),
        new(Mobile, "0151 2345"),
        new(Mobile, "0152 2345"),
        second,
    ];
    let methods = arrange(methods, &[]).expect("sound methods");
    let preferred: Vec<_> = methods.iter().map(|method| method.preferred).collect();
    assert_eq!(preferred, [false, true, false, true]);
    assert_eq!(preferred_email(&methods).as_deref(), Some("b@x.example"));
    assert_eq!(preferred_phone(&methods).as_deref(), Some("0151 2345"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let preferred = |value| NewContactMethod {
        preferred: true,
        ..new(Email, value)
    };
    let twice = vec![
        preferred("a@x.example"),
        new(Fax, "12345"),
        preferred("b@x.example"),
    ];
    assert_eq!(
        refused(twice, &[]),
        (
            "TOO_MANY_PREFERRED",
            "contactMethods.2.preferred".to_owned()
        )
    );
    let blank = vec![new(Social, "x"), new(Social, " ")];
    assert_eq!(
        refused(blank, &[]),
        ("BLANK", "contactMethods.1.value".to_owned())
    );
    let script = vec![new(Url, "javascript:alert(1)")];
    assert_eq!(
        refused(script, &[]),
        ("INVALID_URL", "contactMethods.0.value".to_owned())
    );
    let many = vec![new(Social, "x"); 21];
    assert_eq!(
        refused(many, &[]),
        ("TOO_MANY_VALUES", "contactMethods".to_owned())
    );
}

#[test]
fn an_id_is_kept_only_when_it_is_the_contacts_own_and_once() {
    let known = arrange(vec![new(Social, "x")], &[]).expect("sound methods");
    let kept = NewContactMethod {
        id: Some(known[0].id),
        ..new(Social, "y")
    };
    let arranged = arrange(vec![kept.clone()], &known).expect("sound methods");
    assert_eq!(arranged[0].id, known[0].id);
    assert_eq!(
        refused(vec![kept.clone()], &[]),
        ("NOT_FOUND", "contactMethods.0.id".to_owned())
    );
    assert_eq!(
        refused(vec![kept.clone(), kept], &known),
        ("TAKEN", "contactMethods.1.id".to_owned())
    );
}
