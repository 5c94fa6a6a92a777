//! Which answers carry secrets: what signs somebody in, or is shown once. They are not compressed, because the length of
//! what is compressed tells those who see it pass how much of a secret a text of theirs beside it has guessed (BREACH).

use crate::graphql::{documents::Prepared, shape::SchemaShape};

/// Types of objects that have secrets among their fields. A test looks for others in the schema.
pub(super) const TYPES: [&str; 7] = [
    "ApiKeySecretPayload",
    "BeginProviderSignInPayload",
    "ConfirmSecondFactorPayload",
    "RenewRecoveryCodesPayload",
    "SecondFactorChallenge",
    "SecondFactorSetUp",
    "Session",
];

/// Whether the answer to a request may carry a secret: whatever is not known to have none may.
pub(super) fn may_be_in_answer(shape: &SchemaShape, prepared: &Prepared) -> bool {
    let (document, variables) = (&prepared.document.parsed, &prepared.variables);
    let touched = shape.touched(document, prepared.operation(), variables);
    touched.has_unknown || TYPES.iter().any(|name| touched.types.contains(name))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{
        parse_schema,
        types::{TypeKind, TypeSystemDefinition},
    };

    use super::*;

    /// What fields are called that hold secrets, and what only sounds like it.
    const WORDS: [&str; 9] = [
        "token",
        "secret",
        "code",
        "password",
        "otpauth",
        "qrsvg",
        "authorizationurl",
        "credential",
        "cookie",
    ];
    const HARMLESS: [&str; 6] = [
        // When something ends.
        "accessTokenExpiresAt",
        "refreshTokenExpiresAt",
        // Numbers, names and words for programs.
        "recoveryCodesLeft",
        "code",
        "postalCode",
        "hasPassword",
    ];

    #[test]
    fn every_secret_of_the_schema_is_known() {
        let sdl = include_str!("../../../schema.graphql");
        let mut found = Vec::new();
        for definition in parse_schema(sdl).expect("a schema").definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let TypeKind::Object(object) = &definition.node.kind else {
                continue;
            };
            let name = definition.node.name.node.as_str();
            let is_root = ["Query", "Mutation", "Subscription"].contains(&name);
            let is_secret = |field: &str| {
                let lower = field.to_lowercase();
                WORDS.iter().any(|word| lower.contains(word)) && !HARMLESS.contains(&field)
            };
            let fields = object.fields.iter();
            let has = fields.map(|field| field.node.name.node.as_str());
            if !is_root && has.into_iter().any(is_secret) {
                found.push(name.to_owned());
            }
        }
        found.sort();
        assert_eq!(found, TYPES);
    }
}
