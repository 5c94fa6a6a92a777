// What the scripts about subscriptions share. Each is run with the address of the endpoint, and the token of a member
// who may write in DEALGRAPH_TOKEN. It prints a line per check, then a summary as JSON, and fails when a check does.

import { createServer, connect } from 'node:net';

const WITHIN_MS = 20_000;
const CHECKED_WITHIN_MS = 60_000;
// How long to listen for what must not come.
const SILENCE_MS = 300;

export const url = process.argv[2];
export const token = process.env.DEALGRAPH_TOKEN;
if (!url || !token) {
  console.error('usage: DEALGRAPH_TOKEN=… node SCRIPT URL');
  process.exit(2);
}

/** Runs named checks one after the other and ends the process. */
export async function run(checks) {
  const failed = [];
  for (const [name, check] of Object.entries(checks)) {
    const problem = await within(check(), 'its end', CHECKED_WITHIN_MS).then(() => undefined, (error) => error);
    console.log(`${problem ? 'FAIL' : 'ok  '} ${name}${problem ? `: ${problem.stack ?? problem}` : ''}`);
    if (problem) failed.push(name);
  }
  const total = Object.keys(checks).length;
  console.log(JSON.stringify({ total, ok: total - failed.length, failed }));
  process.exit(failed.length > 0 || total === 0 ? 1 : 0);
}

/** Asks by POST; answers the data. */
export async function ask(query, variables = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await response.json();
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer.data;
}

/** Runs a mutation of deals that must be taken. */
export async function act(mutation, input) {
  const type = `${mutation[0].toUpperCase()}${mutation.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { done: ${mutation}(input: $input) { userErrors { code message } } }`;
  const { done } = await ask(document, { input });
  if (done.userErrors.length > 0) throw new Error(`${mutation}: ${JSON.stringify(done.userErrors)}`);
}

export const rename = (id, name) => act('opportunityUpdate', { id, name });

/** What arrives, to be waited for one by one. */
export class Arrivals {
  #arrived = [];
  #wanted = [];

  put(value) {
    const wanted = this.#wanted.shift();
    if (wanted) wanted(value);
    else this.#arrived.push(value);
  }

  next() {
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift());
    return within(new Promise((wanted) => this.#wanted.push(wanted)), 'something to arrive');
  }

  /** The next one that is not only a sign of how far it is. */
  async change() {
    for (;;) {
      const event = await this.next();
      if (event.kind !== 'SYNCED') return event;
    }
  }

  async isSilent() {
    await new Promise((over) => setTimeout(over, SILENCE_MS));
    return this.#arrived.every((event) => event.kind === 'SYNCED');
  }
}

/** A way to the server that can be cut: then nobody gets through until it is mended. */
export async function cuttable() {
  const { hostname, port, pathname } = new URL(url);
  const open = new Set();
  let isCut = false;
  const proxy = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => open.delete(from) && to.destroy());
    }
  });
  await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${proxy.address().port}${pathname}`,
    cut() {
      isCut = true;
      for (const socket of open) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    close() {
      this.cut();
      proxy.close();
    },
  };
}

async function within(promise, what, ms = WITHIN_MS) {
  // Made here, so that its stack shows who waited.
  const late = new Error(`waited in vain for ${what}`);
  let timer;
  const lateness = new Promise((_, refuse) => {
    timer = setTimeout(() => refuse(late), ms);
  });
  try {
    return await Promise.race([promise, lateness]);
  } finally {
    clearTimeout(timer);
  }
}

/** Two deals that are under way, and their pipeline. */
export async function twoDeals() {
  const { pipelines } = await ask(
    '{ pipelines(first: 1) { nodes { id opportunities(first: 2, filter: { status: { eq: OPEN } }) { nodes { id name } } } } }',
  );
  const { id: pipeline, opportunities } = pipelines.nodes[0];
  const [one, other] = opportunities.nodes;
  return { one, other, pipeline };
}

export const DEALS = `subscription Deals($filter: OpportunityFilter, $after: EventCursor) {
  opportunityEvents(filter: $filter, after: $after) {
    kind cursor recordId changes { field after }
    opportunity { id name stage { name pipeline { name } } owner { name } }
  }
}`;
