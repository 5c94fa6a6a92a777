//! The one list of entities: the kinds of records that a tenant has. Ids, permissions, `node`, the roots of the schema, the
//! response cache, audit log, reassignment and removal of a tenant follow from it; a new entity is one line here.

/// Hands the list to a macro, which takes of it what its layer knows. From the left: the record, its id with the prefix
/// that ids have in the API, its table with the second column of the primary key, the module that has it, who may read
/// and change it, the tables of which rows only exist as a part of it, and columns by which it refers to others of its kind.
///
/// Within a section what a record refers to stands before it: a tenant is removed from the end of each to its begin.
macro_rules! entities {
    ($then:ident) => {
        $then! {
            // They have an owner and with it a row scope, they are watched, and activities are about them.
            targets {
                /// A company.
                Company CompanyId "company" companies.company_id crm::companies Companies [] [parent_company_id];
                /// A contact.
                Contact ContactId "contact" contacts.contact_id crm::contacts Contacts [contact_methods] [reports_to_id];
                /// A lead.
                Lead LeadId "lead" leads.lead_id crm::leads Leads [] [];
                /// An opportunity.
                Opportunity OpportunityId "opportunity" opportunities.opportunity_id crm::opportunities Opportunities
                    [opportunity_contacts opportunity_users opportunity_stage_history] [];
            }
            // The same, and activities are not about them.
            owned {
                /// An activity.
                Activity ActivityId "activity" activities.activity_id crm::activities Activities [activity_targets] [];
            }
            // Nobody owns them: who has the first permission reads all of them, and who has the second changes them.
            shared {
                /// A product.
                Product ProductId "product" products.product_id crm::products ("opportunities:read" "admin") [] [];
                /// A pipeline.
                Pipeline PipelineId "pipeline" pipelines.pipeline_id crm::pipelines ("opportunities:read" "admin") [] [];
            }
            // The same, read and changed by fields that their section does not name; nobody watches them by themselves.
            within {
                /// A stage of a pipeline.
                Stage StageId "stage" stages.stage_id crm::pipelines ("opportunities:read" "admin") [] [];
                /// A form by which strangers become leads.
                LeadForm LeadFormId "leadForm" lead_forms.lead_form_id crm::lead_forms
                    ("integrations:write" "integrations:write") [] [];
                /// What was posted to a form.
                LeadFormSubmission LeadFormSubmissionId "leadFormSubmission" lead_form_submissions.lead_form_submission_id
                    crm::lead_forms ("integrations:write" "integrations:write") [] [];
            }
            // The people of the tenant and what they may do.
            organization {
                /// A team of a tenant.
                Team TeamId "team" teams.team_id organization::members ("users:read" "users:write") [] [parent_team_id];
                /// A role that a tenant made.
                CustomRole RoleId "role" roles.role_id organization::roles ("users:read" "admin") [] [];
                /// An invitation into a tenant.
                Invitation InvitationId "invitation" invitations.invitation_id organization::members
                    ("users:write" "users:write") [] [];
                /// A program's key.
                ApiKey ApiKeyId "apiKey" api_keys.api_key_id organization::api_keys
                    ("integrations:write" "integrations:write") [] [];
                /// An address that other services send messages to.
                InboundEndpoint InboundEndpointId "inboundEndpoint" inbound_endpoints.inbound_endpoint_id organization::inbound
                    ("integrations:write" "integrations:write") [] [];
                /// A message that another service sent.
                InboundMessage InboundMessageId "inboundMessage" inbound_messages.inbound_message_id organization::inbound
                    ("integrations:write" "integrations:write") [] [];
                /// A server elsewhere that is sent what happens.
                WebhookEndpoint WebhookEndpointId "webhookEndpoint" webhook_endpoints.webhook_endpoint_id
                    organization::webhooks ("integrations:write" "integrations:write")
                    [webhook_endpoint_health webhook_attempts webhook_deliveries] [];
            }
            // What keeps records in step with services elsewhere.
            integrations {
                /// An account at a service elsewhere.
                Integration IntegrationId "integration" integrations.integration_id integrations::accounts
                    ("integrations:write" "integrations:write") [external_links integration_streams] [];
                /// A time that records were brought in step.
                SyncRun SyncRunId "syncRun" sync_runs.sync_run_id integrations::sync
                    ("integrations:write" "integrations:write") [] [];
            }
        }
    };
}

pub(crate) use entities;
