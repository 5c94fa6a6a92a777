// Holds the server against graphql-js, the reference implementation: documents made at random are answered by both, and
// what the specification says of them must be the same, on each of the server's two read paths.
//
//   DEALGRAPH_TOKEN=… node reference.mjs URL     REFERENCE_DOCUMENTS: how many; REFERENCE_SEED: the first of their seeds
//
// A seed makes one document, so the one that is printed with a failure makes it again. Prints what deviates, shrunk, one of each
// kind, then a summary as JSON.

import { asked } from './reference/records.mjs';
import { ask, inTurns } from './reference/ask.mjs';
import { broken } from './reference/breaks.mjs';
import { deviations } from './reference/compare.mjs';
import { documentOf, subscriptionOf } from './reference/documents.mjs';
import { arrange, pools } from './reference/pools.mjs';
import { Random } from './reference/random.mjs';
import { kindOf, shrunk } from './reference/shrink.mjs';
import { streamDeviations } from './reference/streams.mjs';
import { Twins } from './reference/writes.mjs';

const AT_ONCE = 8;
/** One of so many documents is broken on purpose. */
const BROKEN = 0.2;
/** For each document a query, so many subscriptions, and so many mutations of each kind of record. */
const STREAMS = 0.02;
const WRITES = 0.01;

/** Shrinking takes hundreds of requests. */
const MOST_SHRUNK = 8;
/** Documents for the two paths that are printed at the end, to be looked at more closely. */
const SAMPLES = 20;

const total = Number(process.env.REFERENCE_DOCUMENTS ?? 3000);
const first = Number(process.env.REFERENCE_SEED ?? 1);

const { eventCursor } = await ask('{ eventCursor }');
await arrange();
const known = await pools();

const kinds = new Map();
const stages = {};
const count = (what) => { stages[what] = (stages[what] ?? 0) + 1; };
const samples = [];
let seed = first;

await inTurns(AT_ONCE, () => (seed < first + total ? seed++ : null), async (seed) => {
  const random = new Random(seed ^ 0x5eed);
  const made = documentOf(seed, known);
  const request = random.chance(BROKEN) ? broken(made, random) : made;
  const { found, bound, stage, both } = await deviations(request);
  count(bound ?? stage);
  if (both && stage === 'executed') {
    count('on both paths');
    if (samples.length < SAMPLES && isPlain(request)) samples.push(both);
  }
  note(seed, request, found);
});

let stream = first;
await inTurns(AT_ONCE, () => (stream < first + total * STREAMS ? stream++ : null), async (seed) => {
  const request = subscriptionOf(seed, known, eventCursor);
  count('subscription');
  note(seed, undefined, await streamDeviations(request));
});

const twins = await Twins.all();
await inTurns(AT_ONCE, () => twins.pop() ?? null, async (twins) => {
  for (let seed = first; seed < first + total * WRITES; seed++) {
    count('mutation');
    const found = await twins.deviations(new Random(seed), known);
    note(seed, undefined, found);
    // Twins that differ once go on differing.
    if (found.length > 0) break;
  }
});

/** Whether the document alone is enough to send it again. */
function isPlain({ variables, operationName }) {
  return Object.keys(variables).length === 0 && operationName === undefined;
}

function note(seed, request, found) {
  if (found.length === 0) return;
  const kind = kindOf(found);
  if (!kinds.has(kind)) kinds.set(kind, []);
  kinds.get(kind).push({ seed, request, found });
}

let shrinking = 0;
for (const [kind, failures] of kinds) {
  const { seed, request, found } = failures[0];
  const isShrunk = request && (shrinking += 1) <= MOST_SHRUNK;
  const small = isShrunk ? await shrunk(request, found) : { request, found };
  console.log(`\n${failures.length} × ${kind}, first with REFERENCE_SEED=${seed} REFERENCE_DOCUMENTS=1`);
  for (const { way, sentence, text, variables, ours, theirs } of small.found) {
    console.log(`${way}: ${sentence}\n  ${text.replace(/\s+/g, ' ')}`);
    console.log(`  with ${JSON.stringify(small.request?.variables ?? variables)} ${request?.operationName ?? ''}`);
    console.log(`  ours       ${JSON.stringify({ ...ours, extensions: undefined }).slice(0, 600)}`);
    console.log(`  graphql-js ${JSON.stringify(theirs).slice(0, 600)}`);
  }
}

const deviating = [...kinds.values()].flat().length;
const summary = JSON.stringify({ total, deviating, stages, asked: asked(), samples });
// Connections that are kept for later would keep this process, and its end would keep what a pipe has not taken yet.
process.stdout.write(`${summary}\n`, () => process.exit(deviating > 0 ? 1 : 0));
