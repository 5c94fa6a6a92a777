// Documents at random: mostly ones that mean something, with all that a selection can be made of.

import {
  getNamedType, GraphQLObjectType, isAbstractType, isCompositeType, isInterfaceType, isNonNullType, isObjectType,
} from 'graphql';
import { MARK } from './paths.mjs';
import { Random } from './random.mjs';
import { schema } from './schema.mjs';
import { Values } from './values.mjs';

/** What is never the same twice, or changes by being asked for. */
const VOLATILE = new Set([
  'rateLimit', 'tokenExpiresAt', 'lastSeenAt', 'lastUsedAt', 'lastUsedFrom', 'eventCursor', 'presence', 'auditLog', 'sessions',
]);
/** Roots that the two read paths serve come up more often. */
const RECORDS = /^(compan|contact|lead|opportunit|activit|pipeline|stage)/;
const DEEPEST = 7;
/** About how many selections a document has. */
const SIZE = 24;
const EVENTS = ['companyEvents', 'contactEvents', 'leadEvents', 'opportunityEvents', 'activityEvents'];
const ABSTRACT = Object.values(schema.getTypeMap()).filter(isAbstractType);

export function documentOf(seed, pools) {
  return new Documents(new Random(seed), pools).document();
}

/** A subscription to changes of records, beginning after a cursor. */
export function subscriptionOf(seed, pools, after) {
  return new Documents(new Random(seed), pools).subscription(after);
}

class Documents {
  constructor(random, pools) {
    this.random = random;
    this.values = new Values(random, pools);
    this.fragments = [];
    this.keys = new Map();
    this.size = SIZE;
  }

  subscription(after) {
    const { random } = this;
    const field = schema.getSubscriptionType().getFields()[random.pick(EVENTS)];
    const args = [`after: ${JSON.stringify(after)}`];
    // A filter that was not sent is none; any other could pass over what is compared.
    const { type } = field.args.find(({ name }) => name === 'filter');
    if (random.chance(0.5)) args.push(`filter: ${this.values.declare(`${type}`, 'unsent', 'filter')}`);
    // By its kind, the event is distinguished from a sign that nothing has happened yet.
    const selection = this.selection(getNamedType(field.type), 1).replace(/ }$/, ` ${MARK}: kind }`);
    // No directives there: newer versions of the specification forbid them, and graphql-js 16 throws at them.
    const call = `${random.chance(0.3) ? 'it: ' : ''}${field.name}(${args.join(', ')})`;
    return this.whole(`subscription ${this.values.declarations()} { ${call} ${selection} }`);
  }

  document() {
    const { random } = this;
    const selection = this.selection(schema.getQueryType(), 0);
    const [name, operationName] = random.weighted([[4, ['']], [3, ['Q']], [2, ['Q', 'Q']], [0.1, ['Q', 'Other']]]);
    const head = this.values.variables.size > 0 || name ? `query ${name}${this.values.declarations()} ` : '';
    const other = name && random.chance(0.2) ? '\nquery Another { __typename }' : '';
    return { ...this.whole(`${head}${selection}${other}`), operationName };
  }

  whole(operations) {
    const parts = [operations, ...this.fragments.map(({ text }) => text)];
    return { template: parts.join('\n'), variables: this.values.sent };
  }

  selection(type, depth) {
    const { random } = this;
    const count = depth === 0 ? 1 + random.below(3) : 1 + random.below(5);
    const selections = [];
    for (let n = 0; n < count; n++) selections.push(this.one(type, depth));
    const again = this.size > 0 && selections.find(({ again }) => again);
    if (again && random.chance(0.3)) selections.push(again.again());
    return `{ ${selections.map(({ text }) => text).join(' ')} }`;
  }

  one(type, depth) {
    const { random } = this;
    this.size -= 1;
    const kind = random.weighted([[8, 'field'], [depth > 0 ? 0.7 : 0.3, '__typename'], [1, 'inline'], [1, 'spread']]);
    if (kind === 'inline') return { text: this.inline(type, depth) };
    if (kind === 'spread') return { text: this.spread(type, depth) };
    const field = kind === 'field' && this.fieldOf(type, depth);
    if (!field) return { text: `${random.chance(0.2) ? 'kind_of: ' : ''}__typename${this.directives()}` };
    return this.field(field, depth);
  }

  fieldOf(type, depth) {
    const { random } = this;
    const isTooDeep = depth >= DEEPEST || this.size < 0;
    const fields = Object.values(type.getFields?.() ?? {}).filter((field) => !VOLATILE.has(field.name)
      && !(isTooDeep && isCompositeType(getNamedType(field.type))));
    if (fields.length === 0) return undefined;
    return random.weighted(fields.map((field) => [weight(type, field), field]));
  }

  field(field, depth) {
    const { random } = this;
    const args = field.args.filter((arg) => (isNonNullType(arg.type) && arg.defaultValue === undefined)
      || random.chance(arg.name === 'first' ? 0.5 : 0.15));
    const written = args.map((arg) => `${arg.name}: ${this.values.of({ ...arg, of: field.name })}`).join(', ');
    const call = `${field.name}${written ? `(${written})` : ''}`;
    const key = this.key(field, call);
    const write = () => {
      const below = isCompositeType(getNamedType(field.type)) ? ` ${this.selection(getNamedType(field.type), depth + 1)}` : '';
      return `${key}${call}${this.directives()}${below}`;
    };
    return { text: write(), again: () => ({ text: write() }) };
  }

  /** The same key always stands for the same field, but for a few that are at odds. */
  key(field, call) {
    const { random } = this;
    if (random.chance(0.01)) return 'a: ';
    const meant = `${call} ${field.type}`;
    if ((this.keys.get(field.name) ?? meant) === meant && !random.chance(0.25)) {
      this.keys.set(field.name, meant);
      return '';
    }
    const [known] = [...this.keys].find(([key, what]) => key.startsWith('_') && what === meant) ?? [];
    const alias = known ?? `_${random.pick(['z', 'b', 'm'])}${this.keys.size}`;
    this.keys.set(alias, meant);
    return `${alias}: `;
  }

  condition(type) {
    const { random } = this;
    const broader = ABSTRACT.filter((other) => (isAbstractType(type) ? other === type : schema.isSubType(other, type)));
    if (broader.length > 0 && random.chance(0.3)) return random.pick(broader);
    if (!isAbstractType(type) || random.chance(0.15)) return type;
    return random.pick(schema.getPossibleTypes(type));
  }

  inline(type, depth) {
    const on = this.condition(type);
    const said = on === type && this.random.chance(0.4) ? '' : ` on ${on.name}`;
    return `...${said}${this.directives()} ${this.selection(on, depth)}`;
  }

  spread(type, depth) {
    const { random } = this;
    const isOn = (on) => on === type || (isInterfaceType(on) && isObjectType(type) && schema.isSubType(on, type));
    const fitting = this.fragments.filter(({ on, at }) => at >= depth && isOn(on));
    if (fitting.length > 0 && random.chance(0.5)) return `...${random.pick(fitting).name}${this.directives(true)}`;
    const on = this.condition(type);
    const selection = this.selection(on, depth);
    const name = `f${this.fragments.length}`;
    this.fragments.push({ name, on, at: depth, text: `fragment ${name} on ${on.name} ${selection}` });
    return `...${name}${this.directives()}`;
  }

  /** Sure ones have no condition that may be null: graphql-js does not look at that of a fragment which was spread already. */
  directives(isSure = false) {
    const { random } = this;
    if (!random.chance(0.12)) return '';
    const condition = () => this.values.condition(isSure);
    const one = () => `@${random.pick(['skip', 'include'])}(if: ${condition()})`;
    const both = () => `@skip(if: ${condition()}) @include(if: ${condition()})`;
    return ` ${random.chance(0.15) ? both() : one()}`;
  }
}

function weight(type, field) {
  const of = getNamedType(field.type);
  if (type === schema.getQueryType()) return RECORDS.test(field.name) ? 8 : field.name === 'node' ? 12 : 1;
  if (of instanceof GraphQLObjectType && /Connection$/.test(type.name)) return field.name === 'nodes' ? 6 : 3;
  return isCompositeType(of) ? 2 : 1;
}
