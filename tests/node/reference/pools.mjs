// Scalars that mean something to the server under test: ids and cursors that it gave, texts that its records hold.

import { ask } from './ask.mjs';
import { schema } from './schema.mjs';

const KINDS = {
  Company: 'companies', Contact: 'contacts', Lead: 'leads', Opportunity: 'opportunities', Activity: 'activities',
  Pipeline: 'pipelines', Team: 'teams', CustomRole: 'roles', ApiKey: 'apiKeys', Invitation: 'invitations',
};
/** What the id in a place is the id of, by the name of the argument or of the field that it is in. */
const PLACES = {
  company: 'Company', companyId: 'Company', parentCompanyId: 'Company', CompanyFilter: 'Company',
  contact: 'Contact', primaryContactId: 'Contact', reportsToId: 'Contact', ContactFilter: 'Contact',
  lead: 'Lead', LeadFilter: 'Lead', opportunity: 'Opportunity', OpportunityFilter: 'Opportunity',
  activity: 'Activity', ActivityFilter: 'Activity', pipeline: 'Pipeline', pipelineId: 'Pipeline', PipelineFilter: 'Pipeline',
  stage: 'Stage', stageId: 'Stage', user: 'User', ownerId: 'User', userId: 'User', team: 'Team', teamId: 'Team', parentId: 'Team',
  role: 'CustomRole', CustomRoleFilter: 'CustomRole', apiKey: 'ApiKey', ApiKeyFilter: 'ApiKey', invitation: 'Invitation',
};
const TEXTS = [
  'Company 1', 'company 2', 'Deal 1', 'Contact 1', 'Lead 1', 'a\u{1F600}b', 'say "hi"\n\ttwo/\\', 'Norway', 'software', 'web', 'EUR',
  'none', '',
];
const TIMES = ['2026-01-01T00:00:00Z', '2026-06-15T12:30:00.25+02:00', '2030-01-01T00:00:00Z'];

/** Makes a record and answers its id. */
export async function make(mutation, input, record) {
  const { type } = schema.getMutationType().getFields()[mutation].args[0];
  const selection = `${record} { id } userErrors { code message field }`;
  const { done } = await ask(`mutation ($input: ${type}) { done: ${mutation}(input: $input) { ${selection} } }`, { input });
  if (done.userErrors.length > 0) throw new Error(`${mutation}: ${JSON.stringify(done.userErrors)}`);
  return done[record].id;
}

/** Makes the records that everything is asked about, with a value in each kind of field somewhere. */
export async function arrange() {
  const { viewer, pipelines } = await ask('{ viewer { user { id } } pipelines(first: 1) { nodes { stages { nodes { id } } } } }');
  const [owner, stageId] = [viewer.user.id, pipelines.nodes[0].stages.nodes[1].id];
  const money = (amountMinor) => ({ amountMinor, currency: 'EUR' });
  const company = await make('companyCreate', {
    name: 'a\u{1F600}b', domain: 'smile.example', industry: 'say "hi"\n\ttwo/\\', addressLine: 'Way 1', city: 'Köln',
    country: 'Norway', employeeCount: 7, foundedYear: 1999, annualRevenue: money(9007199254740991), tags: ['x', 'a "b"', 'ü'],
    ownerId: owner, website: 'https://smile.example',
  }, 'company');
  const child = await make('companyCreate', { name: 'Child', parentCompanyId: company, ownerId: null }, 'company');
  const contact = await make('contactCreate', {
    firstName: 'Ann', lastName: 'Q', companyId: company, warmnessScore: 61, lastContactedAt: TIMES[0], tags: ['x'],
    contactMethods: [
      { kind: 'EMAIL', value: 'ann@smile.example', preferred: true }, { kind: 'PHONE', value: '+49 30 1', label: 'desk' },
    ],
  }, 'contact');
  await make('contactCreate', { firstName: 'Ben', lastName: 'R', companyId: child, reportsToId: contact }, 'contact');
  const lead = await make('leadCreate', {
    firstName: 'Lea', lastName: 'D', estimatedAmount: money(5), phone: '1', title: 'CTO',
  }, 'lead');
  const deal = await make('opportunityCreate', {
    name: 'Rich', amount: money(123456), companyId: company, primaryContactId: contact, stageId, tags: ['x'],
    expectedCloseOn: '2026-04-30', nextAction: { at: TIMES[0], kind: 'CALL', details: 'line\n\ttwo', ownerId: owner },
    collaborators: [{ userId: owner, role: 'helps' }], contacts: [{ contactId: contact, role: 'decides' }],
  }, 'opportunity');
  await make('activityCreate', {
    kind: 'MEETING', subject: 'All of them', body: 'a\u{1F600}b', startAt: TIMES[0], endAt: TIMES[2],
    targetIds: [company, contact, lead, deal],
  }, 'activity');
  await make('companyArchive', { id: child }, 'company');
}

/** Gathers what may be asked for. */
export async function pools() {
  const ids = { Stage: [], User: [] };
  const cursors = [];
  for (const [kind, list] of Object.entries(KINDS)) {
    const data = await ask(`{ ${list}(first: 20) { edges { cursor node { id } } } }`);
    ids[kind] = data[list].edges.map(({ node }) => node.id);
    cursors.push(...data[list].edges.slice(0, 3).map(({ cursor }) => ({ list, cursor })));
  }
  const more = await ask('{ pipelines { nodes { stages { nodes { id } } } } memberships { nodes { user { id } } } }');
  ids.Stage = more.pipelines.nodes.flatMap(({ stages }) => stages.nodes.map(({ id }) => id));
  ids.User = more.memberships.nodes.map(({ user }) => user.id);
  const all = Object.values(ids).flat();
  return { scalar: (random, type, place) => SCALARS[type](random, place, { ids, all, cursors }) };
}

const SCALARS = {
  ID(random, { name, of }, { ids, all }) {
    const kind = PLACES[name] ?? PLACES[of];
    const known = kind ? ids[kind] : all;
    const [prefix] = random.pick(all).split(/(?<=[:_-])/);
    return random.weighted([
      [12, random.pick(known)], [1, random.pick(all)], [0.6, 'nonsense'], [0.5, 7],
      [0.6, `${prefix}00000000-0000-0000-0000-000000000000`],
    ]);
  },
  String(random, { name, of }, { cursors }) {
    if (name === 'after' || name === 'before') {
      const fitting = cursors.filter(({ list }) => list === of);
      const isGiven = random.chance(0.85) && fitting.length > 0;
      return isGiven ? random.pick(fitting).cursor : random.pick(['', 'nonsense', random.pick(cursors).cursor]);
    }
    if (name === 'permission') return random.pick(['companies:write', 'nonsense']);
    return random.pick(TEXTS);
  },
  Int(random, { name }) {
    if (name === 'first' || name === 'last') {
      return random.weighted([[6, 1 + random.below(4)], [1, 0], [0.7, 101], [0.5, -1], [0.3, 100]]);
    }
    return random.pick([0, 1, 7, 50, 61, -1, 2147483647]);
  },
  Float: (random) => random.pick([0, 0.5]),
  Boolean: (random) => random.chance(0.5),
  BigInt: (random) => random.pick([0, 1000, 123456, 9007199254740991]),
  Date: (random) => random.pick(['2026-04-30', '2030-01-01', '2026-02-30']),
  DateTime: (random) => random.pick(TIMES),
  EventCursor: () => '',
};
