/** What follows when faults have ended: everything is delivered, and replays are held to what they may change. */
import type { Engine } from "../../src/queues/engine.ts";
import { until } from "../support/condition.ts";
import type { Service } from "./service.ts";

/** The stated time within which everything is delivered once faults have ended: the longest back-off, and a little. */
export const DRAIN_WITHIN_MS = 330_000;

export interface FinaleMeans {
  readonly engine: Engine;
  readonly service: Service;
  /** Those that are in the pool. */
  readonly users: readonly string[];
  readonly calmAt: number;
  /** Orders all dead letters to be replayed. */
  readonly replayAll: () => Promise<void>;
  /** Nothing is pending, and no order is under way. */
  readonly drained: () => Promise<boolean>;
}

export interface Finale {
  readonly drainMs: number;
  /** Runs that still had something pending. */
  readonly stuck: readonly string[];
  /** What further replays changed. */
  readonly moved: readonly string[];
}

const ROUNDS = 4;

export async function settleDown({ engine, service, users, calmAt, replayAll, drained }: FinaleMeans): Promise<Finale> {
  const left = Math.max(1_000, DRAIN_WITHIN_MS - (Date.now() - calmAt));
  try {
    await until("everything is delivered", drained, left);
  } catch {
    const counted = await engine.store.mailboxes.recount();
    const pending = [...counted].filter(([, count]) => count.pending > 0);
    return {
      drainMs: Date.now() - calmAt,
      stuck: pending.map(([run, count]) => `${run} has ${count.pending} pending`),
      moved: [],
    };
  }
  const drainMs = Date.now() - calmAt;
  const replayed = async (): Promise<void> => {
    await replayAll();
    await until("the replay is delivered", drained, DRAIN_WITHIN_MS);
  };
  // What died of a fault is replayed until only those are dead who cannot be delivered.
  for (let round = 0, before = -1; round < ROUNDS; round += 1) {
    const { dead } = await engine.store.runs.books();
    if (dead === before) break;
    before = dead;
    await replayed();
  }
  const look = async () => {
    const values: object[] = [];
    for (const user of users) values.push(await service.attributesOf(user));
    return { books: JSON.stringify(await engine.store.runs.books()), values: JSON.stringify(values) };
  };
  const moved: string[] = [];
  for (const time of ["first", "second"]) {
    const before = await look();
    await replayed();
    const after = await look();
    if (after.books !== before.books)
      moved.push(`the ${time} further replay moved the books from ${before.books} to ${after.books}`);
    if (after.values !== before.values) moved.push(`the ${time} further replay changed a value`);
  }
  return { drainMs, stuck: [], moved };
}
