// One document, judged by graphql-js and by the server, and what the specification wants to be the same.

import { execute, parse, validate } from 'graphql';
import { send } from './ask.mjs';
import { MARK, marked } from './paths.mjs';
import { resolveField, settle, Unanswered } from './records.mjs';
import { schema } from './schema.mjs';
import { putIn } from './values.mjs';

/** Why the server, unlike the reference, may refuse a document: it bounds what a document may cost. */
const BOUNDS = /^(TOO_|DOCUMENT_TOO_|VARIABLES_TOO_|SELECTED_TOO_)/;
/** The stages of a request, of which each only comes to what has passed the ones before. */
const STAGE_BY_CODE = {
  GRAPHQL_PARSE_FAILED: 'unreadable', GRAPHQL_VALIDATION_FAILED: 'invalid', FRAGMENT_CYCLE: 'invalid',
  BAD_USER_INPUT: 'uncoercible',
  OPERATION_NAME_REQUIRED: 'unknown operation', OPERATION_NOT_FOUND: 'unknown operation',
};

const NO_PATH = 'no path';

/** How the two read paths deviate: a list of sentences, empty when neither does. */
export async function deviations(request) {
  const { template, variables, operationName } = request;
  const text = putIn(template);
  const theirs = await theirsOf(text, { variableValues: variables, operationName });
  const found = [];
  const slow = marked(text);
  for (const [way, document] of [['projection', text], ['executor', slow]]) {
    if (document === undefined) continue;
    const answer = await send(document, variables, operationName);
    const ours = served(answer);
    if (ours.stage.startsWith('bound')) return { found: [], bound: ours.stage };
    const sentence = difference(theirs, ours);
    if (sentence) found.push({ way, sentence, text: document, ours: answer, theirs: theirs.result });
  }
  return { found, stage: theirs.stage, both: slow && [text, slow] };
}

/** What graphql-js makes of a document. */
export async function theirsOf(text, options = {}) {
  let document;
  try {
    document = parse(text);
  } catch (error) {
    return { stage: 'unreadable', result: error.message };
  }
  const faults = validate(schema, document);
  const context = { failures: [], pending: [] };
  const typeResolver = (value) => value.__typename;
  const result = faults.length > 0
    ? await coercion(document, options)
    : await execute({ schema, document, contextValue: context, fieldResolver: resolveField, typeResolver, ...options });
  await settle(context);
  const { errors = [] } = result;
  const unanswered = errors.find(({ originalError }) => originalError instanceof Unanswered);
  if (unanswered) throw unanswered.originalError;
  const isBegun = 'data' in result;
  const messages = (faults.length > 0 ? faults : errors).map(({ message }) => message);
  if (faults.length > 0) {
    const isOfScalars = messages.every((message) => /^(BigInt|Date|DateTime|EventCursor) cannot/.test(message));
    return { stage: 'invalid', isUncoercible: !isBegun, isOfScalars, result: messages };
  }
  if (!isBegun) return { stage: /operation/i.test(messages[0]) ? 'unknown operation' : 'uncoercible', result: messages };
  return { stage: 'executed', ...outcome(result), failures: context.failures, result: JSON.parse(JSON.stringify(result)) };
}

/** Whether an invalid document would have been stopped before its execution as well, by its variables or its name. */
const coercion = async (document, options) => {
  try {
    return await execute({ schema, document, ...options, fieldResolver: () => null });
  } catch {
    return { data: null };
  }
};

/** What the server makes of it, by its answer. */
export function served({ data, errors = [], ...rest }) {
  if (data === undefined) {
    const { code } = errors[0].extensions;
    return { stage: STAGE_BY_CODE[code] ?? (BOUNDS.test(code) ? `bound ${code}` : `stopped by ${code}`) };
  }
  return { stage: 'executed', ...outcome({ data, errors }) };
}

const outcome = ({ data, errors = [] }) => ({
  data: unmarked(JSON.parse(JSON.stringify(data))),
  paths: errors.map(({ path }) => path?.join('.') || NO_PATH),
});

function unmarked(value) {
  if (Array.isArray(value)) return value.map(unmarked);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== MARK).map(([key, inner]) => [key, unmarked(inner)]));
}

/** How the server's answer is otherwise than it should be; nothing where it is not. */
export function difference(theirs, ours) {
  if (theirs.stage !== ours.stage) {
    // Faults of both kinds: which one is reported first is up to the server. And what is no value of a scalar of our own may be
    // said as of a variable, since only the scalar knows.
    if (theirs.stage === 'invalid' && (theirs.isUncoercible || theirs.isOfScalars) && ours.stage !== 'executed') return undefined;
    // A condition on a field of the root that is null leaves no data and has no path: whether it has begun can't be known.
    if (theirs.data === null && theirs.paths.every((path) => path === NO_PATH) && ours.stage === 'uncoercible') return undefined;
    return `${ours.stage} instead of ${theirs.stage}`;
  }
  if (theirs.stage !== 'executed') return undefined;
  const [expected, got] = [JSON.stringify(theirs.data), JSON.stringify(ours.data)];
  if (expected !== got) return firstDifference(theirs.data, ours.data, 'data');
  // Which of several failures below one null is reported is left open by the specification: it has to be one of them.
  const [expectedNulls, nulls] = [theirs, ours].map(({ paths }) => byNull(theirs.data, paths));
  if (JSON.stringify([...expectedNulls.keys()].sort()) !== JSON.stringify([...nulls.keys()].sort())) {
    return `errors at ${JSON.stringify(ours.paths)} instead of ${JSON.stringify(theirs.paths)}`;
  }
  const failed = new Set([...theirs.failures, ...theirs.paths].map(ofAnyItem));
  const strange = [...nulls.values()].find((paths) => !paths.some((path) => failed.has(ofAnyItem(path))));
  return strange && `an error at ${strange[0]} where nothing failed`;
}

/** A path, whichever items of lists it leads through. */
const ofAnyItem = (path) => path.replace(/\.\d+(?=\.|$)/g, '.*');

/** The paths of failures by the null that each came to. */
function byNull(data, paths) {
  const nulls = new Map();
  for (const path of paths) {
    const at = nullAbove(data, path);
    nulls.set(at, [...(nulls.get(at) ?? []), path]);
  }
  return nulls;
}

/** The null that a failure came to. */
function nullAbove(data, path) {
  const steps = path.split('.');
  for (let n = 0, at = data; n <= steps.length; n++) {
    if (at === null || at === undefined) return steps.slice(0, n).join('.') || 'all';
    at = at[steps[n]];
  }
  return `${path}, which is not null`;
}

function firstDifference(theirs, ours, path) {
  const isObject = (value) => value !== null && typeof value === 'object';
  if (isObject(theirs) && isObject(ours) && Array.isArray(theirs) === Array.isArray(ours)) {
    const [expected, got] = [Object.keys(theirs), Object.keys(ours)];
    if (JSON.stringify(expected) !== JSON.stringify(got)) {
      const how = ['missing', 'in another order', 'too many'][Math.sign(got.length - expected.length) + 1];
      return `keys ${how} at ${path}: ${got} instead of ${expected}`;
    }
    const key = expected.find((key) => JSON.stringify(theirs[key]) !== JSON.stringify(ours[key]));
    return firstDifference(theirs[key], ours[key], `${path}.${key}`);
  }
  const kind = (value) => {
    if (!isObject(value)) return value === null ? 'null' : 'a value';
    if (Array.isArray(value)) return 'a list';
    return Object.keys(value).length > 0 ? 'an object' : '{}';
  };
  const [expected, got] = [theirs, ours].map((value) => JSON.stringify(value)?.slice(0, 200));
  return `${kind(ours)} instead of ${kind(theirs)} at ${path}: ${got} instead of ${expected}`;
}
