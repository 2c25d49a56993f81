import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import type { TokenOptions } from "./access-token.ts";
import { CONTACTS } from "./contact.ts";
import type { Counters } from "./counters.ts";
import { readBody, send } from "./exchange.ts";
import { FAULT_RULE } from "./faults.ts";
import type { Faults } from "./faults.ts";
import { POOL_DEFINITION, USER_SEED } from "./pool-definition.ts";
import type { Pools } from "./pools.ts";
import { CATEGORIES } from "./quota.ts";
import type { Category } from "./quota.ts";
import type { UserPool } from "./user-pool.ts";
import type { WriteLog } from "./write-log.ts";

/** What tests and demos steer and read, in process and over HTTP. */
export interface Controls {
  readonly pools: Pools;
  readonly faults: Faults;
  readonly log: WriteLog;
  readonly counters: Counters;
  /** Other callers take this many calls a second of the category from now on; 0 ends it. Nothing where unmetered. */
  takeShare(category: Category, ratePerSecond: number): void;
  /** An access token for UpdateUserAttributes. Throws a RangeError for a pool or user that is not there. */
  mintAccessToken(pool: string, username: string, options?: TokenOptions): string;
}

/** Where other processes reach the controls. */
export const CONTROL_PREFIX = "/_emulator/";

/** Users are put in by the hundred thousand. */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

type Route = (input: unknown, query: URLSearchParams) => unknown;

const USERS = z.strictObject({ pool: z.string(), users: z.array(USER_SEED) });
const PERSON = z.strictObject({ pool: z.string(), username: z.string() });
const CONFIRMATION = z.strictObject({ ...PERSON.shape, attribute: z.enum(CONTACTS) });
const SHARE = z.strictObject({ category: z.enum(CATEGORIES), ratePerSecond: z.number().min(0) });
const TOKEN = z.strictObject({
  ...PERSON.shape,
  scope: z.string().optional(),
  expiresInSeconds: z.number().optional(),
});

/**
 * - `GET log?since=SEQ`, `GET counters`
 * - `GET | POST | DELETE faults`
 * - `GET pools`, `POST pools` (a definition)
 * - `GET users?pool=&username=`, `POST users` `{ pool, users: [seed, …] }`
 * - `POST confirmations` `{ pool, username, attribute }`
 * - `POST shares` `{ category, ratePerSecond }`
 * - `POST access-tokens` `{ pool, username, scope?, expiresInSeconds? }`
 */
function routesOf(emulator: Controls): ReadonlyMap<string, Route> {
  function demand(id: string | null): UserPool {
    const pool = emulator.pools.get(id ?? "");
    if (pool === undefined) throw new RangeError(`Expected the id of a pool that is there, got \`${id}\``);
    return pool;
  }

  return new Map<string, Route>([
    [
      "GET log",
      (_, query) =>
        emulator.log.since(
          z.coerce
            .number()
            .int()
            .min(0)
            .parse(query.get("since") ?? 0),
        ),
    ],
    ["GET counters", () => emulator.counters],
    ["GET faults", () => emulator.faults.rules],
    ["POST faults", (input) => emulator.faults.add(FAULT_RULE.parse(input))],
    ["DELETE faults", () => emulator.faults.clear()],
    ["GET pools", () => emulator.pools.ids],
    [
      "POST pools",
      (input) => {
        const { id, arn } = emulator.pools.add(POOL_DEFINITION.parse(input));
        return { id, arn };
      },
    ],
    ["GET users", (_, query) => demand(query.get("pool")).user(query.get("username") ?? "")],
    [
      "POST users",
      (input) => {
        const { pool, users } = USERS.parse(input);
        for (const seed of users) demand(pool).addUser(seed);
        return { added: users.length };
      },
    ],
    [
      "POST confirmations",
      (input) => {
        const { pool, username, attribute } = CONFIRMATION.parse(input);
        demand(pool).confirm(username, attribute);
      },
    ],
    [
      "POST shares",
      (input) => {
        const { category, ratePerSecond } = SHARE.parse(input);
        emulator.takeShare(category, ratePerSecond);
      },
    ],
    [
      "POST access-tokens",
      (input) => {
        const { pool, username, ...options } = TOKEN.parse(input);
        return { accessToken: emulator.mintAccessToken(pool, username, options) };
      },
    ],
  ]);
}

/** Answers requests of the controls over HTTP. */
export function createControl(
  emulator: Controls,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const routes = routesOf(emulator);
  return async (request, response) => {
    const json = { "content-type": "application/json" };
    try {
      const url = new URL(request.url ?? "/", "http://emulator");
      const text = await readBody(request, MAX_BODY_BYTES);
      const name = `${request.method} ${url.pathname.slice(CONTROL_PREFIX.length)}`;
      const route = routes.get(name);
      if (route === undefined) {
        const known = [...routes.keys()].join(", ");
        return send(response, 404, json, JSON.stringify({ error: `Expected one of ${known}, got ${name}` }));
      }
      const answer = route(text === "" ? undefined : JSON.parse(text), url.searchParams);
      if (answer === undefined) {
        const missing = request.method === "GET";
        return send(response, missing ? 404 : 200, json, JSON.stringify(missing ? { error: "not found" } : {}));
      }
      send(response, 200, json, JSON.stringify(answer));
    } catch (error) {
      const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
      send(response, 400, json, JSON.stringify({ error: message }));
    }
  };
}
