// PostGraphile 5 over Dealgraph's own tables, set up as its documentation advises for production, to be measured
// beside Dealgraph: the same Postgres, the same login, the same policies. docs/performance.md says how it is run.

import cluster from "node:cluster";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { TYPES } from "postgraphile/@dataplan/pg";
import { makePgService } from "postgraphile/adaptors/pg";
import { context, lambda } from "postgraphile/grafast";
import { grafserv } from "postgraphile/grafserv/node";
import { sql } from "postgraphile/pg-sql2";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { addPgTableOrderBy, jsonPgSmartTags, wrapPlans } from "postgraphile/utils";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

const HOST = "127.0.0.1";
const PORT = number("PORT", 5678);
const WORKERS = number("WORKERS", 2);
/** Of all workers together. */
const POOL_SIZE = number("POOL_SIZE", 20);

for (const name of ["NODE_ENV", "GRAPHILE_ENV"]) {
  if ((process.env[name] ?? "production") !== "production") {
    throw new Error(`${name} has to be "production": in any other mode Grafast checks itself and is slow`);
  }
}
if (process.env.NODE_ENV === undefined) {
  throw new Error('start it with NODE_ENV=production, which libraries read when they are loaded');
}

function number(name, otherwise) {
  const value = Number(process.env[name] ?? otherwise);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} has to be a whole number above zero`);
}

/** A sort that is an index of its table to the end, so that PostGraphile need not append the primary key. */
function indexed(...terms) {
  const apply = (query) => {
    for (const [by, direction] of terms) {
      const attribute = typeof by === "string" ? { attribute: by } : { ...by(query.alias), nullable: false };
      query.orderBy({ ...attribute, direction });
    }
    query.setOrderIsUnique();
  };
  return { extensions: { grafast: { apply } } };
}

/** What `opportunities_amount_idx` is about. */
const amount = (deal) => ({
  fragment: sql`(case when ${deal}.amount_minor is null then -1 else ${deal}.amount_minor end)`,
  codec: TYPES.bigint,
});

const sorts = [
  addPgTableOrderBy({ schemaName: "public", tableName: "opportunities" }, () => ({
    BOARD: indexed(["board_position", "ASC"], ["opportunity_id", "ASC"]),
    DUE: indexed(["next_action_at", "ASC"], ["opportunity_id", "ASC"]),
    LARGEST: indexed([amount, "DESC"], ["opportunity_id", "DESC"]),
    LATEST: indexed(["created_at", "DESC"], ["opportunity_id", "DESC"]),
  })),
  addPgTableOrderBy({ schemaName: "public", tableName: "activity_targets" }, () => ({
    LATEST: indexed(["occurred_at", "DESC"], ["activity_id", "DESC"]),
  })),
];

/** New contacts get their ids here, as they get them in Dealgraph, since the table has no default for them. */
const ids = [
  jsonPgSmartTags({
    version: 1,
    config: { attribute: { "public.contacts.contact_id": { tags: { behavior: "-attribute:insert" } } } },
  }),
  wrapPlans({
    Mutation: {
      createContact(plan) {
        // Planned ahead of the insert, which cannot wait for anything that comes after it.
        const $id = lambda(context(), () => timed(Date.now(), randomUUID()));
        const $created = plan();
        $created.get("result").set("contact_id", $id);
        return $created;
      },
    },
  }),
];

/** Makes a version 7 id of a version 4 one: new rows stand at the end of an index. */
function timed(now, random) {
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}

const preset = {
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset],
  plugins: [...sorts, ...ids],
  // It offers only what the first column of an index is, and here that is the tenant everywhere.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      // Where the database is, pg reads from PGHOST, PGPORT, PGDATABASE and PGUSER.
      poolConfig: { max: Math.ceil(POOL_SIZE / WORKERS), idleTimeoutMillis: 0 },
      schemas: ["public"],
      pubsub: false,
    }),
  ],
  schema: {
    connectionFilterRelations: true,
    dontSwallowErrors: true,
    exportSchemaSDLPath: process.env.SDL_PATH,
  },
  grafast: {
    explain: false,
    // What the policies read. An object of its own for each request: answers are remembered along with it.
    context: ({ node }) => ({ pgSettings: JSON.parse(node.req.headers["x-settings"] ?? "{}") }),
  },
  grafserv: { graphiql: false, outputDataAsString: true, watch: false, websockets: false },
};

async function serve() {
  const server = createServer({ keepAliveTimeout: 0 });
  const grafservice = postgraphile(preset).createServ(grafserv);
  await grafservice.addTo(server);
  await grafservice.ready();
  await new Promise((listening) => server.listen(PORT, HOST, listening));
}

function say(pids) {
  console.log(`ready ${HOST}:${PORT} ${pids.join(" ")}`);
}

if (WORKERS === 1) {
  await serve();
  say([process.pid]);
} else if (cluster.isWorker) {
  await serve();
} else {
  const workers = Array.from({ length: WORKERS }, () => cluster.fork());
  const end = (code) => {
    for (const worker of workers) worker.process.kill();
    process.exit(code);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => end(0));
  for (const worker of workers) worker.on("exit", () => end(1));
  await Promise.all(workers.map((worker) => new Promise((listening) => worker.once("listening", listening))));
  say([process.pid, ...workers.map((worker) => worker.process.pid)]);
}
