/**
 * Plans one file against a pool and prints what it took, as JSON: a process of its own, so that its memory is that of
 * the plan. Arguments: the file, the pool's address. The pace lets everything through.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { openInput, recordsOf } from "../src/app/feeds/feed-input.ts";
import { createCognitoClient } from "../src/cognito/client.ts";
import { scanPool } from "../src/cognito/pool-scan.ts";
import { createQuotaGovernor } from "../src/cognito/quota-governor.ts";
import { DEFAULT_GUARDS } from "../src/core/guards.ts";
import type { PoolProfile } from "../src/core/pool-schema.ts";
import { mapHeaders } from "../src/feeds/headers.ts";
import { withScope } from "../src/lifecycle.ts";
import { buildPlans } from "../src/plan/plan.ts";
import { testKeyring } from "../test/support/keyring.ts";
import { createPace } from "../src/store/postgres/pace.ts";

const [path = "", endpoint = ""] = process.argv.slice(2);
const NAMES = ["given_name", "family_name", "custom:department", "custom:manager"];
const PROFILE: PoolProfile = {
  id: "eu-west-1_Example",
  arn: "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Example",
  region: "eu-west-1",
  accountId: "123456789012",
  attributes: Object.fromEntries(
    NAMES.map((name) => [name, { name, type: "String", mutable: true, required: false, developerOnly: false }]),
  ),
  caseSensitive: false,
  usernameAttributes: [],
  aliasAttributes: ["email"],
  autoVerified: [],
  requireVerificationBeforeUpdate: [],
};

const directory = await mkdtemp(join(tmpdir(), "poolsync-bench-plan-"));
try {
  await withScope(async (scope) => {
    const signal = new AbortController().signal;
    const cognito = scope.defer(createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 2 }), (client) =>
      client.close(),
    );
    const pace = createPace(() => performance.timeOrigin + performance.now());
    const rate = 1_000_000;
    const lists = scope.defer(
      createQuotaGovernor({ pace, bucket: "lists", ceilingPerSecond: rate, concurrency: 2 }),
      (governor) => governor.close(),
    );
    const begunAt = performance.now();
    const stdin = Readable.from([]);
    const flags = {};
    const input = await openInput(path, {
      flags,
      feed: undefined,
      spoolDir: directory,
      stdin,
      now: Date.now,
      scope,
      signal,
    });
    const checkedAt = performance.now();
    const mapping = mapHeaders(input.columns, { name: path, attributes: NAMES });
    const records = recordsOf(input, mapping, input.asOfMs);
    const [plan] = await buildPlans(
      {
        profile: PROFILE,
        keyring: testKeyring(),
        directory,
        ledgers: () => Promise.resolve(new Map()),
        reading: async () => ({ is: "scan" }),
        scan: () => scanPool({ cognito, lists, poolId: PROFILE.id, signal }),
        now: () => Promise.resolve(Date.now()),
        unlisted: "fault",
        pace: () => Promise.resolve({ updatesPerSecond: 20, listsPerSecond: 25 }),
        providerAttributes: () => Promise.resolve(undefined),
      },
      [{ feed: "bench", records, mapping, guards: DEFAULT_GUARDS }],
      "live",
      signal,
    );
    if (!plan) throw new Error("Expected a plan");
    scope.defer(plan, (made) => made.close());
    const plannedAt = performance.now();
    let put = 0;
    for await (const row of plan.feedRows()) put += row.kind === "change" ? 1 : 0;
    const figures = {
      rows: plan.figures.rows.read,
      matched: plan.figures.users.matched,
      changed: plan.figures.users.changed,
      updates: plan.figures.calls.updates,
      pages: plan.figures.scan?.pages ?? 0,
      scanMs: plan.figures.scan?.durationMs ?? 0,
      broken: plan.broken.length,
      checkMs: Math.round(checkedAt - begunAt),
      planMs: Math.round(plannedAt - checkedAt),
      walkMs: Math.round(performance.now() - plannedAt),
      put,
      peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1024),
    };
    console.log(JSON.stringify(figures));
  });
} finally {
  await rm(directory, { recursive: true, force: true });
}
