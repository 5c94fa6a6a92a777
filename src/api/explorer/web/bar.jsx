// The sign-in bar: who one is, and how to become somebody else.

import { useState } from 'react';
import { forgetPastedToken, forPastedToken, forPerson, keyOf } from './session.js';

export function Bar({ people, session, fault, onRetry, onEnter }) {
  return (
    <header className="bar">
      <strong>Dealgraph</strong>
      {people && <PersonChoice people={people} session={session} onEnter={onEnter} />}
      {people === null && <TokenField session={session} onEnter={onEnter} />}
      {session && !fault && <SignedIn session={session} />}
      {fault && <span className="fault" role="alert">{fault} <button onClick={onRetry}>Try again</button></span>}
    </header>
  );
}

function PersonChoice({ people, session, onEnter }) {
  const tenants = [...new Set(people.map(person => person.tenant))];
  return (
    <label>
      Sign in as
      <select
        value={session?.key}
        onChange={event => onEnter(forPerson(people.find(person => keyOf(person) === event.target.value)))}
      >
        {tenants.map(tenant => {
          const members = people.filter(person => person.tenant === tenant);
          return (
            <optgroup key={tenant} label={members[0].tenantName}>
              {members.map(person => (
                <option key={keyOf(person)} value={keyOf(person)}>
                  {person.name}, {person.role}, {person.tenantName}
                </option>
              ))}
            </optgroup>
          );
        })}
      </select>
    </label>
  );
}

function TokenField({ session, onEnter }) {
  const [text, setText] = useState('');

  function use(event) {
    event.preventDefault();
    if (text.trim() === '') return;
    onEnter(forPastedToken(text));
    setText('');
  }

  function forget() {
    forgetPastedToken();
    onEnter(null);
  }

  if (session) return <button onClick={forget}>Forget the token</button>;
  return (
    <form onSubmit={use}>
      <label>
        Access token
        <input type="password" autoComplete="off" value={text} onChange={event => setText(event.target.value)} />
      </label>
      <button>Use</button>
    </form>
  );
}

function SignedIn({ session: { person, expiresAt } }) {
  const until = expiresAt();
  const valid = Number.isFinite(until?.getTime());
  return (
    <span className="signed-in">
      {person ? <><b>{person.email}</b> <i>{person.role}</i> <i>{person.tenantName}</i></> : 'Pasted token'}
      {valid && <small title={until.toISOString()}>token until {until.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}</small>}
    </span>
  );
}
