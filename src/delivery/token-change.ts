/**
 * A call with a user's own token is made at once and not queued: the token is kept nowhere. What is queued for the
 * same user keeps its order all the same: nobody else has the user in hand while the call is made, an older value that
 * still waits gives way to the one that was written, and what the ledger knew of an older one is forgotten.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Unit } from "../core/unit.ts";
import { ordinalText } from "../core/version.ts";
import { bodyOf } from "../store/keyring.ts";
import type { ClaimAnswer } from "../store/mailboxes.ts";
import { directRunId } from "../store/runs.ts";
import { sealBody, sealUsername } from "../store/sealed-unit.ts";
import { giveBackClaim } from "./claim-session.ts";
import type { Engine } from "../queues/engine.ts";
import { PRIORITY } from "../queues/wake-ups.ts";

export interface TokenChange {
  readonly pool: string;
  /** As the token has it. */
  readonly username: string;
  readonly units: readonly Unit[];
  /** Longer than the call may take. */
  readonly leaseMs: number;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 100;

/** Makes the call while nobody else delivers to the user. `call` says whether the values were written. */
export async function makeTokenChange(
  engine: Engine,
  change: TokenChange,
  call: () => Promise<boolean>,
): Promise<void> {
  const { store, keyring, wakeUps } = engine;
  const { pool, units, leaseMs, signal } = change;
  const known = await whoIsKnown(engine, change);
  // Nothing waits for this user, and nothing was written to them: no older value can follow the call, and no ledger is
  // made wrong by it.
  if (known === undefined) return void (await call());
  const { user, username } = known;
  const token = randomUUID();
  let answer: ClaimAnswer;
  let leaseEndsAt: number;
  for (;;) {
    leaseEndsAt = performance.now() + leaseMs;
    answer = await store.mailboxes.claim(user, token, leaseMs);
    if (answer.is !== "busy") break;
    await sleep(Math.min(LOOK_EVERY_MS, answer.retryInMs), undefined, { signal });
  }
  let isWritten = false;
  try {
    isWritten = await call();
  } finally {
    if (answer.is === "claimed") {
      await giveBackClaim(store.mailboxes, keyring, { user, token, answer, leaseEndsAt }, leaseMs);
    }
    const { mailbox, ledger } = await store.mailboxes.read(user);
    const isKnown = ({ name }: Unit): boolean => mailbox?.pending[name] !== undefined || ledger[name] !== undefined;
    const older = isWritten ? units.filter(isKnown) : [];
    if (older.length > 0) {
      await store.runs.direct(pool);
      const look = { at: await store.now(), found: "there" } as const;
      const ordinal = ordinalText({ timeMs: look.at, sequence: 0 });
      const desired = older.map(({ name, value }) => ({
        name,
        ordinal,
        digest: keyring.valueDigest(name, value),
        body: sealBody(keyring, { pool, user, unit: name }, ordinal, bodyOf(value)),
        sendUnless: "there" as const,
        look,
      }));
      await store.mailboxes.put({
        pool,
        run: directRunId(pool),
        priority: PRIORITY.direct,
        changes: [{ user, username: sealUsername(keyring, { pool, user }, username), units: desired }],
        invalid: 0,
        rows: { read: 1, faulty: 0 },
      });
    }
    if (mailbox !== undefined) await wakeUps.wake(pool, [{ user, priority: PRIORITY.direct }]);
  }
}

/**
 * The user as the store knows them; undefined where it does not. Without the pool's profile nobody knows whether it
 * ignores case, so the user has the key of one spelling or of the other.
 */
async function whoIsKnown(
  { store, keyring }: Engine,
  { pool, username }: TokenChange,
): Promise<{ readonly user: string; readonly username: string } | undefined> {
  for (const spelling of new Set([username, username.toLowerCase()])) {
    const user = keyring.userKey(pool, spelling);
    const { mailbox, ledger } = await store.mailboxes.read(user);
    if (mailbox !== undefined || Object.keys(ledger).length > 0) return { user, username: spelling };
  }
  return undefined;
}
