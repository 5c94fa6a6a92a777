// Ways to break a document, one at a time. Most results are against a rule of the specification; what is not must still be
// answered alike.

import { Kind, parse, print, visit } from 'graphql';

const LITERALS = [
  '1', '-1', '1.5', '"text"', 'true', 'WORD', 'ASC', 'OPEN', 'null', '[]', '[1]', '[[1]]', '[null]', '{}', '{ eq: "x" }', '[{}]',
  '"2026-01-01T00:00:00Z"', '$unknown',
];
const TYPES = [
  'String', 'Int', 'ID', 'Boolean', 'Float', 'DateTime', 'OpportunityStatus', 'CompanyFilter', 'Company', 'Contact', 'Node',
  'ActivityTarget', 'Query',
];
/** What is sent for a variable instead of its value. */
const SENT = [
  1, 'text', '7', 1.5, true, null, [], [[1]], {}, { eq: 'x' }, { nonsense: 1 }, 2147483648, 'OPEN', [null], ['OPEN'],
];

const name = (value) => ({ kind: Kind.NAME, value });
const type = (value) => ({ kind: Kind.NAMED_TYPE, name: name(value) });
const field = (text) => parse(`{ ${text} }`).definitions[0].selectionSet.selections[0];
const argument = (text) => field(`a(${text})`).arguments[0];
const literal = (text) => argument(`a: ${text}`).value;
const definition = (text) => parse(text).definitions[0];
const listed = (value) => ({ kind: Kind.LIST, values: [value] });

/** Changes of one part of a node: to something else, to something more, to one of its own twice. */
const to = (part, make) => (node, random) => ({ ...node, [part]: make(node, random) });
const more = (part, make) => to(part, (node) => [...node[part], make(node)]);
const twice = (part) => (node) => node[part].length > 0 && more(part, () => node[part].at(-1))(node);
const directed = (text) => to('directives', () => field(`a ${text}`).directives);

/** What is broken in which kind of node. A change may take the node away with `null`, or not fit it. */
const WAYS = [
  [Kind.FIELD, to('name', () => name('nonsense'))],
  [Kind.FIELD, more('arguments', () => argument('nonsense: 1'))],
  [Kind.FIELD, twice('arguments')],
  [Kind.FIELD, (node) => node.selectionSet && { ...node, selectionSet: undefined }],
  [Kind.FIELD, (node) => !node.selectionSet && { ...node, selectionSet: field('a { id }').selectionSet }],
  [Kind.FIELD, directed('@nonsense')],
  [Kind.FIELD, directed('@skip(if: false) @skip(if: false)')],
  [Kind.FIELD, directed('@include')],
  [Kind.FIELD, directed('@include(if: "true")')],
  [Kind.FIELD, directed('@skip(if: null)')],
  [Kind.ARGUMENT, () => null],
  [Kind.ARGUMENT, to('value', (_, random) => literal(random.pick(LITERALS)))],
  [Kind.ARGUMENT, to('value', ({ value }) => listed(value))],
  [Kind.OBJECT_FIELD, to('value', (_, random) => literal(random.pick(LITERALS)))],
  [Kind.OBJECT_FIELD, to('value', ({ value }) => listed(value))],
  [Kind.OBJECT_FIELD, to('name', () => name('nonsense'))],
  [Kind.OBJECT, twice('fields')],
  [Kind.OBJECT, to('fields', () => [])],
  [Kind.ENUM, ({ value }) => literal(JSON.stringify(value))],
  [Kind.ENUM, () => literal('NONSENSE')],
  [Kind.STRING, () => literal('WORD')],
  [Kind.STRING, () => literal('7')],
  [Kind.INT, ({ value }) => literal(JSON.stringify(value))],
  [Kind.INT, ({ value }) => literal(`${value}.0`)],
  [Kind.INT, () => literal('2147483648')],
  [Kind.BOOLEAN, () => literal('1')],
  [Kind.SELECTION_SET, more('selections', () => field('id: __typename'))],
  [Kind.SELECTION_SET, to('selections', () => [field('__typename @skip(if: true)')])],
  [Kind.FRAGMENT_SPREAD, to('name', () => name('nonsense'))],
  [Kind.FRAGMENT_DEFINITION, ofItself],
  [Kind.NAMED_TYPE, () => type('Nonsense')],
  [Kind.NAMED_TYPE, (_, random) => type(random.pick(TYPES))],
  [Kind.VARIABLE_DEFINITION, () => null],
  [Kind.VARIABLE_DEFINITION, (node) => node.type.kind !== Kind.NON_NULL_TYPE && to('type', strict)(node)],
  [Kind.VARIABLE_DEFINITION, (node) => node.type.kind === Kind.NON_NULL_TYPE && to('type', () => node.type.type)(node)],
  [Kind.VARIABLE_DEFINITION, to('type', (node) => ({ kind: Kind.LIST_TYPE, type: node.type }))],
  [Kind.VARIABLE_DEFINITION, to('defaultValue', (_, random) => literal(random.pick(LITERALS)))],
  [Kind.VARIABLE_DEFINITION, to('defaultValue', ({ variable }) => variable)],
  [Kind.OPERATION_DEFINITION, directed('@skip(if: true)')],
  [Kind.OPERATION_DEFINITION, twice('variableDefinitions')],
  [Kind.OPERATION_DEFINITION, more('variableDefinitions', () => definition('query($unused: Int) { a }').variableDefinitions[0])],
  [Kind.DOCUMENT, more('definitions', () => definition('fragment unused on Query { __typename }'))],
  [Kind.DOCUMENT, more('definitions', () => definition('{ __typename }'))],
  [Kind.DOCUMENT, twice('definitions')],
];

function strict(node) {
  return { kind: Kind.NON_NULL_TYPE, type: node.type };
}

function ofItself(node) {
  const spread = { kind: Kind.FRAGMENT_SPREAD, name: node.name, directives: [] };
  return { ...node, selectionSet: more('selections', () => spread)(node.selectionSet) };
}

/** The request with something broken in it. */
export function broken({ template, variables, operationName }, random) {
  const names = Object.keys(variables);
  if (names.length > 0 && random.chance(0.3)) {
    return { template, variables: { ...variables, [random.pick(names)]: random.pick(SENT) }, operationName };
  }
  const document = parse(template);
  for (;;) {
    const [kind, change] = random.pick(WAYS);
    let count = 0;
    visit(document, { [kind]: () => void (count += 1) });
    if (count === 0) continue;
    const at = random.below(count);
    let seen = 0;
    const changed = visit(document, { [kind]: { leave: (node) => (seen++ === at ? edited(change(node, random)) : undefined) } });
    return { template: print(changed), variables, operationName };
  }
}

/** Where a change does not fit, the node stays as it is. */
const edited = (node) => node || (node === null ? null : undefined);
