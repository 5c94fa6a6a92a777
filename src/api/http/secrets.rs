//! Which responses carry secrets: what signs a person in, or is shown once. They are not compressed, because the length
//! of compressed data reveals to an attacker how much of a secret a text of theirs beside it has guessed (BREACH).

use async_graphql::parser::types::OperationType;

use crate::api::{documents::Prepared, shape::SchemaShape};

/// Types of objects that have secrets among their fields. A test looks for others in the schema.
pub(super) const TYPES: [&str; 10] = [
    "ApiKeySecretPayload",
    "BeginProviderSignInPayload",
    "ConfirmSecondFactorPayload",
    "InboundEndpointSecretPayload",
    "IntegrationAuthorizePayload",
    "RenewRecoveryCodesPayload",
    "SecondFactorChallenge",
    "SecondFactorSetUp",
    "Session",
    "WebhookEndpointSecretPayload",
];

/// Whether the answer to a request may carry a secret. What a query asks for beyond the schema's own types is the schema.
pub(super) fn may_be_in_answer(shape: &SchemaShape, prepared: &Prepared) -> bool {
    let document = &prepared.document;
    document.has_secrets(|| {
        // No variable changes the types of the answer.
        let operation = prepared.operation();
        let touched = shape.touched(&document.parsed, operation, &prepared.variables);
        let is_unknown = touched.has_unknown && operation.ty != OperationType::Query;
        is_unknown || TYPES.iter().any(|name| touched.types.contains(name))
    })
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::{
        parse_schema,
        types::{FieldDefinition, TypeKind, TypeSystemDefinition},
    };

    use super::*;

    /// What texts are called that are secrets, and those that only sound like it.
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
    const HARMLESS: [&str; 5] = [
        "code",
        "errorCode",
        "lastErrorCode",
        "postalCode",
        "reasonCode",
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
            let is_secret = |field: &FieldDefinition| {
                let name = field.name.node.as_str();
                let lower = name.to_lowercase();
                field.ty.node.to_string().contains("String")
                    && WORDS.iter().any(|word| lower.contains(word))
                    && !HARMLESS.contains(&name)
            };
            let mut fields = object.fields.iter();
            if !is_root && fields.any(|field| is_secret(&field.node)) {
                found.push(name.to_owned());
            }
        }
        found.sort();
        assert_eq!(found, TYPES);
    }
}
