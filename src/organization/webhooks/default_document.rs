//! The usual documents: what an endpoint is sent that names a kind of record and no document of its own.

use super::subscriptions::WebhookTopic;

/// The subscription to the events of a kind of record, with a variable `$filter` if it has one.
pub(super) fn of(topic: WebhookTopic, has_filter: bool) -> String {
    let (record, filter, selection) = match topic {
        WebhookTopic::Activity => (
            "activity",
            "ActivityFilter",
            "kind status subject body direction outcome occurredAt startAt endAt dueAt doneAt owner { id name } \
             targets { ... on Company { id name } ... on Contact { id name } ... on Lead { id name } \
             ... on Opportunity { id name } }",
        ),
        WebhookTopic::Company => (
            "company",
            "CompanyFilter",
            "name domain website phone industry description employeeCount foundedYear tags \
             annualRevenue { amountMinor currency } owner { id name } parent { id name }",
        ),
        WebhookTopic::Contact => (
            "contact",
            "ContactFilter",
            "firstName lastName name email phone jobTitle department tags warmnessScore lastContactedAt \
             owner { id name } company { id name }",
        ),
        WebhookTopic::Lead => (
            "lead",
            "LeadFilter",
            "firstName lastName name email phone companyName title source status notes tags unqualifiedReason \
             nextActionAt nextActionDetails estimatedAmount { amountMinor currency } owner { id name }",
        ),
        WebhookTopic::Opportunity => (
            "opportunity",
            "OpportunityFilter",
            "name status probability forecastCategory expectedCloseOn source tags stageEnteredAt wonAt lostAt lostReason \
             lostNote amount { amountMinor currency } owner { id name } company { id name } primaryContact { id name } \
             pipeline { id name } stage { id name }",
        ),
        WebhookTopic::Product => (
            "product",
            "ProductFilter",
            "code name description active unitPrice { amountMinor currency }",
        ),
    };
    let (variable, argument) = match has_filter {
        true => (format!(" ($filter: {filter})"), "(filter: $filter)"),
        false => (String::new(), ""),
    };
    format!(
        "subscription{variable} {{ {record}Events{argument} {{ kind recordId version occurredAt cursor \
         by {{ kind source user {{ id name }} }} changes {{ field before after masked }} \
         {record} {{ id {selection} archivedAt createdAt updatedAt version }} }} }}"
    )
}
