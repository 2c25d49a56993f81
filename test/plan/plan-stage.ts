/** A pool's users, and plans of rows for them. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import type { ListedUser } from "../../src/core/comparison.ts";
import { DEFAULT_GUARDS, type GuardSettings } from "../../src/core/guards.ts";
import type { Ledger } from "../../src/core/mailbox.ts";
import type { PoolProfile } from "../../src/core/pool-schema.ts";
import { buildPlans, type Plan, type PlanInput, type PlanDeps } from "../../src/plan/plan.ts";
import type { Baseline } from "../../src/plan/baseline.ts";
import type { PlannedRecord } from "../../src/plan/row-match.ts";
import { testKeyring } from "../support/keyring.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { PROFILE } from "../support/pool-profile.ts";

const NAMES = ["given_name", "nickname", "preferred_username", "email", "phone_number", "custom:id"];
export const STAFF: PoolProfile = {
  ...PROFILE,
  attributes: Object.fromEntries(
    NAMES.map((name) => [name, { name, type: "String", mutable: true, required: false, developerOnly: false }]),
  ),
  aliasAttributes: ["email"],
  autoVerified: ["email"],
};
export const SECRET = Buffer.alloc(32, 7).toString("base64url");

export interface PlanFacts {
  readonly pool?: readonly ListedUser[];
  readonly profile?: PoolProfile;
  readonly baseline?: Baseline;
  readonly mapping?: Partial<PlanInput["mapping"]>;
  readonly guards?: Partial<GuardSettings>;
  readonly ledger?: Ledger;
  readonly rowsBefore?: number;
  readonly scan?: PlanDeps["scan"];
  /** The pool's users are looked at by the names that rows have. */
  readonly oneByOne?: boolean;
  readonly unlisted?: PlanDeps["unlisted"];
  readonly provider?: PlanDeps["providerAttributes"];
  /** 20 calls a second unless said. */
  readonly updatesPerSecond?: number;
}

/** Opened before the tests and closed after them: then nothing is left of any plan. */
export function openPlanStage() {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>> | undefined;
  const opened: Plan[] = [];

  async function plan(rows: readonly PlannedRecord[], stage: PlanFacts = {}): Promise<Plan> {
    const { pool = [], profile = STAFF, baseline = "live", mapping = {}, guards = {}, ledger = {} } = stage;
    async function* records() {
      yield* rows;
    }
    async function* everybody() {
      yield { users: pool, askedAt: performance.now(), again: false };
    }
    const deps: PlanDeps = {
      profile,
      keyring: testKeyring(SECRET),
      directory: directory?.path ?? assert.fail("Expected the stage to be open"),
      ledgers: async (users) => new Map(users.map((user) => [user, ledger])),
      reading: async () => ({ is: stage.oneByOne === true ? "looks" : "scan", calls: 0 }),
      scan: stage.scan ?? everybody,
      now: async () => performance.now(),
      unlisted: stage.unlisted ?? "fault",
      pace: async () => ({ updatesPerSecond: stage.updatesPerSecond ?? 20, listsPerSecond: 25 }),
      providerAttributes: stage.provider ?? (async () => undefined),
    };
    const input = {
      feed: "f",
      records: records(),
      mapping: { attributes: [], ...mapping },
      guards: { ...DEFAULT_GUARDS, ...guards },
      ...(stage.rowsBefore === undefined ? {} : { rowsBefore: stage.rowsBefore }),
    };
    const [made] = await buildPlans(deps, [input], baseline, new AbortController().signal);
    assert.ok(made);
    opened.push(made);
    return made;
  }

  return {
    plan,
    async open(): Promise<void> {
      directory = await temporaryDirectory();
    },
    async close(): Promise<void> {
      for (const made of opened) made.close();
      assert.deepEqual(await readdir(directory?.path ?? ""), [], "nothing is left of any scratch");
      await directory?.remove();
    },
  };
}
