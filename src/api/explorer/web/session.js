// Who the explorer speaks for: a demo person, for whom the development server signs tokens, or a pasted token.
//
// A session is `{ key, token(), refused(), person?, expiresAt() }`. `token` answers a token that is good for at least
// another minute; `refused` is told when the server did not take it and says whether a second attempt makes sense.

const FRESH_FOR_MS = 60_000;
const CHOSEN = 'dealgraph:person';
const PASTED = 'dealgraph:token';

/** The demo people, or null where the server offers none (it is not a development server). */
export async function people() {
  const answer = await fetch('/dev/people', { headers: { accept: 'application/json' }, cache: 'no-store' });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`the list of people could not be read: ${answer.status} ${answer.statusText}`);
  return answer.json();
}

export const keyOf = person => `${person.email} ${person.tenant}`;

/** The person chosen last time, else the first. */
export function remembered(list) {
  const key = localStorage.getItem(CHOSEN);
  return list.find(person => keyOf(person) === key) ?? list[0];
}

export function forPerson(person) {
  localStorage.setItem(CHOSEN, keyOf(person));
  let current;
  let underway;

  async function sign() {
    const answer = await fetch('/dev/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ email: person.email, tenant: person.tenant }),
      cache: 'no-store',
    });
    if (!answer.ok) throw new Error(`no token for ${person.email}: ${answer.status} ${answer.statusText}`);
    const { token, expiresAt } = await answer.json();
    current = { token, expiresAt: new Date(expiresAt) };
    return token;
  }

  return {
    key: keyOf(person),
    person,
    expiresAt: () => current?.expiresAt,
    async token() {
      // Written so that an unreadable instant counts as expired.
      if (current?.expiresAt - Date.now() > FRESH_FOR_MS) return current.token;
      underway ??= sign().finally(() => { underway = undefined; });
      return underway;
    },
    refused() {
      current = undefined;
      return true;
    },
  };
}

export function forPastedToken(text) {
  const token = text.trim().replace(/^bearer\s+/i, '');
  sessionStorage.setItem(PASTED, token);
  return {
    key: `pasted ${token}`,
    expiresAt: () => expiryIn(token),
    token: async () => token,
    refused: () => false,
  };
}

/** The token pasted earlier in this browser tab, if any. */
export function pastedEarlier() {
  const token = sessionStorage.getItem(PASTED);
  return token ? forPastedToken(token) : null;
}

export function forgetPastedToken() {
  sessionStorage.removeItem(PASTED);
}

function expiryIn(token) {
  try {
    const { exp } = JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return new Date(exp * 1000);
  } catch {
    return undefined;
  }
}
