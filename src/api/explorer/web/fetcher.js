// Sends what the editor holds to /graphql, with the session's token, and turns every failure into an answer to read.

/** GraphiQL's fetcher for `session`; `onAnswer` is called after each answer. */
export function fetcherFor(session, onAnswer) {
  return async ({ query, operationName, variables }, { headers } = {}) => {
    const body = JSON.stringify({ query, operationName, variables });
    try {
      let answer = await send(session, headers, body);
      // 401 is said before anything runs, so sending it again is safe even for a mutation.
      if (answer.status === 401 && session.refused()) answer = await send(session, headers, body);
      return await read(answer);
    } catch (error) {
      return problem(error instanceof TypeError ? 'the server cannot be reached, is it still running?' : error.message);
    } finally {
      onAnswer();
    }
  };
}

async function send(session, typedHeaders, body) {
  const headers = new Headers({
    'content-type': 'application/json',
    accept: 'application/graphql-response+json',
    authorization: `Bearer ${await session.token()}`,
  });
  // The headers editor has the last word, also over the token.
  for (const [name, value] of Object.entries(typedHeaders ?? {})) headers.set(name, value);
  return fetch('/graphql', { method: 'POST', headers, body, cache: 'no-store' });
}

async function read(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return problem(`the server answered ${answer.status} ${answer.statusText}: ${text.slice(0, 300)}`);
  }
}

const problem = message => ({ errors: [{ message }] });
