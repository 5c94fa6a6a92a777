// Subscriptions as npm graphql-ws sees them. See checks.mjs.

import assert from 'node:assert/strict';

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { Arrivals, DEALS, act, ask, rename, run, token, twoDeals, url } from './checks.mjs';

const socketUrl = url.replace(/^http/, 'ws');

/** A client, and what it has to say of its connection. */
function client(options = {}) {
  const connected = new Arrivals();
  const closed = new Arrivals();
  const made = createClient({
    url: socketUrl,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ authorization: `Bearer ${token}` }),
    retryWait: async () => {},
    ...options,
    on: {
      connected: (socket, payload) => connected.put({ socket, payload }),
      closed: (event) => closed.put(event),
      ...options.on,
    },
  });
  return Object.assign(made, { connected, closed });
}

/** Subscribes with a client; the events of the one field arrive. */
function follow(from, variables = {}, query = DEALS) {
  const events = new Arrivals();
  const over = new Arrivals();
  events.over = over;
  events.stop = from.subscribe({ query, variables }, {
    next: ({ data, errors }) => events.put(errors ? { kind: 'ERRORS', errors } : Object.values(data)[0]),
    error: (error) => over.put({ error }),
    complete: () => over.put({}),
  });
  return events;
}

const { one, other, pipeline } = await twoDeals();

await run({
  async 'a subscription first receives that it is live'() {
    const socket = client();
    const events = follow(socket);
    const { payload } = await socket.connected.next();
    assert.ok(Date.parse(payload.tokenExpiresAt) > Date.now());
    const first = await events.next();
    assert.equal(first.kind, 'SYNCED');
    assert.ok(first.cursor);
    assert.deepEqual([first.recordId, first.opportunity, first.changes], [null, null, []]);
    await socket.dispose();
  },

  async 'a change arrives with all that was selected'() {
    const socket = client();
    const events = follow(socket);
    await events.next();
    await rename(one.id, 'Over a socket');
    const event = await events.next();
    assert.equal(event.kind, 'UPDATED');
    assert.equal(event.recordId, one.id);
    assert.deepEqual(event.changes, [{ field: 'name', after: 'Over a socket' }]);
    assert.equal(event.opportunity.name, 'Over a socket');
    assert.ok(event.opportunity.stage.pipeline.name && event.opportunity.owner.name);
    assert.ok(await events.isSilent());
    await socket.dispose();
  },

  async 'two operations share a socket, and one of them may end'() {
    const socket = client();
    const [both, only] = [follow(socket), follow(socket, { filter: { id: { eq: other.id } } })];
    await Promise.all([both.next(), only.next()]);
    await rename(one.id, 'For both to see');
    assert.equal((await both.next()).recordId, one.id);
    await rename(other.id, 'For both to see too');
    assert.equal((await both.next()).recordId, other.id);
    assert.equal((await only.next()).recordId, other.id);
    both.stop();
    assert.deepEqual(await both.over.next(), {});
    await rename(other.id, 'For one to see');
    assert.equal((await only.next()).opportunity.name, 'For one to see');
    assert.ok(await both.isSilent());
    await socket.connected.next();
    await socket.dispose();
    assert.equal((await socket.closed.next()).code, 1000, 'there was one connection');
  },

  async 'what happens while the connection is cut arrives once and in order'() {
    let mend;
    const mended = new Promise((resolve) => (mend = resolve));
    const socket = client({ retryWait: () => mended });
    // The client writes the operation anew for each connection.
    const variables = {};
    const events = follow(socket, variables);
    variables.after = (await events.next()).cursor;
    await rename(one.id, 'Before the cut');
    const before = await events.next();
    assert.equal(before.opportunity.name, 'Before the cut');
    variables.after = before.cursor;
    socket.terminate();
    for (const n of [1, 2, 3]) await rename(one.id, `Meanwhile ${n}`);
    mend();
    for (const n of [1, 2, 3]) {
      const event = await events.change();
      assert.deepEqual(event.changes, [{ field: 'name', after: `Meanwhile ${n}` }]);
    }
    await rename(one.id, 'After the cut');
    assert.equal((await events.change()).opportunity.name, 'After the cut');
    assert.ok(await events.isSilent());
    await socket.dispose();
  },

  async 'a socket goes on by a newer token'() {
    const pongs = new Arrivals();
    const socket = client({ on: { pong: (isReceived, payload) => isReceived && pongs.put(payload) } });
    const events = follow(socket);
    await events.next();
    const raw = (await socket.connected.next()).socket;
    raw.send(JSON.stringify({ type: 'refreshToken', payload: { token } }));
    const { tokenExpiresAt } = (await pongs.next()).refreshToken;
    assert.ok(Date.parse(tokenExpiresAt) > Date.now());
    raw.send(JSON.stringify({ type: 'refreshToken', payload: { token: 'nonsense' } }));
    assert.equal((await pongs.next()).refreshToken.error.extensions.code, 'UNAUTHENTICATED');
    await rename(one.id, 'By the token that is good');
    assert.equal((await events.next()).opportunity.name, 'By the token that is good');
    await socket.dispose();
  },

  async 'signs of life are answered'() {
    const pongs = new Arrivals();
    const socket = client({ keepAlive: 50, on: { pong: (isReceived) => isReceived && pongs.put({}) } });
    await follow(socket).next();
    await pongs.next();
    await pongs.next();
    await socket.dispose();
  },

  async 'a wrong token closes with 4403'() {
    const refused = client({
      connectionParams: { authorization: 'Bearer nonsense' },
      shouldRetry: () => false,
    });
    const { error } = await follow(refused).over.next();
    assert.equal(error.code, 4403);
    assert.match(error.reason, /^Forbidden: /);
  },

  async 'with the next token it gets in by itself'() {
    let tries = 0;
    const socket = client({
      connectionParams: () => ({ token: (tries += 1) === 1 ? 'nonsense' : token }),
    });
    assert.equal((await follow(socket).next()).kind, 'SYNCED');
    assert.equal((await socket.closed.next()).code, 4403);
    assert.equal(tries, 2);
    await socket.dispose();
  },

  async 'a query has no place on a socket'() {
    const socket = client();
    const { error } = await follow(socket, {}, '{ viewer { role } }').over.next();
    assert.equal(error[0].extensions.code, 'SUBSCRIPTIONS_ONLY');
  },

  async 'an unknown field is an error of the operation alone'() {
    const socket = client();
    const events = follow(socket);
    await events.next();
    const { error } = await follow(socket, {}, 'subscription { opportunityEvents { nothing } }').over.next();
    assert.equal(error[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    await rename(one.id, 'Still notified');
    assert.equal((await events.next()).opportunity.name, 'Still notified');
    await socket.dispose();
  },

  async 'a live query answers at once and when its value is another one'() {
    const socket = client();
    const stats = 'subscription ($id: ID!) { pipelineStats(pipelineId: $id) { open { count } won { count } } }';
    const values = follow(socket, { id: pipeline }, stats);
    const before = await values.next();
    const read = await ask(stats.replace('subscription', 'query'), { id: pipeline });
    assert.deepEqual(before, read.pipelineStats);
    await act('opportunityWin', { id: other.id });
    assert.deepEqual(await values.next(), {
      open: { count: before.open.count - 1 },
      won: { count: before.won.count + 1 },
    });
    await act('opportunityReopen', { id: other.id });
    assert.deepEqual(await values.next(), before);
    await socket.dispose();
  },
});
