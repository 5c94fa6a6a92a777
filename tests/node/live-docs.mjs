// The JavaScript of docs/live.md with the packages that it names: each client shows a board, and follows it through
// moves, a cut connection and a lost cursor. See checks.mjs.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

import WebSocket from 'ws';

import { Arrivals, act, cuttable, rename, run, token, twoDeals, url } from './checks.mjs';

// A browser has one, and so has a newer Node.
globalThis.WebSocket = WebSocket;

/** Writes the blocks of the page as files where the packages are, and imports them. */
async function modules() {
  const page = await readFile(new URL('../../docs/live.md', import.meta.url), 'utf8');
  const folder = await mkdtemp(fileURLToPath(new URL('node_modules/.live-docs-', import.meta.url)));
  try {
    await writeFile(`${folder}/package.json`, '{ "type": "module" }');
    const names = [];
    for (const [, block, name] of page.matchAll(/^```js\b.*\n(\/\/ (\S+\.js)[\s\S]*?)^```$/gm)) {
      await writeFile(`${folder}/${name}`, block);
      names.push(name);
    }
    assert.equal(names.length, page.match(/^```js\b/gm).length, 'each block begins with its name');
    const imported = {};
    for (const name of names) Object.assign(imported, await import(pathToFileURL(`${folder}/${name}`)));
    return imported;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const { apollo, apply, eventSource, openBoard, openDashboard, openSocket, urql } = await modules();
const { one, other, pipeline } = await twoDeals();
const filter = { status: { eq: 'OPEN' } };
const signed = async () => token;

/** A board that is open; what it shows arrives as a copy each time. */
function open(client) {
  const shown = new Arrivals();
  const failed = new Arrivals();
  const close = openBoard(client, { pipelineId: pipeline, filter }, (cards) => shown.put(new Map(cards)), (errors) => failed.put(errors));
  /** The first one shown that is as wanted; some may be shown twice. */
  const until = async (isWanted) => {
    for (;;) {
      const cards = await shown.next();
      if (isWanted(cards)) return cards;
    }
  };
  return { shown, failed, close, until };
}

async function follows(make) {
  const way = await cuttable();
  const socket = openSocket(way.url, signed);
  const board = open(make(way.url, signed, socket));
  const first = await board.shown.next();
  assert.ok(first.get(one.id).owner.name && first.get(other.id));

  const isBehind = (cards) => cards.get(one.id).boardPosition > cards.get(other.id).boardPosition;
  const was = isBehind(first);
  await act('opportunityReorder', { id: one.id, [was ? 'beforeId' : 'afterId']: other.id });
  await board.until((cards) => isBehind(cards) !== was);
  await act('opportunityWin', { id: one.id });
  assert.equal((await board.until((cards) => !cards.has(one.id))).size, first.size - 1);
  await act('opportunityReopen', { id: one.id });
  await board.until((cards) => cards.has(one.id));

  way.cut();
  await rename(one.id, 'Renamed meanwhile');
  await act('opportunityWin', { id: other.id });
  way.mend();
  const after = await board.until((cards) => !cards.has(other.id));
  assert.equal(after.get(one.id).name, 'Renamed meanwhile');
  await act('opportunityReopen', { id: other.id });
  await board.until((cards) => cards.has(other.id));

  board.close();
  await rename(one.id, one.name);
  assert.ok(await board.shown.isSilent(), 'a board that is closed shows nothing');
  assert.ok(await board.failed.isSilent(), 'nothing failed');
  await socket.dispose();
  way.close();
}

/** With a cursor that leads nowhere at first, the board is read again. */
async function readsAgain(make) {
  const socket = openSocket(url, signed);
  const client = make(url, signed, socket);
  let reads = 0;
  const lost = {
    ...client,
    async ask(query, variables) {
      const data = await client.ask(query, variables);
      reads += 1;
      return reads === 1 ? { ...data, eventCursor: '0000000000000000.1' } : data;
    },
  };
  const board = open(lost);
  await board.shown.next();
  await board.shown.next();
  assert.equal(reads, 2);
  await rename(one.id, 'After all');
  await board.until((cards) => cards.get(one.id).name === 'After all');
  board.close();
  await rename(one.id, one.name);
  await socket.dispose();
}

/** What can't be helped is reported. */
async function reports(make) {
  const socket = openSocket(url, signed);
  const failed = new Arrivals();
  const on = { event: () => {}, failed: (errors) => failed.put(errors) };
  make(url, signed, socket).follow('subscription { boardEvents(pipelineId: "lead:1") { kind } }', {}, on);
  const [error] = await failed.next();
  assert.equal(error.extensions.code, 'INVALID_ID');
  await socket.dispose();
}

await run({
  'Apollo Client follows': () => follows(apollo),
  'Apollo Client reads again': () => readsAgain(apollo),
  'Apollo Client reports what is wrong': () => reports(apollo),
  'urql follows': () => follows(urql),
  'urql reads again': () => readsAgain(urql),
  'urql reports what is wrong': () => reports(urql),
  'an EventSource follows': () => follows(eventSource),
  'an EventSource reads again': () => readsAgain(eventSource),
  'an EventSource reports what is wrong': () => reports(eventSource),

  async 'a board that receives nothing says so, follows again, and says when it is fresh'() {
    const later = globalThis.setTimeout;
    const waiting = [];
    // Silence is waited for by this.
    globalThis.setTimeout = (what, ms, ...more) => {
      if (ms === 40_000) waiting.push(what);
      return later(what, ms, ...more);
    };
    const shown = new Arrivals();
    const followed = new Arrivals();
    const page = { nodes: [{ id: 'd', version: 1 }], pageInfo: { hasNextPage: false } };
    const client = {
      ask: async () => ({ eventCursor: 'c1', pipeline: { opportunities: page } }),
      follow(_, variables, on) {
        followed.put({ after: variables.after, on });
        return () => {};
      },
    };
    try {
      const close = openBoard(client, { pipelineId: pipeline, filter }, (cards, isFresh) => shown.put({ size: cards.size, isFresh }), assert.fail);
      assert.deepEqual(await shown.next(), { size: 1, isFresh: true });
      const { on } = await followed.next();
      on.event({ kind: 'SYNCED', cursor: 'c2' });
      waiting.at(-1)();
      assert.deepEqual(await shown.next(), { size: 1, isFresh: false });
      const again = await followed.next();
      assert.equal(again.after, 'c2');
      again.on.event({ kind: 'SYNCED', cursor: 'c3' });
      assert.deepEqual(await shown.next(), { size: 1, isFresh: true });
      close();
    } finally {
      globalThis.setTimeout = later;
    }
  },

  async 'an older deal does not replace a newer one'() {
    const cards = new Map([['d', { id: 'd', version: 3 }]]);
    const event = (kind, opportunity) => ({ kind, recordId: 'd', opportunity });
    apply(cards, event('UPDATED', { id: 'd', version: 2 }));
    apply(cards, event('SYNCED', null));
    assert.equal(cards.get('d').version, 3);
    apply(cards, event('UPDATED', { id: 'd', version: 3, name: 'Same version' }));
    assert.equal(cards.get('d').name, 'Same version');
    for (const gone of [
      event('ARCHIVED', { id: 'd', version: 4 }),
      event('UPDATED', { id: 'd', version: 4, archivedAt: '2030-01-01T00:00:00Z' }),
      event('DELETED', null),
      event('LEFT_VIEW', null),
    ]) {
      const copy = new Map(cards);
      apply(copy, gone);
      assert.equal(copy.size, 0, gone.kind);
    }
  },

  async 'a socket says its newer token before the old one ends'() {
    const now = Date.now;
    const sent = new Arrivals();
    class Heard extends WebSocket {
      send(text) {
        const message = JSON.parse(text);
        if (message.type === 'refreshToken') sent.put(message);
        super.send(text);
      }
    }
    globalThis.WebSocket = Heard;
    try {
      const socket = openSocket(url, signed);
      // Tokens last for minutes; half a minute before the end it is time.
      const [, claims] = token.split('.');
      const { exp } = JSON.parse(Buffer.from(claims, 'base64url'));
      const ahead = exp * 1000 - 31_000 - now();
      Date.now = () => now() + ahead;
      const events = new Arrivals();
      const failed = new Arrivals();
      socket.subscribe({ query: 'subscription { opportunityEvents { kind cursor } }' }, {
        next: () => events.put({}),
        error: (error) => failed.put(error),
        complete: () => {},
      });
      await events.next();
      assert.deepEqual((await sent.next()).payload, { token });
      assert.deepEqual((await sent.next()).payload, { token }, 'the answer says when to do so again');
      await socket.dispose();
      assert.ok(await failed.isSilent());
    } finally {
      Date.now = now;
      globalThis.WebSocket = WebSocket;
    }
  },

  async 'a dashboard shows its board and its sums'() {
    const boards = new Arrivals();
    const layouts = new Arrivals();
    const stats = new Arrivals();
    const failed = new Arrivals();
    const close = openDashboard(url, signed, pipeline, {
      showBoard: (cards) => boards.put(new Map(cards)),
      showLayout: (value) => layouts.put(value),
      showStats: (value) => stats.put(value),
      fail: (errors) => failed.put(errors),
    });
    const [column] = (await layouts.next()).columns;
    assert.ok(column.stageId && column.name);
    const before = (await stats.next()).open.count;
    assert.equal((await boards.next()).size, before);
    await act('opportunityWin', { id: one.id });
    assert.equal((await stats.next()).open.count, before - 1);
    assert.equal((await boards.next()).size, before - 1);
    await act('opportunityReopen', { id: one.id });
    assert.equal((await stats.next()).open.count, before);
    await close();
    assert.ok(await failed.isSilent());
  },
});
