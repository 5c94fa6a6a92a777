// Runs the audits of GraphQL over HTTP that the package graphql-http keeps against a running server.
//
//   node http-audit.mjs [URL]         URL or AUDIT_URL: the endpoint; AUDIT_TOKEN: a bearer token to send along
//
// One line per audit, then a summary as JSON. Fails when a single audit is not ok, be it a MUST, a SHOULD or a MAY.

import { serverAudits } from 'graphql-http';

const ANSWER_WITHIN_MS = 10_000;

const url = process.argv[2] ?? process.env.AUDIT_URL;
if (!url) {
  console.error('usage: node http-audit.mjs URL (or AUDIT_URL), with a bearer token in AUDIT_TOKEN');
  process.exit(2);
}
const token = process.env.AUDIT_TOKEN;

function signedFetch(input, init = {}) {
  const headers = new Headers(init.headers);
  if (token) headers.set('authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
}

const audits = serverAudits({ url, fetchFn: signedFetch });
const failed = [];

for (const audit of audits) {
  const problem = await problemOf(audit);
  console.log(`${problem ? 'FAIL' : 'ok  '} ${audit.id} ${audit.name}${problem ? `: ${problem}` : ''}`);
  if (problem) failed.push({ id: audit.id, name: audit.name, reason: problem });
}

console.log(JSON.stringify({ total: audits.length, ok: audits.length - failed.length, failed }));
// Answers that an audit did not read would keep their connections, and so this process, open.
process.exit(failed.length > 0 || audits.length === 0 ? 1 : 0);

async function problemOf(audit) {
  try {
    const result = await audit.fn();
    if (result.status === 'ok') return undefined;
    const body = await result.response.text().catch(() => '');
    return `${result.reason} (${result.response.status} ${body.slice(0, 200).replace(/\s+/g, ' ')})`;
  } catch (error) {
    return `no answer: ${error.cause?.message ?? error.message}`;
  }
}
