// Requests to the server under test, a few at a time.

import { Agent, request } from 'node:http';

const [, , url] = process.argv;
const token = process.env.DEALGRAPH_TOKEN;
if (!url || !token) {
  console.error('usage: DEALGRAPH_TOKEN=… node SCRIPT URL');
  process.exit(2);
}

const agent = new Agent({ keepAlive: true });

/** What the server answers, whole. Where it has too much to do it says so, and is asked again. */
export async function send(query, variables, operationName) {
  for (;;) {
    const answer = await post({ query, variables, operationName });
    if (!answer.errors?.some(({ extensions }) => extensions?.code === 'TENANT_BUSY')) return answer;
  }
}

function post(body) {
  // Not by `fetch`, which takes several times as long, and this is done ten thousand times.
  return new Promise((answered, failed) => {
    const sent = request(url, {
      agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json',
        authorization: `Bearer ${token}`,
      },
    }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text += part; });
      response.on('end', () => answered(JSON.parse(text)));
    });
    sent.on('error', failed);
    sent.end(JSON.stringify(body));
  });
}

/** The first event of a subscription, or the first that is wanted, or why there is none. */
export async function firstEvent(query, variables, isWanted = () => true) {
  const stop = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream, application/graphql-response+json',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({ query, variables }),
    signal: stop.signal,
  });
  if (!response.headers.get('content-type').startsWith('text/event-stream')) return response.json();
  let text = '';
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    const events = [...text.matchAll(/^event: ?next\n(?:[^\n]+\n)*?data: ?(.*)\n\n/gm)].map(([, data]) => JSON.parse(data));
    const event = events.find(isWanted);
    if (!event) continue;
    stop.abort();
    return event;
  }
  throw new Error(`no event: ${text}`);
}

/** The data of a document that must be answered without errors. */
export async function ask(query, variables) {
  const { data, errors } = await send(query, variables);
  if (errors) throw new Error(`${query} ${JSON.stringify(variables)}: ${JSON.stringify(errors)}`);
  return data;
}

/** Does `work` for all, so many at once; `null` from `next` ends it. */
export async function inTurns(atOnce, next, work) {
  const worker = async () => {
    for (let item = next(); item !== null; item = next()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
