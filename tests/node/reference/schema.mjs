// The committed schema as graphql-js understands it. What an SDL cannot say is how our own scalars read a value, so that
// is said here once more, from their descriptions.

import { buildSchema, GraphQLError, valueFromASTUntyped } from 'graphql';
import { readFileSync } from 'node:fs';

export const schema = buildSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));

const isText = (value) => typeof value === 'string';
const DAY = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const SCALARS = {
  BigInt: (value) => Number.isSafeInteger(value),
  Date: (value) => isText(value) && DAY.test(value) && isDay(value),
  DateTime: (value) => isText(value) && TIME.test(value) && isDay(value.slice(0, 10)),
  EventCursor: isText,
  JSON: () => true,
};

for (const [name, accepts] of Object.entries(SCALARS)) {
  const scalar = schema.getType(name);
  scalar.parseValue = (value) => {
    if (!accepts(value)) throw new GraphQLError(`${name} cannot represent ${JSON.stringify(value)}`);
    return value;
  };
  scalar.parseLiteral = (node, variables) => scalar.parseValue(valueFromASTUntyped(node, variables));
}

function isDay(text) {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}
