// Subscriptions as server-sent events, as npm graphql-sse and npm eventsource see them. See checks.mjs.

import assert from 'node:assert/strict';

import { EventSource } from 'eventsource';
import { createClient } from 'graphql-sse';

import { Arrivals, DEALS, cuttable, rename, run, token, twoDeals, url } from './checks.mjs';

const authorization = `Bearer ${token}`;

function client(options = {}) {
  return createClient({ url, headers: () => ({ authorization }), retry: async () => {}, ...options });
}

/** Subscribes with a client; what comes and how it ends arrive. */
function follow(from, variables = {}, query = DEALS) {
  const answers = new Arrivals();
  const over = new Arrivals();
  const stop = from.subscribe({ query, variables }, {
    next: (answer) => answers.put(answer.data?.opportunityEvents ?? answer),
    error: (error) => over.put({ error }),
    complete: () => over.put({}),
  });
  return Object.assign(answers, { over, stop });
}

/** Opens a stream by its address; its messages arrive, and the header that each connection says where it was with. */
function source(address, query, variables = {}) {
  const messages = new Arrivals();
  const resumed = new Arrivals();
  const errors = new Arrivals();
  const asked = new URL(address);
  asked.searchParams.set('query', query);
  asked.searchParams.set('variables', JSON.stringify(variables));
  const opened = new EventSource(asked, {
    fetch: (input, init) => {
      resumed.put(init.headers['Last-Event-ID']);
      return fetch(input, { ...init, headers: { ...init.headers, authorization } });
    },
  });
  opened.addEventListener('next', ({ lastEventId, data }) => {
    const event = Object.values(JSON.parse(data).data)[0];
    messages.put({ ...event, id: lastEventId });
  });
  opened.addEventListener('complete', () => messages.put({ kind: 'COMPLETE' }));
  opened.addEventListener('error', (error) => errors.put(error));
  return Object.assign(messages, { resumed, errors, close: () => opened.close() });
}

const { one, other } = await twoDeals();

await run({
  async 'a subscription is live first and then sends a change'() {
    const streams = client();
    const events = follow(streams);
    assert.equal((await events.next()).kind, 'SYNCED');
    await rename(one.id, 'Over a stream');
    const event = await events.next();
    assert.equal(event.kind, 'UPDATED');
    assert.deepEqual(event.changes, [{ field: 'name', after: 'Over a stream' }]);
    assert.equal(event.opportunity.name, 'Over a stream');
    assert.ok(event.opportunity.stage.pipeline.name && event.opportunity.owner.name);
    assert.ok(await events.isSilent());
    streams.dispose();
    assert.deepEqual(await events.over.next(), {});
  },

  async 'two subscriptions are two streams'() {
    const streams = client();
    const [both, only] = [follow(streams), follow(streams, { filter: { id: { eq: other.id } } })];
    await Promise.all([both.next(), only.next()]);
    await rename(one.id, 'In one of two streams');
    await rename(other.id, 'In two streams');
    assert.equal((await both.next()).recordId, one.id);
    assert.equal((await both.next()).recordId, other.id);
    assert.equal((await only.next()).recordId, other.id);
    streams.dispose();
  },

  async 'a query is answered and complete'() {
    const answers = follow(client(), {}, '{ viewer { role } }');
    assert.deepEqual((await answers.next()).data, { viewer: { role: 'ADMIN' } });
    assert.deepEqual(await answers.over.next(), {});
  },

  async 'who takes JSON too is answered a query in JSON, and a subscription in a stream'() {
    const answer = async (query) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization, accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      await response.body.cancel();
      return response.headers.get('content-type').split(';')[0];
    };
    assert.equal(await answer('{ viewer { role } }'), 'application/json');
    assert.equal(await answer('subscription { opportunityEvents { kind } }'), 'text/event-stream');
  },

  async 'a document that is none is refused before there is a stream'() {
    const { error } = await follow(client({ retryAttempts: 0 }), {}, 'subscription {').over.next();
    assert.equal(error.response.status, 400);
    const { errors } = await error.response.json();
    assert.equal(errors[0].extensions.code, 'GRAPHQL_PARSE_FAILED');
  },

  async 'an unknown field ends the stream with the reason'() {
    const answers = follow(client(), {}, 'subscription { opportunityEvents { nothing } }');
    const { errors } = await answers.next();
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    assert.deepEqual(await answers.over.next(), {});
  },

  async 'a wrong token is a 401'() {
    const refused = client({ headers: { authorization: 'Bearer nonsense' }, retryAttempts: 0 });
    const { error } = await follow(refused).over.next();
    assert.equal(error.response.status, 401);
  },

  async 'what happens while the connection is cut arrives once and in order'() {
    const way = await cuttable();
    let mend;
    const mended = new Promise((resolve) => (mend = resolve));
    const streams = client({ url: way.url, retry: () => mended });
    // The client writes the request anew for each connection.
    const variables = {};
    const events = follow(streams, variables);
    variables.after = (await events.next()).cursor;
    way.cut();
    for (const n of [1, 2, 3]) await rename(one.id, `Meanwhile ${n}`);
    way.mend();
    mend();
    for (const n of [1, 2, 3]) {
      assert.deepEqual((await events.change()).changes, [{ field: 'name', after: `Meanwhile ${n}` }]);
    }
    await rename(one.id, 'After the cut');
    assert.equal((await events.change()).opportunity.name, 'After the cut');
    assert.ok(await events.isSilent());
    streams.dispose();
    way.close();
  },

  async 'the messages of an EventSource have cursors for ids'() {
    const events = source(url, DEALS);
    const synced = await events.next();
    assert.equal(synced.kind, 'SYNCED');
    assert.equal(synced.id, synced.cursor);
    await rename(one.id, 'To an EventSource');
    const event = await events.next();
    assert.equal(event.opportunity.name, 'To an EventSource');
    assert.equal(event.id, event.cursor);
    assert.notEqual(event.id, synced.id);
    events.close();
  },

  async 'an EventSource that is cut off goes on by itself'() {
    const way = await cuttable();
    const events = source(way.url, DEALS);
    await events.next();
    assert.equal(await events.resumed.next(), undefined);
    await rename(one.id, 'Before the cut');
    const { id } = await events.next();
    way.cut();
    for (const n of [1, 2, 3]) await rename(one.id, `Meanwhile ${n}`);
    way.mend();
    for (const n of [1, 2, 3]) {
      assert.deepEqual((await events.change()).changes, [{ field: 'name', after: `Meanwhile ${n}` }]);
    }
    assert.equal(await events.resumed.next(), id, 'it said where it was');
    await rename(one.id, 'After the cut');
    assert.equal((await events.change()).opportunity.name, 'After the cut');
    assert.ok(await events.isSilent());
    events.close();
    way.close();
  },

  async 'an EventSource is answered a query, and receives that this is all'() {
    const answers = source(url, '{ viewer { role } }');
    assert.equal((await answers.next()).role, 'ADMIN');
    assert.equal((await answers.next()).kind, 'COMPLETE');
    answers.close();
  },

  async 'nothing is changed by an address'() {
    const rename = `mutation { opportunityUpdate(input: { id: "${one.id}", name: "By GET" }) { userErrors { code } } }`;
    const refused = source(url, rename);
    assert.equal((await refused.errors.next()).code, 405);
    refused.close();
  },
});
