// What receivers of webhooks do with it that take the library of Standard Webhooks: an endpoint here is set up, sent to, and
// verifies what arrives.

import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { Arrivals, ask, rename, run, twoDeals } from './checks.mjs';

const arrivals = new Arrivals();
const answers = [];
const receiver = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  arrivals.put({ headers: request.headers, bytes: Buffer.concat(chunks) });
  response.writeHead(answers.shift() ?? 204).end();
});
await new Promise((listening) => receiver.listen(0, '127.0.0.1', listening));
const address = `http://127.0.0.1:${receiver.address().port}/hook`;
const { one } = await twoDeals();
let endpoint;
let secret;

await run({
  async 'what arrives is verified by the library'() {
    const made = await mutate('webhookEndpointCreate', 'WebhookEndpointCreateInput', {
      name: 'Receiver', url: address, subscriptions: [{ topic: 'OPPORTUNITY' }],
    }, 'secret webhookEndpoint { id }');
    ({ secret } = made);
    endpoint = made.webhookEndpoint.id;
    await rename(one.id, 'Sent to a library');
    const { headers, bytes } = await arrivals.next();
    const payload = new Webhook(secret).verify(bytes, headers);
    same(payload.type, 'opportunity.updated');
    same(payload.data.opportunity.name, 'Sent to a library');
  },

  async 'what was changed on the way, or signed by another, is not'() {
    await rename(one.id, 'Changed on the way');
    const { headers, bytes } = await arrivals.next();
    const changed = Buffer.from(bytes.toString().replace('Changed', 'changed'));
    refused(() => new Webhook(secret).verify(changed, headers));
    refused(() => new Webhook(secret).verify(bytes, { ...headers, 'webhook-id': 'msg_another' }));
    refused(() => new Webhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw').verify(bytes, headers));
    new Webhook(secret).verify(bytes, headers);
  },

  async 'both secrets verify while one takes the place of the other'() {
    const rotated = await mutate('webhookEndpointRotateSecret', 'WebhookEndpointRotateInput', { id: endpoint }, 'secret');
    await rename(one.id, 'While both sign');
    const { headers, bytes } = await arrivals.next();
    new Webhook(secret).verify(bytes, headers);
    new Webhook(rotated.secret).verify(bytes, headers);
    ({ secret } = rotated);
  },

  async 'what was refused comes again under its id, with a signature of its own time'() {
    answers.push(500);
    await rename(one.id, 'Refused once');
    const first = await arrivals.next();
    const second = await arrivals.next();
    same(second.headers['webhook-id'], first.headers['webhook-id']);
    same(second.bytes.equals(first.bytes), true);
    new Webhook(secret).verify(second.bytes, second.headers);
  },
});

async function mutate(name, type, input, selection) {
  const document = `mutation ($input: ${type}!) { done: ${name}(input: $input) { ${selection} userErrors { code message } } }`;
  const { done } = await ask(document, { input });
  same(done.userErrors, []);
  return done;
}

function refused(verify) {
  try {
    verify();
  } catch {
    return;
  }
  throw new Error('it was taken for verified');
}

function same(is, wanted) {
  if (JSON.stringify(is) !== JSON.stringify(wanted)) throw new Error(`${JSON.stringify(is)} instead of ${JSON.stringify(wanted)}`);
}
