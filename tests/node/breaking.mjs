// Compares two versions of the schema and fails on a change that breaks a client without warning.
//
//   node breaking.mjs OLD.graphql NEW.graphql     0: nothing breaks   1: something does   2: the question was wrong
//
// A client was warned of what the old schema marks as deprecated. So the old schema is compared without its deprecated
// parts, and without the types that only they led to: whatever breaks then, breaks a client that had no warning.

import { CriticalityLevel, diff } from '@graphql-inspector/core';
import {
  assertValidSchema, buildASTSchema, buildSchema, getDirectiveValues, GraphQLDeprecatedDirective, GraphQLSchema, isInterfaceType, parse, visit,
} from 'graphql';
import { readFileSync } from 'node:fs';

const [oldFile, newFile] = process.argv.slice(2);
if (!newFile) stop('usage: node breaking.mjs OLD.graphql NEW.graphql');

const before = undeprecated(read(oldFile));
const after = built(newFile, read(newFile));

const breaking = (await diff(before, after)).filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);

for (const { message } of breaking) console.log(`BREAKS ${message}`);
console.log(
  breaking.length > 0
    ? `clients that were not warned break, in ${breaking.length} place(s): deprecate first, remove later`
    : 'no client breaks that was not warned',
);
process.exit(breaking.length > 0 ? 1 : 0);

function undeprecated(text) {
  const dropped = node => (getDirectiveValues(GraphQLDeprecatedDirective, node) ? null : undefined);
  // Checked whole first: without its deprecated parts a type may be empty, which is no fault of the file.
  built(oldFile, text);
  const document = visit(parse(text), {
    FieldDefinition: dropped,
    InputValueDefinition: dropped,
    EnumValueDefinition: dropped,
  });
  return reachable(buildASTSchema(document, { assumeValid: true, assumeValidSDL: true }));
}

/** The schema without the types that no operation can meet. */
function reachable(schema) {
  const from = types => new GraphQLSchema({
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
    directives: schema.getDirectives(),
    types,
    assumeValid: true,
  });
  const count = met => Object.keys(met.getTypeMap()).length;

  let met = from([]);
  for (;;) {
    const interfaces = Object.values(met.getTypeMap()).filter(isInterfaceType);
    const next = from(interfaces.flatMap(type => {
      const { objects, interfaces: narrower } = schema.getImplementations(type);
      return [...objects, ...narrower];
    }));
    if (count(next) === count(met)) return next;
    met = next;
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return stop(`${file} cannot be read: ${error.message}`);
  }
}

function built(file, text) {
  try {
    const schema = buildSchema(text);
    assertValidSchema(schema);
    return schema;
  } catch (error) {
    return stop(`${file} is not a schema: ${error.message}`);
  }
}

function stop(sentence) {
  console.error(sentence);
  process.exit(2);
}
