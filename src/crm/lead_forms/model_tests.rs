//! Forms that are refused, and why.

use super::*;

fn mapped(name: &str, target: LeadFormTarget) -> FieldMapping {
    FieldMapping {
        name: name.to_owned(),
        target,
        required: true,
        max_length: None,
    }
}

fn form() -> LeadFormFields {
    LeadFormFields {
        name: "Autumn fair".to_owned(),
        enabled: true,
        allowed_origins: vec!["https://shop.example".to_owned()],
        mapping: Stored(vec![
            mapped("name", LeadFormTarget::FullName),
            mapped("email", LeadFormTarget::Email),
        ]),
        source: None,
        tags: Vec::new(),
        owner_id: None,
        duplicates: LeadFormDuplicates::UpdateOpen,
        consent_text: None,
        consent_version: None,
        consent_field: None,
        honeypot: None,
        thanks_url: None,
        captcha_url: None,
        captcha_field: None,
    }
}

fn refusal(change: impl FnOnce(&mut LeadFormFields)) -> Option<(&'static str, String)> {
    let mut form = form();
    change(&mut form);
    let error = form.check().err()?;
    Some((error.code(), error.field()?.to_owned()))
}

fn refused(code: &'static str, field: &str) -> Option<(&'static str, String)> {
    Some((code, field.to_owned()))
}

#[test]
fn a_form_has_to_find_a_name_and_the_address_that_it_looks_for() {
    use LeadFormTarget as Target;
    let mapping = |fields: &[(&str, Target)]| {
        let fields = fields.iter().map(|(name, target)| mapped(name, *target));
        let fields: Vec<_> = fields.collect();
        refusal(|form| form.mapping = Stored(fields))
    };
    let bad = refused("INVALID_MAPPING", "mapping");
    assert_eq!(refusal(|_| {}), None);
    let (first, last) = (("f", Target::FirstName), ("l", Target::LastName));
    let (full, email) = (("n", Target::FullName), ("e", Target::Email));
    assert_eq!(mapping(&[first, last, email]), None);
    assert_eq!(mapping(&[first, email]), bad);
    assert_eq!(mapping(&[full, first, last, email]), bad);
    assert_eq!(mapping(&[full]), bad, "no address to look for");
    assert_eq!(mapping(&[full, ("n", Target::Email)]), bad, "a name twice");
    assert_eq!(mapping(&[full, ("m", Target::FullName), email]), bad);
    assert_eq!(mapping(&[full, (" e", Target::Email)]), bad);
    let honeypot = refusal(|form| form.honeypot = Some("email".to_owned()));
    assert_eq!(honeypot, bad);
}

#[test]
fn origins_are_exact_and_the_page_of_thanks_is_at_one_of_them() {
    let origins = |origin: &str| refusal(|form| form.allowed_origins = vec![origin.to_owned()]);
    for good in [
        "https://shop.example",
        "https://shop.example/",
        "http://localhost:8000",
    ] {
        assert_eq!(origins(good), None, "{good}");
    }
    for bad in [
        "*",
        "https://*.shop.example/x",
        "shop.example",
        "https://shop.example/form",
        "https://a@shop.example",
        "null",
        "file:///x",
    ] {
        let refused = refused("INVALID_ORIGIN", "allowedOrigins");
        assert_eq!(origins(bad), refused, "{bad}");
    }
    let thanks = |url: &str| refusal(|form| form.thanks_url = Some(url.to_owned()));
    assert_eq!(thanks("https://shop.example/thanks?x=1"), None);
    for bad in [
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "javascript:x",
    ] {
        assert_eq!(thanks(bad), refused("INVALID_URL", "thanksUrl"), "{bad}");
    }
    let consent = refusal(|form| form.consent_text = Some("I agree".to_owned()));
    assert_eq!(consent, refused("BLANK", "consentField"));
}
