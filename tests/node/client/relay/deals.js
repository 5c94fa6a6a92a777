// A page of a frontend that uses Relay: a board's deals, more of them on scrolling, what is due, and following both.

import { graphql } from 'relay-runtime';

export const Deal = graphql`
  fragment deals_deal on Opportunity {
    name
    amount { amountMinor currency }
    stage { name }
    owner { name }
  }
`;

export const Deals = graphql`
  fragment deals_deals on Pipeline
    @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
    @refetchable(queryName: "deals_nextQuery") {
    name
    stages(first: 10) {
      edges { node { id name } }
    }
    opportunities(first: $count, after: $cursor, orderBy: [{ field: NAME }]) @connection(key: "deals_opportunities", filters: []) {
      edges { node { id ...deals_deal } }
    }
  }
`;

export const Page = graphql`
  query deals_pageQuery($pipeline: ID!) {
    pipeline(id: $pipeline) { id ...deals_deals }
  }
`;

// The last ones first, and backwards from there.
export const Due = graphql`
  fragment deals_due on Query
    @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
    @refetchable(queryName: "deals_earlierQuery") {
    dueActions(scope: ALL) {
      overdue(last: $count, before: $cursor) @connection(key: "deals_overdue") {
        edges { node { id nextAction { at } ...deals_deal } }
      }
    }
  }
`;

export const DuePage = graphql`
  query deals_dueQuery { ...deals_due }
`;

// A mutation that puts what it made into the list, and one that takes a deal out of the store.
export const Create = graphql`
  mutation deals_createMutation($input: OpportunityCreateInput!, $connections: [ID!]!) {
    opportunityCreate(input: $input) {
      opportunity @appendNode(connections: $connections, edgeTypeName: "OpportunityEdge") { id ...deals_deal }
      userErrors { code field message }
    }
  }
`;

export const Delete = graphql`
  mutation deals_deleteMutation($input: OpportunityRefInput!) {
    opportunityDelete(input: $input) {
      deletedId @deleteRecord
      userErrors { code field message }
    }
  }
`;

export const Follow = graphql`
  subscription deals_followSubscription($pipeline: ID!, $after: EventCursor) {
    boardEvents(pipelineId: $pipeline, after: $after) {
      kind
      cursor
      opportunity { id ...deals_deal }
    }
  }
`;

// Anything with an id, of a kind that is known only when it comes.
export const Anything = graphql`
  query deals_anythingQuery($id: ID!) {
    node(id: $id) {
      id
      ... on Activity { subject targets { __typename ... on Company { name } ... on Node { id } } }
      ...deals_deal @alias
    }
  }
`;
