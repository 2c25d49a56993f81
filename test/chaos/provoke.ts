/**
 * The three ways in which a value may go back, provoked on purpose on users of their own: how long the older value stood,
 * and what put it right.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { createLog } from "../../src/log.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { openPool } from "../../src/delivery/pool.ts";
import { createProducer } from "../../src/delivery/producer.ts";
import { PRIORITY } from "../../src/queues/wake-ups.ts";
import { until } from "../support/condition.ts";
import type { LateSettle } from "./evidence.ts";
import type { LoneRedis } from "./lone-redis.ts";
import { ordinalOf, valueOf, type Model } from "./model.ts";
import { POOL, type Service } from "./service.ts";
import { TIMEOUTS } from "./run-settings.ts";

export const PROVOKED = ["late.zQx7", "asleep.zQx7", "lost.zQx7"] as const;

export interface ProvokeMeans {
  readonly engine: Engine;
  readonly endpoint: string;
  readonly service: Service;
  readonly model: Model;
  /** Where its AOF may lose its last second. */
  readonly forgetful: LoneRedis | undefined;
}

export interface Provoked {
  /** What was seen, by way. */
  readonly seen: Readonly<Record<string, string>>;
  readonly wrong: readonly string[];
  /** Late settles of this process, which has no log. */
  readonly lateSettles: readonly LateSettle[];
}

const ATTRIBUTE = "given_name";
const SHORT_LEASE_MS = 500;
const MOST_LOST_MS = 1_000;
/** How old the last look at the length of the AOF may be, and a little. */
const SAMPLED_WITHIN_MS = 120;
/** Longer than the 15 s for which a different value waits after a call of unknown fate. */
const BEYOND_THE_QUIET_MS = 18_000;

export async function provoke({ engine, endpoint, service, model, forgetful }: ProvokeMeans): Promise<Provoked> {
  const [late, asleep, lost] = PROVOKED;
  const seen: Record<string, string> = {};
  const wrong: string[] = [];
  const lateSettles: LateSettle[] = [];
  const cognito = createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 2 });
  const log = createLog("silent");
  const pool = await openPool({
    engine,
    cognito,
    pool: POOL,
    ratePerSecond: 150,
    listsPerSecond: 25,
    concurrency: 2,
    log,
  });
  const timeMs = Date.now() - 60_000;
  const run = (await engine.store.runs.direct(POOL)).id;

  async function put(username: string, sequence: number, unheard = false): Promise<string> {
    const id = `${username.split(".")[0]}.${sequence}`;
    const silent = { ...engine, wakeUps: { ...engine.wakeUps, wake: async () => {} } };
    const from = { engine: unheard ? silent : engine, profile: pool.profile, run, priority: PRIORITY.direct };
    model.sent({ id, username, attributes: [ATTRIBUTE], ordinal: ordinalOf(timeMs, sequence) }, Date.now());
    const units = [{ name: ATTRIBUTE, value: { kind: "text", text: valueOf(id, ATTRIBUTE) } } as const];
    await createProducer(from).put([{ username, units, version: { timeMs, sequence } }], {
      invalid: 0,
      rows: { read: 1, faulty: 0 },
    });
    model.acked(id, Date.now());
    return valueOf(id, ATTRIBUTE);
  }
  const there = (username: string, value: string, withinMs = 60_000): Promise<void> =>
    until(
      `${username} has ${value}`,
      async () => (await service.attributesOf(username))[ATTRIBUTE] === value,
      withinMs,
    );

  const isSettled = (user: string): Promise<void> =>
    until("the newer value is settled", async () => {
      const { mailbox } = await engine.store.mailboxes.read(user);
      return !mailbox?.claim && Object.keys(mailbox?.pending ?? {}).length === 0;
    });

  /** A call is applied long after it was given up: later than the time for which a different value waits. */
  async function appliedLate(): Promise<void> {
    await service.applyLate(late, BEYOND_THE_QUIET_MS);
    const older = await put(late, 1);
    // Longer than the call may take: it was given up by then.
    await sleep((TIMEOUTS.connect + TIMEOUTS.request) * 1000);
    const newer = await put(late, 2);
    const waitedFrom = Date.now();
    await there(late, newer);
    const waitedMs = Date.now() - waitedFrom;
    await there(late, older);
    const backAt = Date.now();
    const next = await put(late, 3);
    await there(late, next);
    seen["applied after it was given up"] =
      `the newer value waited ${waitedMs} ms for it; a call that came ${BEYOND_THE_QUIET_MS} ms after stood until the next change, ${Date.now() - backAt} ms`;
  }

  /** A worker is suspended between its last look at the clock and its write. */
  async function suspended(): Promise<void> {
    const user = engine.keyring.userKey(POOL, asleep);
    const older = await put(asleep, 1, true);
    const token = randomBytes(16).toString("base64url");
    const claim = await engine.store.mailboxes.claim(user, token, SHORT_LEASE_MS);
    if (claim.is !== "claimed") return void wrong.push(`the suspended worker's claim was answered ${claim.is}`);
    const version = claim.units[ATTRIBUTE]?.version ?? "";
    await sleep(SHORT_LEASE_MS);
    const newer = await put(asleep, 2);
    await there(asleep, newer);
    await isSettled(user);
    const options = { signal: AbortSignal.timeout(5_000), notAfter: performance.now() + 5_000 };
    await createAttributeWriter(cognito).write(POOL, asleep, [{ Name: ATTRIBUTE, Value: older }], options);
    const backAt = Date.now();
    const settled = await engine.store.mailboxes.settle(
      user,
      token,
      { [ATTRIBUTE]: { is: "applied", version } },
      1_000,
    );
    lateSettles.push({ user, at: Date.now(), written: { [ATTRIBUTE]: version }, doubted: settled.doubted });
    if (!settled.late || !settled.doubted.includes(ATTRIBUTE))
      wrong.push("a late settle of an older value cast no doubt");
    await there(asleep, newer);
    seen["suspended before its write"] = `the doubt put the newest value back after ${Date.now() - backAt} ms`;
  }

  /** Redis loses its last second, and with it that a newer value was put and applied. Answers whether it was fast enough. */
  async function lostWrites(redis: LoneRedis, sequence: number): Promise<boolean> {
    const first = await put(lost, sequence);
    await there(lost, first);
    // An AOF that is synced every second has it by then.
    await sleep(1_500);
    const from = Date.now();
    const newest = await put(lost, sequence + 2);
    await there(lost, newest);
    // A settle that comes after Redis has forgotten the claim tells it of the newest value again.
    await isSettled(engine.keyring.userKey(POOL, lost));
    const losesMs = Date.now() - from + SAMPLED_WITHIN_MS;
    if (losesMs > MOST_LOST_MS) return false;
    const loss = await redis.kill(losesMs);
    if (loss) model.lost(loss);
    await redis.startAgain();
    const older = await put(lost, sequence + 1);
    await there(lost, older);
    const backAt = Date.now();
    const next = await put(lost, sequence + 3);
    await there(lost, next);
    seen["lost writes of Redis"] =
      `${loss ? loss.to - loss.from : 0} ms were lost; an older value went over one that Redis forgot, and the next change put it right after ${Date.now() - backAt} ms`;
    return true;
  }

  try {
    await Promise.all([appliedLate(), suspended()]);
    // On a busy machine a change may take longer than the second that may be lost.
    for (let tries = 0; forgetful && tries < 5; tries += 1) if (await lostWrites(forgetful, tries * 10)) break;
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error));
  } finally {
    await pool.close();
    cognito.close();
  }
  return { seen, wrong, lateSettles };
}
