// Values for arguments: literals, and variables of every kind in their places, by the type that is expected.

import {
  getNamedType, getNullableType, isEnumType, isInputObjectType, isListType, isNonNullType,
} from 'graphql';

/** Strings as documents may write them. A record is called by what the first ones say. */
const ODD_TEXTS = [
  '"a\\ud83d\\ude00b"', '"a\\u{1F600}b"', '"a\u{1F600}b"', '"\\u{000061}\\uD83D\\uDE00\\u0062"',
  '"""a\u{1F600}b"""', '"""\n    a\u{1F600}b\n  """',
  '"say \\"hi\\"\\n\\ttwo\\/\\\\"', '"""say \\"""hi\\""" """', '""""""', '""', '"\\u00e9\\u0301"', '"a\\u{1F600}"',
  // What no parser takes.
  '"a\\ud83db"', '"\\ude00\\ud83d"', '"\\u{110000}"', '"\\u{d83d}"', '"\\u{}"', '"\\u12"', '"\\x41"', '"open', '"two\nlines"',
];

/** The inputs that nest no further. */
const COMPARISONS = /^(Text|Id|Int|BigInt|Date|DateTime)Filter$/;

/** Odd texts stand as this in a document while it is changed, and are put in at last. */
export const putIn = (text) => text.replace(/"§(\d+)§"/g, (_, n) => ODD_TEXTS[n]);

export class Values {
  constructor(random, pools) {
    this.random = random;
    this.pools = pools;
    this.variables = new Map();
    this.sent = {};
  }

  /** A value for an argument or an input field, as text. */
  of(place, depth = 0) {
    if (this.random.chance(depth === 0 ? 0.35 : 0.25)) return this.variable(place, depth);
    return this.literal(place, place.type, depth);
  }

  literal(place, type, depth) {
    const { random } = this;
    if (isNonNullType(type)) return this.literal(place, type.ofType, depth + 1);
    if (random.chance(0.05) && depth < 3) return 'null';
    return this.text(this.value(place, type, depth));
  }

  /** A variable that may stand there, declared and perhaps sent. */
  variable(place, depth) {
    const { random } = this;
    const { type, defaultValue } = place;
    const required = isNonNullType(type);
    const nullable = getNullableType(type);
    // A nullable variable may stand in a place that is not, where either has a default.
    const declared = !required || (defaultValue !== undefined && random.chance(0.6)) ? `${nullable}` : `${type}`;
    const strict = declared.endsWith('!') || random.chance(0.15) ? `${declared.replace(/!$/, '')}!` : declared;
    const kind = random.weighted(strict.endsWith('!')
      ? [[5, 'sent'], [2, 'default'], [1, 'default sent'], [0.15, 'null'], [0.15, 'unsent']]
      : [[4, 'sent'], [3, 'unsent'], [2, 'null'], [2, 'default'], [1, 'default null'], [1, 'default sent']]);
    return this.declare(strict, kind, `${place.of}.${place.name}`, () => this.value(place, nullable, depth + 1, true));
  }

  /** A Boolean for `@skip` and `@include`. */
  condition(isSure = false) {
    const { random } = this;
    if (random.chance(0.3)) return `${random.chance(0.5)}`;
    const sure = [[4, ['Boolean!', 'sent']], [3, ['Boolean!', 'default']], [2, ['Boolean!', 'default sent']]];
    const unsure = [
      [2, ['Boolean', 'default']], [1, ['Boolean', 'default sent']], [0.2, ['Boolean', 'default null']], [0.2, ['Boolean', 'unsent']],
    ];
    const kind = random.weighted(isSure ? sure : [...sure, ...unsure]);
    return this.declare(...kind, 'if', () => random.chance(0.5));
  }

  /** A variable of a type, new or one that is in the same use already. */
  declare(type, kind, use, make) {
    const again = [...this.variables.values()].filter((known) => known.type === type && known.use === use
      && (known.default !== undefined) === kind.startsWith('default'));
    if (again.length > 0 && this.random.chance(0.3)) return `$${this.random.pick(again).name}`;
    const name = `v${this.variables.size}`;
    this.variables.set(name, { name, type, use, default: kind.startsWith('default') ? this.text(make()) : undefined });
    if (kind === 'sent' || kind === 'default sent') this.sent[name] = plain(make());
    if (kind === 'null' || kind === 'default null') this.sent[name] = null;
    return `$${name}`;
  }

  declarations() {
    const written = ({ name, type, default: value }) => `$${name}: ${type}${value === undefined ? '' : ` = ${value}`}`;
    const all = [...this.variables.values()].map(written);
    return all.length > 0 ? `(${all.join(', ')})` : '';
  }

  /** A value in JavaScript; `Word` and `Ref` stand for what only a literal can say. */
  value(place, type, depth, constant = false) {
    const { random } = this;
    if (isNonNullType(type)) return this.value(place, type.ofType, depth, constant);
    if (isListType(type)) {
      if (random.chance(0.25)) return this.value(place, type.ofType, depth + 1, constant);
      return Array.from({ length: random.below(3) }, () => this.item(place, type.ofType, depth + 1, constant));
    }
    if (isEnumType(type)) return new Word(random.pick(type.getValues()).name);
    if (isInputObjectType(type)) return this.object(type, depth, constant);
    return this.pools.scalar(random, getNamedType(type).name, place);
  }

  item(place, type, depth, constant) {
    if (constant || !this.random.chance(0.15)) return this.value(place, type, depth, constant);
    return new Ref(this.variable({ ...place, type, defaultValue: undefined }, depth));
  }

  object(type, depth, constant) {
    const { random } = this;
    const object = {};
    for (const field of Object.values(type.getFields())) {
      const isRequired = isNonNullType(field.type) && field.defaultValue === undefined;
      const isDeep = isInputObjectType(getNamedType(field.type)) && !COMPARISONS.test(getNamedType(field.type).name);
      const probability = isRequired ? 1 : isDeep && depth > 2 ? 0 : 1.6 / Object.keys(type.getFields()).length;
      if (!random.chance(probability)) continue;
      const place = { ...field, of: type.name };
      if (!constant) object[field.name] = new Ref(this.of(place, depth + 1));
      else if (random.chance(0.04) && !isRequired) object[field.name] = null;
      else object[field.name] = this.value(place, field.type, depth + 1, true);
    }
    return object;
  }

  text(value) {
    if (Array.isArray(value)) return `[${value.map((item) => this.text(item)).join(', ')}]`;
    if (value instanceof Word) return value.name;
    if (value instanceof Ref) return value.text;
    if (value !== null && typeof value === 'object') {
      return `{ ${Object.entries(value).map(([name, inner]) => `${name}: ${this.text(inner)}`).join(', ')} }`;
    }
    if (typeof value === 'string' && this.random.chance(0.04)) return `"§${this.random.below(ODD_TEXTS.length)}§"`;
    return JSON.stringify(value);
  }
}

/** The name of a value of an enum. */
class Word {
  constructor(name) {
    this.name = name;
  }
}

/** A value that is written already. */
class Ref {
  constructor(text) {
    this.text = text;
  }
}

/** As it is sent for a variable. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Word) return value.name;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  }
  return value;
}
