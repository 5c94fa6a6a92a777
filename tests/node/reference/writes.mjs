// Mutations: a document with its variables changes one record, the literals that graphql-js makes of them change its twin,
// and the twins stay alike. What was not sent must leave a field as it was, and what is skipped must not run.

import { getNamedType, isLeafType } from 'graphql';
import { ask, send } from './ask.mjs';
import { difference, served, theirsOf } from './compare.mjs';
import { literally, whole } from './records.mjs';
import { make } from './pools.mjs';
import { schema } from './schema.mjs';
import { putIn, Values } from './values.mjs';

const MONEY = { amountMinor: 5, currency: 'EUR' };
/** What makes a record of a kind, with something in each field that could be lost. */
const KINDS = {
  company: {
    name: 'Twin', description: 'kept', city: 'Oslo', employeeCount: 7, foundedYear: 1999, annualRevenue: MONEY, tags: ['x'],
  },
  contact: {
    firstName: 'T', lastName: 'Win', jobTitle: 'kept', department: 'kept', warmnessScore: 61, tags: ['x'],
    contactMethods: [{ kind: 'EMAIL', value: 'twin@smile.example' }],
  },
  lead: {
    firstName: 'T', lastName: 'Win', email: 'twin@smile.example', notes: 'kept', source: 'web', phone: '1', title: 'kept', tags: ['x'],
  },
  opportunity: { name: 'Twin', source: 'web', amount: MONEY, expectedCloseOn: '2030-01-01', tags: ['x'] },
  activity: { kind: 'CALL', subject: 'Twin', body: 'kept', outcome: 'kept', dueAt: '2030-01-01T00:00:00Z' },
};
/** What twins need not have in common. */
const OWN = new Set(['id', 'doneAt', 'createdAt', 'updatedAt', 'stageEnteredAt', 'boardPosition', 'occurredAt']);

/** Fields that are not written: who the twin is, and what is refused for the sake of the other. */
const NOT_WRITTEN = new Set(['id', 'expectedVersion', 'domain']);

export class Twins {
  /** Two records of each kind. */
  static all() {
    const one = (kind, input) => make(`${kind}Create`, input, kind);
    const twins = async ([kind, input]) => new Twins(kind, [await one(kind, input), await one(kind, input)]);
    return Promise.all(Object.entries(KINDS).map(twins));
  }

  constructor(kind, [one, other]) {
    Object.assign(this, { kind, one, other });
    this.type = schema.getQueryType().getFields()[kind].type;
    this.field = schema.getMutationType().getFields()[`${kind}Update`];
  }

  /** Writes once to each; how the answers or the records differ then. */
  async deviations(random, pools) {
    const values = new Values(random, pools);
    const input = getNamedType(this.field.args[0].type);
    const text = putIn(this.document(random, values, input));
    const variables = values.sent;
    const fieldResolver = (source, args, context, info) => this.resolve(source, args, info);
    const theirs = await theirsOf(text, { variableValues: variables, fieldResolver });
    const answer = await send(text, variables);
    const ours = served(answer);
    const sentence = difference(theirs, ours) ?? await this.apart();
    return sentence ? [{ way: 'mutation', sentence, text, variables, ours: answer, theirs: theirs.result }] : [];
  }

  document(random, values, input) {
    const { name } = this.field;
    const fields = Object.values(input.getFields()).filter(({ name }) => !NOT_WRITTEN.has(name) && random.chance(0.4));
    const written = fields.map((field) => `${field.name}: ${values.of({ ...field, of: input.name })}`);
    const directive = random.chance(0.3) ? ` @${random.pick(['skip', 'include'])}(if: ${values.condition()})` : '';
    const id = random.chance(0.5) ? JSON.stringify(this.one) : values.declare('ID!', 'sent', 'id', () => this.one);
    const call = `${name}(input: { ${[`id: ${id}`, ...written].join(', ')} })${directive} { userErrors { code field } }`;
    return `mutation ${values.declarations()} { __typename ${random.chance(0.3) ? 'it: ' : ''}${call} }`;
  }

  resolve(source, args, { parentType, fieldName }) {
    if (parentType !== schema.getMutationType()) return source.values[fieldName];
    const input = { ...args.input, id: this.other };
    return whole(send, 'mutation', literally(this.field, { input }), this.field.type);
  }

  /** How the twins differ, if they do. */
  async apart() {
    const isCommon = ({ name, type, args }) => !OWN.has(name) && args.length === 0 && isLeafType(getNamedType(type));
    const names = Object.values(this.type.getFields()).filter(isCommon).map(({ name }) => name);
    const read = (key, id) => `${key}: ${this.kind}(id: "${id}") { ${names.join(' ')} }`;
    const { one, other } = await ask(`{ ${read('one', this.one)} ${read('other', this.other)} }`);
    const [got, expected] = [one, other].map((twin) => names.map((name) => JSON.stringify(twin[name])));
    const at = names.findIndex((_, n) => got[n] !== expected[n]);
    return at < 0 ? undefined : `the records differ at ${names[at]}: ${got[at]} instead of ${expected[at]}`;
  }
}
