// The page: the sign-in bar on top, GraphiQL below.

import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useReducer, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Bar } from './bar.jsx';
import { fetcherFor } from './fetcher.js';
import * as sessions from './session.js';
import 'graphiql/style.css';
import './style.css';

const examples = JSON.parse(document.getElementById('examples').textContent);

function Explorer() {
  const [people, setPeople] = useState();
  const [session, setSession] = useState(null);
  const [fault, setFault] = useState(null);
  const [, redraw] = useReducer(count => count + 1, 0);
  const latest = useRef(null);

  async function begin() {
    setFault(null);
    try {
      const list = await sessions.people();
      const offered = list?.length > 0 ? list : null;
      setPeople(offered);
      await enter(offered ? sessions.forPerson(sessions.remembered(offered)) : sessions.pastedEarlier());
    } catch (error) {
      setFault(error.message);
    }
  }

  /** Waits for the first token, so that the schema is only asked for by somebody who may read it. */
  async function enter(next) {
    latest.current = next;
    setFault(null);
    setSession(next);
    if (!next?.person) return;
    try {
      await next.token();
      redraw();
    } catch (error) {
      // Whoever has chosen somebody else meanwhile is not told of the former choice.
      if (latest.current === next) setFault(error.message);
    }
  }

  useEffect(() => { begin(); }, []);

  const fetcher = useMemo(() => session && fetcherFor(session, redraw), [session]);
  const ready = session?.person ? Boolean(session.expiresAt()) : Boolean(session);

  return (
    <>
      <Bar people={people} session={session} fault={fault} onRetry={begin} onEnter={enter} />
      {ready ? (
        // A new session is a new GraphiQL: no answer given to one person stays on another one's screen.
        <GraphiQL
          key={session.key}
          fetcher={fetcher}
          defaultTabs={examples}
          defaultEditorToolsVisibility="variables"
          isHeadersEditorEnabled
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo><span /></GraphiQL.Logo>
        </GraphiQL>
      ) : (
        <p className="waiting">{waitingFor(people, fault)}</p>
      )}
    </>
  );
}

function waitingFor(people, fault) {
  if (fault) return 'Not signed in.';
  if (people === null) return 'Paste an access token above to begin.';
  return 'Signing in …';
}

createRoot(document.getElementById('root')).render(<Explorer />);
