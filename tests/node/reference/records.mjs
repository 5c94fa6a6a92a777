// The data that the reference answers from: what the server itself says when it is asked for one field at a time, with
// plain literals and nothing else that needs an executor. Each such answer is kept, so it is asked for once.

import {
  astFromValue, getNamedType, getNullableType, GraphQLError, isAbstractType, isCompositeType, isLeafType, isListType, isObjectType,
  print,
} from 'graphql';
import { send } from './ask.mjs';
import { schema } from './schema.mjs';

/** How each kind of record is asked for alone. */
const ROOTS = Object.fromEntries(Object.values(schema.getQueryType().getFields())
  .filter(({ name, type, args }) => name !== 'node' && isObjectType(type) && args.length === 1 && args[0].name === 'id')
  .map(({ name, type }) => [type.name, name]));

const kept = new Map();
/** How many questions that took. */
export const asked = () => kept.size;

/** Resolves any field of the schema. */
export function resolveField(source, args, context, { parentType, fieldName, path }) {
  const field = parentType.getFields()[fieldName];
  const root = { __typename: parentType.name, path: [] };
  const value = valueOf(source ?? root, field, literally(field, args)).catch((error) => {
    context.failures.push(pathOf(path).join('.'));
    throw error;
  });
  context.pending.push(value);
  return value;
}

/** Waits for what was begun before a failure beside it ended the execution. */
export async function settle(context) {
  for (let seen = -1; seen !== context.pending.length;) {
    seen = context.pending.length;
    await Promise.allSettled(context.pending);
    await new Promise(setImmediate);
  }
}

async function valueOf({ __typename, id, values, path: from }, field, step) {
  if (values && field.name in values) return values[field.name];
  const path = ROOTS[__typename] ? [`${ROOTS[__typename]}(id: ${JSON.stringify(id)})`] : from;
  if (!path) throw new Error(`there is no way to ${__typename}.${field.name}`);
  if (field.args.length === 0 && isLeafType(getNamedType(field.type)) && path.length > 0) {
    const leaves = await once(path, leavesOf(schema.getType(__typename)));
    return leaves[field.name];
  }
  const below = await once(path, `${step} ${identity(field.type)}`);
  return held(below[field.name], field.type, [...path, step]);
}

function once(path, selection) {
  const document = `{ ${path.map((step) => `${step} { `).join('')}${selection}${' }'.repeat(path.length)} }`;
  if (!kept.has(document)) kept.set(document, read(document, path));
  return kept.get(document);
}

async function read(document, path) {
  const { data, errors } = await send(document);
  if (!errors) return path.reduce((below, step) => below[step.split('(')[0]], data);
  const [error] = errors;
  // Whatever is asked for here is one field, so it is the one that failed.
  if (!error.path || error.path.length !== path.length + 1) throw new Unanswered(document, errors);
  throw new GraphQLError(error.message, { extensions: error.extensions });
}

/** The data cannot be had: a fault of the test or of the server, and no answer to compare. */
export class Unanswered extends Error {
  constructor(document, errors) {
    super(`${document}: ${JSON.stringify(errors)}`);
  }
}

/** What the server says of a field that is asked for like this, whole, as the reference wants it. */
export async function whole(ask, operation, step, type) {
  const { data, errors } = await ask(`${operation} { ${step} ${identity(type)} }`);
  if (errors) throw new GraphQLError(errors[0].message, { extensions: errors[0].extensions });
  return held(Object.values(data)[0], type, undefined);
}

/** A field with its arguments, in plain literals. */
export function literally(field, args) {
  const written = field.args.filter(({ name }) => args[name] !== undefined)
    .map(({ name, type }) => `${name}: ${print(astFromValue(args[name], type))}`);
  return written.length > 0 ? `${field.name}(${written.join(', ')})` : field.name;
}

/** Answers as the reference wants them: what can be asked for again stays a name, everything else is held. */
function held(value, type, path) {
  type = getNullableType(type);
  if (value === null || isLeafType(type)) return value;
  if (isListType(type)) return value.map((item) => held(item, type.ofType, undefined));
  const { __typename } = value;
  if (ROOTS[__typename]) return { __typename, id: value.id };
  const fields = schema.getType(__typename).getFields();
  const values = {};
  for (const [name, inner] of Object.entries(value)) {
    if (name !== '__typename') values[name] = held(inner, fields[name].type, path && [...path, name]);
  }
  return { __typename, values, path };
}

const leavesOf = (type) => Object.values(type.getFields())
  .filter(({ type, args }) => args.length === 0 && isLeafType(getNamedType(type)))
  .map(({ name }) => name).join(' ');

/** All of a value that has no id by which to ask for it, and the id of one that has. */
function identity(type) {
  type = getNamedType(type);
  if (!isCompositeType(type)) return '';
  if (isAbstractType(type)) {
    return `{ __typename ${schema.getPossibleTypes(type).map(({ name }) => `... on ${name} { id }`).join(' ')} }`;
  }
  if (ROOTS[type.name]) return '{ __typename id }';
  const fields = Object.values(type.getFields()).filter(({ args }) => args.length === 0);
  return `{ __typename ${fields.map(({ name, type }) => `${name} ${identity(type)}`).join(' ')} }`;
}

function pathOf(path) {
  const steps = [];
  for (let at = path; at; at = at.prev) steps.unshift(at.key);
  return steps;
}
