// The same document for the other read path. The server answers from single columns where all of a top-level field can be
// had so, and by the executor, from whole records, where anything in it cannot: one such field sends it there.

import { getNamedType, Kind, parse, print, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import { schema } from './schema.mjs';

/** The key that the field of our own is answered under. */
export const MARK = 'to_the_executor';

/** What no column holds, by record. */
const OUT_OF_REACH = {
  Contact: 'contactMethods { id }',
  Opportunity: 'stageHistory { id }',
  Activity: 'targets { __typename }',
  Company: `opportunities(first: 0) { nodes { ${MARK}: stageHistory { id } } }`,
  Lead: `activities(first: 0) { nodes { ${MARK}: targets { __typename } } }`,
  Pipeline: `opportunities(first: 0) { nodes { ${MARK}: stageHistory { id } } }`,
  Stage: `opportunities(first: 0) { nodes { ${MARK}: stageHistory { id } } }`,
};

/** The document with such a field in each of its top-level fields; nothing when there is no place for one. */
export function marked(text) {
  let document;
  try {
    document = parse(text);
  } catch {
    return undefined;
  }
  const types = new TypeInfo(schema);
  let isMarked = false;
  const changed = visit(document, visitWithTypeInfo(types, {
    [Kind.FIELD]: {
      // When a field is left, the types are still those of what it is in.
      leave(node) {
        if (types.getParentType() !== schema.getQueryType() || !node.selectionSet) return undefined;
        const mark = markOf(getNamedType(types.getType())?.name ?? '');
        if (!mark) return undefined;
        isMarked = true;
        return { ...node, selectionSet: { ...node.selectionSet, selections: [...node.selectionSet.selections, mark] } };
      },
    },
  }));
  return isMarked ? print(changed) : undefined;
}

function markOf(type) {
  const record = OUT_OF_REACH[type.replace(/Connection$/, '')];
  if (!record) return undefined;
  const text = type.endsWith('Connection') ? `${MARK}: nodes { ${MARK}: ${record} }` : `${MARK}: ${record}`;
  return parse(`{ ${text} }`).definitions[0].selectionSet.selections[0];
}
