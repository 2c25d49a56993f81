/** Events on their way from the inbox to users, with drainers in the test's process. */
import { closeSync, openSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { createAccept } from "../../src/app/events/accept-event.ts";
import { startDrainer } from "../../src/app/events/drain-events.ts";
import type { ChangeTarget } from "../../src/app/events/job-change.ts";
import { createCognitoClients } from "../../src/cognito/client.ts";
import { CognitoError } from "../../src/cognito/cognito-error.ts";
import { openChosenPool } from "../../src/app/opening.ts";
import type { Scheme } from "../../src/config/events.ts";
import { choosePool } from "../../src/config/config.ts";
import type { Pool } from "../../src/delivery/pool.ts";
import { openScope, type Scope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { setApp, type AppOptions } from "../support/app-stage.ts";
import { until } from "../support/condition.ts";
import { POOL } from "../support/pool-stage.ts";

const CONFIG = `
  pools: { staff: { id: ${POOL} } }
  guards: { protectUsers: [root], protectAttributes: [nickname] }
  feeds:
    crm:
      pool: staff
      username: user
      version: at
      attributes: { given_name: first, family_name: last, nickname: nick }
      events: { scheme: none }
    hr:
      pool: staff
      username: id
      attributes: { name: first }
      events: { scheme: standard-webhooks, secret: HR_SECRET, records: "employees[*]", username: { column: mail, is: email } }
`;
/** A feed that is called as the id of another pool than its own. */
const NAMESAKE = `
    ${POOL}:
      pool: eu-west-1_Other
      username: user
      attributes: { given_name: first }
      guards: { protectUsers: [ana] }
      events: { scheme: none }
`;
/** One feed, whose events say addresses and their flags as well. */
export const contactsFeed = (verified: "mark" | "ask"): string => `
  pools: { staff: { id: ${POOL} } }
  feeds:
    crm:
      pool: staff
      username: user
      version: at
      attributes: { name: name, email: { column: mail, verified: ${verified} }, email_verified: ok }
      events: { scheme: none }
`;
export const LIMITS = { entries: 1_000, bytes: 10_000_000 };

export async function eventStage(t: TestContext, options: AppOptions = {}) {
  const app = await setApp(t, {
    config: CONFIG.trimEnd() + NAMESAKE,
    pool: { aliasAttributes: ["email"] },
    ...options,
  });
  const engine = await app.open();
  const { config, reads } = await app.read();
  const fd = openSync(app.at("log"), "w");
  t.after(() => closeSync(fd));
  const log = createLog("info", fd);
  const accept = createAccept({ engine, log, limits: LIMITS });
  const scope = openScope();
  t.after(() => scope.close());
  const { inbox, runs } = engine.store;
  const openPool = (within: Scope) => {
    const clients = within.defer(createCognitoClients(config), (made) => made.close());
    const deps = { concurrency: config.concurrency, log, engine, clients, scope: within, reads };
    const chosen = choosePool(config, "staff");
    let opening: Promise<Pool> | undefined;
    return async ({ pool }: Pick<ChangeTarget, "pool">) => {
      if (pool !== POOL) throw new CognitoError("access-denied", "There is no other pool.");
      return (opening ??= openChosenPool({ ...deps, signal: new AbortController().signal }, chosen));
    };
  };
  const drainer = () => {
    const within = openScope();
    const poolOf = openPool(within);
    const drains = within.defer(startDrainer({ engine, config, poolOf, log }), (one) => one.close());
    return { wake: () => drains.wake(), close: () => within.close() };
  };
  return {
    app,
    engine,
    config,
    log,
    logged: () => readFileSync(app.at("log"), "utf8"),
    openPool: openPool(scope),
    accept,
    drainer,
    send: (
      feed: string,
      body: unknown,
      more: { id?: string; signedAtMs?: number; contentType?: string; scheme?: Scheme } = {},
    ) =>
      accept(feed, {
        id: more.id,
        signedAtMs: more.signedAtMs,
        scheme: more.scheme ?? "none",
        body: typeof body === "string" ? Buffer.from(body) : Buffer.from(JSON.stringify(body)),
        contentType: more.contentType ?? "application/json",
      }),
    /** Drains until nothing may be taken, and delivers. */
    drain: async (): Promise<void> => {
      const one = drainer();
      await until("nothing waits", async () => {
        const { waiting, taken } = await inbox.counts();
        return waiting + taken === 0;
      });
      await one.close();
      await app.deliver();
    },
    parked: async () =>
      (await Array.fromAsync(inbox.parked({}))).map(({ feed, reason }) => `${feed} ${reason}`).toSorted(),
    eventRuns: async () => (await runs.list(100)).filter(({ source }) => source === "events"),
    value: (username: string, name = "given_name") => app.pool.user(username)?.attributes[name],
  };
}
