/** 21 and 22: what a flood and a queue came to. */
import type { Engine } from "../../src/queues/engine.ts";
import { mayBeLostBetween } from "./evidence.ts";
import { FLOOD_FEED, FLOOD_LETTER, FLOOD_LIMIT } from "./events.ts";
import type { Flood, FloodRun } from "./floods.ts";
import { changeIdOf, isOlder, type LoggedWrite, type Loss, type Model, type SentChange } from "./model.ts";
import type { SentMessage } from "./queue.ts";
import { verdict, type Verdict } from "./verdict.ts";

export interface FloodedFacts {
  readonly floods: readonly Flood[];
  readonly model: Model;
  readonly writes: readonly LoggedWrite[];
  readonly losses: readonly Loss[];
  readonly runs: readonly FloodRun[];
  /** How many of the operator's commands were killed. */
  readonly killed: number;
}

/** The runs of the floods' feed, with what they received. */
export async function floodRuns({ store: { runs } }: Pick<Engine, "store">): Promise<readonly FloodRun[]> {
  const own = (await runs.list(100_000)).filter(({ feed }) => feed === FLOOD_FEED);
  const asked = own.map(async ({ id, state }) => ({ run: id, state, received: (await runs.books(id)).received }));
  return Promise.all(asked);
}

/**
 * 21: of a flood no more people are written before somebody approves it than the guard lets through; after that each of them
 * has the newest value; and what was cancelled is never written. A flood in which Redis lost something is left out, and
 * who was counted before it as well.
 */
export function judgeFloods({ floods, model, writes, losses, runs, killed }: FloodedFacts): Verdict {
  const wrong: string[] = [];
  const told = { approved: 0, cancelled: 0, leftOut: 0, before: 0, after: 0, never: 0 };
  const writtenAt = new Map<string, number>();
  for (const { at, attributes } of writes) {
    const id = changeIdOf(attributes["given_name"]);
    if (id?.startsWith(`${FLOOD_LETTER}.`) === true && !writtenAt.has(id)) writtenAt.set(id, at);
  }
  const receivedBy = new Map(runs.map(({ run, received }) => [run, received]));
  /** Who was changed since the last approval, where that is known. */
  let counted: Set<string> | undefined = new Set();
  let [units, lastAt] = [0, 0];
  for (const [index, flood] of floods.entries()) {
    const { decided, changes, endedAt, decisions } = flood;
    units += changes.length;
    const since = lastAt;
    lastAt = endedAt;
    if (mayBeLostBetween(losses, since, endedAt)) {
      told.leftOut += 1;
      counted = undefined;
      continue;
    }
    const name = `flood ${index + 1}, to ${decided}`;
    const firstAt = decisions[0]?.begunAt ?? Infinity;
    const people = new Set(changes.map(({ username }) => username));
    if (decisions.length === 0 && people.size > FLOOD_LIMIT)
      wrong.push(`${name}: nobody was asked, and ${people.size} people were changed`);
    const written = changes.filter(({ id }) => writtenAt.has(id));
    const early = written.filter(({ id }) => (writtenAt.get(id) ?? 0) < firstAt);
    const open = decided === "cancel" ? written : early;
    const all: Set<string> = new Set([...(counted ?? []), ...open.map(({ username }) => username)]);
    if (all.size > FLOOD_LIMIT) wrong.push(`${name}: ${all.size} people were changed, and nobody had approved it`);
    told.before += early.length;
    if (decided === "approve") {
      told.approved += 1;
      for (const change of newestOf(changes)) {
        const at = writtenAt.get(change.id);
        if (at === undefined || at > endedAt) wrong.push(`${name}: ${change.id} is the newest, and was not written`);
        else if (at >= firstAt) told.after += 1;
      }
      counted = new Set();
      continue;
    }
    told.cancelled += 1;
    const held = decisions.reduce((sum, { run }) => sum + (receivedBy.get(run) ?? 0), 0);
    told.never += held;
    if (written.length > changes.length - held)
      wrong.push(`${name}: ${written.length} of ${changes.length} were written, and ${held} were cancelled`);
    counted &&= all;
  }
  const received = runs.reduce((sum, run) => sum + run.received, 0);
  if (received > units || (losses.length === 0 && received < units))
    wrong.push(`the runs received ${received} units, and ${units} were sent`);
  for (const { run, state } of runs) if (state === "needs-approval") wrong.push(`${run} waits for an approval still`);
  if (losses.length === 0)
    for (const { from, to, at } of model.goingsBack(writes)) wrong.push(`from ${from} back to ${to} at ${at}`);
  if (told.approved + told.cancelled === 0) wrong.push("no flood was decided");
  return verdict(
    21,
    "a flood waits for an approval, then all of it is written, and what was cancelled never is",
    { floods: floods.length, ...told, commandsKilled: killed, units },
    wrong,
  );
}

/** Of each person. */
function newestOf(changes: readonly SentChange[]): readonly SentChange[] {
  const newest = new Map<string, SentChange>();
  for (const change of changes) {
    const best = newest.get(change.username);
    if (!best || isOlder(best, change)) newest.set(change.username, change);
  }
  return [...newest.values()];
}

export interface QueuedFacts {
  readonly messages: readonly SentMessage[];
  readonly model: Model;
  readonly left: number;
  /** How many of the feed's entries are parked. */
  readonly parked: number;
  readonly faults: Readonly<Record<string, number>>;
}

/**
 * 22: every message was received and deleted, the queue is empty, and nothing is parked but what cannot be read. That what
 * was deleted is kept and counts once, and in its order, hold 2 and 19.
 */
export function judgeQueue({ messages, model, left, parked, faults }: QueuedFacts): Verdict {
  const wrong: string[] = [];
  if (left > 0) wrong.push(`${left} messages are left in the queue`);
  for (const { change, received, deletedAt } of messages) {
    const name = change?.id ?? "a message that cannot be read";
    if (received === 0) wrong.push(`${name} was never received`);
    else if (deletedAt === undefined) wrong.push(`${name} was never deleted`);
  }
  const unreadable = messages.filter(({ change }) => change === undefined);
  const sure = unreadable.filter(
    ({ receivedAt = 0, deletedAt = Infinity }) => !mayBeLostBetween(model.losses, receivedAt, deletedAt),
  );
  if (parked > unreadable.length || parked < sure.length)
    wrong.push(`${parked} are parked, and ${sure.length} to ${unreadable.length} cannot be read`);
  const received = messages.reduce((sum, one) => sum + one.received, 0);
  if (messages.length === 0) wrong.push("no message was sent");
  return verdict(
    22,
    "each message of a queue leaves it for the inbox, however often it is repeated",
    { messages: messages.length, received, unreadable: unreadable.length, parked, ...faults },
    wrong,
  );
}
