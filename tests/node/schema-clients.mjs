// Whether the tools of the field can work with the schema: the rules of graphql-eslint for Relay, Relay's compiler and
// its store, and types for TypeScript. The small frontends in `client` are compiled against `schema.graphql`, which a test
// holds against the server; Relay's is run against the server as well.

import { plugin as operations } from '@graphql-codegen/typescript-operations';
import { plugin as documents } from '@graphql-codegen/typed-document-node';
import { codegen } from '@graphql-codegen/core';
import graphqlEslint from '@graphql-eslint/eslint-plugin';
import { Linter } from 'eslint';
import { parse } from 'graphql';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import relay from 'relay-runtime';
import { ask, run, token, url } from './checks.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const text = await readFile(join(here, '../../schema.graphql'), 'utf8');
const require = createRequire(import.meta.url);
const execute = promisify(execFile);

/** What of the schema is otherwise than the rules want it, each for a reason; one that is not needed any more fails. */
const EXCEPTIONS = new Map([
  ['AuditEntryEdge', 'an entry never changes, so there is nothing to fetch again, and the log has one way in: by `auditLog`'],
  ['MembershipEdge', 'a membership is one with its person: it has no id of its own and is fetched again as `user(id:) { membership }`'],
]);
const RULES = {
  'relay-arguments': ['error', { includeBoth: true }],
  'relay-connection-types': 'error',
  // Lists without pages are for what is bounded and belongs to its record, and `nodes` stands beside `edges`.
  'relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
  'relay-page-info': 'error',
};

await run({
  async 'the schema keeps the rules of graphql-eslint for Relay'() {
    const rules = Object.fromEntries(Object.entries(RULES).map(([rule, how]) => [`@graphql-eslint/${rule}`, how]));
    const found = new Linter({ configType: 'flat' }).verify(text, {
      files: ['*.graphql'],
      plugins: { '@graphql-eslint': graphqlEslint },
      languageOptions: { parser: graphqlEslint.parser, parserOptions: { graphQLConfig: { schema: text } } },
      rules,
    }, 'schema.graphql');
    const unused = new Set(EXCEPTIONS.keys());
    const broken = found.filter(({ line, message }) => {
      const type = typeAt(line);
      const isExcepted = EXCEPTIONS.has(type) && /implement `Node`/.test(message);
      if (isExcepted) unused.delete(type);
      return !isExcepted;
    });
    same(broken.map(({ line, message }) => `${line}: ${message}`), []);
    same([...unused], []);
  },

  async 'Relay compiles a frontend and its store pages through the server'() {
    await within(async (folder) => {
      const generated = await compiledByRelay(folder);
      const load = (name) => require(join(generated, `${name}.graphql.js`));
      const environment = relayEnvironment();
      const { pipelines } = await ask('{ pipelines(first: 1) { nodes { id opportunities { totalCount } } } }');
      const [{ id, opportunities }] = pipelines.nodes;
      await everyPage(environment, {
        page: [load('deals_pageQuery'), { pipeline: id }], root: ({ pipeline }) => pipeline, fragment: load('deals_deals'),
        more: [load('deals_nextQuery'), { id }], list: ({ opportunities }) => opportunities,
        hasMore: ({ hasNextPage }) => hasNextPage, cursor: ({ endCursor }) => endCursor, total: opportunities.totalCount,
      });
      const { dueActions } = await ask('{ dueActions(scope: ALL) { overdue { totalCount } } }');
      await everyPage(environment, {
        page: [load('deals_dueQuery'), {}], root: (data) => data, fragment: load('deals_due'),
        more: [load('deals_earlierQuery'), {}], list: ({ dueActions }) => dueActions.overdue,
        hasMore: ({ hasPreviousPage }) => hasPreviousPage, cursor: ({ startCursor }) => startCursor, total: dueActions.overdue.totalCount,
      });
    });
  },

  async 'types for TypeScript are made of the schema and refuse what it refuses'() {
    await within(async (folder) => {
      await cp(join(here, 'client/codegen'), folder, { recursive: true });
      const document = parse(await readFile(join(folder, 'board.graphql'), 'utf8'));
      const code = await codegen({
        schema: parse(text),
        documents: [{ location: 'board.graphql', document }],
        filename: 'generated.ts',
        config: {
          strictScalars: true,
          scalars: { BigInt: 'number', Date: 'string', DateTime: 'string', EventCursor: 'string', JSON: 'unknown' },
          useTypeImports: true,
        },
        plugins: [{ operations: {} }, { documents: {} }],
        pluginMap: { operations: { plugin: operations }, documents: { plugin: documents } },
      });
      await writeFile(join(folder, 'generated.ts'), code);
      await finished(process.execPath, [require.resolve('typescript/bin/tsc')], folder);
    });
  },
});

/** The type that a line of the schema is in. */
function typeAt(line) {
  const above = text.split('\n').slice(0, line).reverse();
  return above.map((line) => /^(?:type|interface) (\w+)/.exec(line)?.[1]).find(Boolean);
}

/** Works in a folder that finds the packages installed here, and is gone afterwards. */
async function within(work) {
  const folder = await mkdtemp(join(here, 'node_modules/.client-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The folder of what Relay's compiler makes of the frontend. */
async function compiledByRelay(folder) {
  await cp(join(here, 'client/relay'), join(folder, 'src'), { recursive: true });
  await mkdir(join(folder, 'src/generated'));
  await writeFile(join(folder, 'schema.graphql'), text);
  await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }');
  const config = {
    src: 'src', schema: 'schema.graphql', language: 'javascript', artifactDirectory: 'src/generated', excludes: ['**/generated/**'],
    eagerEsModules: false,
  };
  await writeFile(join(folder, 'relay.config.json'), JSON.stringify(config));
  await finished(process.execPath, [require.resolve('relay-compiler/cli.js')], folder);
  return join(folder, 'src/generated');
}

function relayEnvironment() {
  const fetchFunction = async ({ text }, variables) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: text, variables }),
    });
    return response.json();
  };
  return new relay.Environment({ network: relay.Network.create(fetchFunction), store: new relay.Store(new relay.RecordSource()) });
}

/** Pages through a list as a pagination container does, and holds what the store has at last against the list's length. */
async function everyPage(environment, { page, root, fragment, more, list, hasMore, cursor, total }) {
  const [query, variables] = page;
  const owner = relay.createOperationDescriptor(query, variables);
  await relay.fetchQuery(environment, query, variables).toPromise();
  environment.retain(owner);
  const shown = () => {
    const { data } = environment.lookup(owner.fragment);
    return list(environment.lookup(relay.getSingularSelector(fragment, root(data))).data);
  };
  let pages = 1;
  while (hasMore(shown().pageInfo)) {
    if (pages > total) throw new Error('it does not end');
    await relay.fetchQuery(environment, more[0], { ...more[1], count: 2, cursor: cursor(shown().pageInfo) }).toPromise();
    pages += 1;
  }
  const ids = shown().edges.map(({ node }) => node.id);
  same([new Set(ids).size, ids.length], [total, total]);
  if (pages < 2) throw new Error('there was only one page');
}

async function finished(program, args, cwd) {
  await execute(program, args, { cwd }).catch(({ stdout, stderr, message }) => {
    throw new Error(`${stdout}${stderr}` || message);
  });
}

function same(got, expected) {
  const [one, other] = [got, expected].map((value) => JSON.stringify(value, undefined, 1));
  if (one !== other) throw new Error(`${one} instead of ${other}`);
}
