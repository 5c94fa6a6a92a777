// A frontend that has its types made of the schema: what it may write, and what its compiler must refuse.

import type { DocumentTypeDecoration, TypedDocumentNode } from '@graphql-typed-document-node/core';
import { BoardDocument, FollowDocument, RenameDocument, SubjectsDocument } from './generated';

declare function ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Data;

const board = ask(BoardDocument, { pipeline: 'pipeline:…', filter: { status: { eq: 'OPEN' }, amountMinor: { gt: 1_000 } } });
const { pipeline } = board;
// @ts-expect-error: nobody promises that there is such a pipeline
pipeline.name;
if (pipeline) {
  const stages: string[] = pipeline.stages.nodes.map(({ name }) => name);
  const cents: number | undefined = pipeline.opportunities.nodes[0]?.amount?.amountMinor;
  const day: string | null | undefined = pipeline.opportunities.nodes[0]?.expectedCloseOn;
  const cursor: string | null | undefined = pipeline.opportunities.pageInfo.endCursor;
  // @ts-expect-error: it was not asked for
  pipeline.position;
  void [stages, cents, day, cursor];
}

// @ts-expect-error: the pipeline is required
ask(BoardDocument, {});
// @ts-expect-error: there is no such status
ask(BoardDocument, { pipeline: '', filter: { status: { eq: 'OPENED' } } });
// @ts-expect-error: there is no such criterion
ask(BoardDocument, { pipeline: '', filter: { colour: { eq: 'red' } } });

for (const target of ask(SubjectsDocument, { id: 'activity:…' }).activity?.targets ?? []) {
  if (target.__typename === 'Company') target.domain;
  // @ts-expect-error: leads have no domain
  if (target.__typename === 'Lead') target.domain;
}

const renamed = ask(RenameDocument, { input: { id: 'opportunity:…', name: 'New', amount: null } }).opportunityUpdate;
const fields: string[] = renamed.userErrors.flatMap(({ field }) => field ?? []);
const version: number | undefined = renamed.opportunity?.version;
// @ts-expect-error: which deal?
ask(RenameDocument, { input: { name: 'New' } });

const event = ask(FollowDocument, { pipeline: 'pipeline:…' }).boardEvents;
const before: unknown = event.changes[0]?.before;
ask(FollowDocument, { pipeline: 'pipeline:…', after: event.cursor });

export type Following = DocumentTypeDecoration<typeof event, object>;
void [fields, version, before];
