/** What follows when faults have ended: everything is delivered, and replays are held to what they may change. */
import type { Books } from "../../src/core/books.ts";
import type { Engine } from "../../src/queues/engine.ts";
import { until } from "../support/condition.ts";
import type { Service } from "./service.ts";
import { verdict, wayOf, type Standing, type Verdict } from "./verdict.ts";

/** The stated time within which everything is delivered once faults have ended: the longest back-off, and a little. */
export const DRAIN_WITHIN_MS = 330_000;

export interface FinaleMeans {
  readonly engine: Pick<Engine, "store">;
  readonly service: Pick<Service, "attributesOf" | "writes">;
  /** Those that are in the pool. */
  readonly users: readonly string[];
  readonly calmAt: number;
  /** Orders all dead letters to be replayed. */
  readonly replayAll: () => Promise<void>;
  /** Somebody else writes over some values, when only those are dead who cannot be delivered. */
  readonly lastWord: () => Promise<void>;
  /** Nothing is pending, and no order is under way. */
  readonly drained: () => Promise<boolean>;
}

/** How the delivery of everything went, once faults had ended. */
export interface Drain {
  readonly ms: number;
  readonly drained: boolean;
  /** Units by run, where it was not drained. */
  readonly pending: ReadonlyMap<string, number>;
}

/** What there is before or after a replay. */
export interface Look {
  readonly books: Books;
  readonly attributes: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** How many writes the emulator's log has. */
  readonly writes: number;
}

/** Each array begins with what there was before the first replay of its kind, and goes on after each. */
export interface Replays {
  /** Until only those are dead who cannot be delivered. */
  readonly mending: readonly Look[];
  /** Two more, which have nothing left to mend, after somebody else's last word. */
  readonly further: readonly Look[];
}

export interface Finale {
  readonly drain: Drain;
  readonly replays: Replays;
}

const ROUNDS = 4;

/** How many units are pending, as `status` has it: those in documents that were set aside are not. */
export async function pendingUnits({ store }: Pick<Engine, "store">): Promise<number> {
  await store.damaged.reckon();
  return (await store.runs.books()).pending;
}

export async function settleDown({
  engine,
  service,
  users,
  calmAt,
  replayAll,
  lastWord,
  drained,
}: FinaleMeans): Promise<Finale> {
  const left = Math.max(1_000, DRAIN_WITHIN_MS - (Date.now() - calmAt));
  let answered = false;
  const looked = async (): Promise<boolean> => {
    answered = false;
    const is = await drained();
    answered = true;
    return is;
  };
  try {
    await until("everything is delivered", looked, left);
  } catch (error) {
    // A look that failed says nothing of what is delivered.
    if (!answered) throw error;
    const counted = [...(await engine.store.mailboxes.recount())].map(([run, { pending }]) => [run, pending] as const);
    const pending = new Map(counted.filter(([, count]) => count > 0));
    return { drain: { ms: Date.now() - calmAt, drained: false, pending }, replays: { mending: [], further: [] } };
  }
  const ms = Date.now() - calmAt;
  const look = async (): Promise<Look> => {
    const attributes = new Map<string, Readonly<Record<string, string>>>();
    for (const user of users) attributes.set(user, await service.attributesOf(user));
    return { books: await engine.store.runs.books(), attributes, writes: (await service.writes()).length };
  };
  const replayed = async (): Promise<Look> => {
    await replayAll();
    await until("the replay is delivered", drained, DRAIN_WITHIN_MS);
    return look();
  };
  // What died of a fault is replayed until only those are dead who cannot be delivered.
  const first = await look();
  const mending = [first];
  let last = first;
  for (let round = 0, before = -1; round < ROUNDS && last.books.dead !== before; round += 1) {
    before = last.books.dead;
    last = await replayed();
    mending.push(last);
  }
  await lastWord();
  return {
    drain: { ms, drained: true, pending: new Map() },
    replays: { mending, further: [await look(), await replayed(), await replayed()] },
  };
}

/** 5: a replay changes nothing newer, and one that has nothing left to mend changes nothing at all. */
export function judgeReplays({ model, writes, userKeys, evidence, letters }: Standing, replays: Replays): Verdict {
  const { mending, further } = replays;
  const wrong: string[] = [];
  if (further.length < 3) wrong.push("no replay was tried, as not everything was delivered");
  const from = mending[0]?.writes ?? 0;
  const to = further.at(-1)?.writes ?? 0;
  for (const back of model.goingsBack(writes)) {
    if (back.seq <= from || back.seq > to || wayOf(back, model, evidence, userKeys) !== undefined) continue;
    wrong.push(`a replay put ${back.to} over ${back.from}, which is newer, at ${back.username} ${back.attribute}`);
  }
  for (const [index, after] of further.entries()) {
    const before = further[index - 1];
    if (!before) continue;
    const [was, is] = [JSON.stringify(before.books), JSON.stringify(after.books)];
    if (was !== is) wrong.push(`further replay ${index} moved the books from ${was} to ${is}`);
    for (const [user, values] of after.attributes) {
      if (JSON.stringify(values) !== JSON.stringify(before.attributes.get(user)))
        wrong.push(`further replay ${index} changed a value of ${user}`);
    }
  }
  return verdict(
    5,
    "a replay changes nothing newer, a second one nothing at all",
    { replays: Math.max(0, mending.length - 1) + Math.max(0, further.length - 1), letters: letters.length },
    wrong,
  );
}

/** 6: nothing stays pending once faults have ended. */
export function judgeDrain({ ms, drained, pending }: Drain): Verdict {
  const wrong = [...pending].map(([run, count]) => `${run} has ${count} pending`);
  if (!drained) wrong.unshift(`not everything was delivered after ${ms} ms`);
  else if (ms > DRAIN_WITHIN_MS) wrong.push(`it took ${ms} ms`);
  return verdict(6, `everything is delivered within ${DRAIN_WITHIN_MS / 1000} s`, { ms }, wrong);
}
