/** 17: an emptied Redis is another store, and each process of the one that was there before is told so. */
import { timeOfRunId } from "../../src/app/runs/run-id.ts";
import type { Evidence } from "./evidence.ts";
import { JOB_PRODUCER } from "./jobs.ts";
import type { Lived, Replacement } from "./replacements.ts";
import { verdict, type Standing, type Verdict } from "./verdict.ts";

/** A line of the log of a process of that name. */
export interface ToldLine {
  readonly name: string;
  readonly at: number;
  readonly is: "started" | "store-replaced";
}

export interface ReplacedFacts {
  readonly replacements: readonly Replacement[];
  readonly told: readonly ToldLine[];
  /** Before the keys of users in it were brought to those of the store that is there now. */
  readonly evidence: Pick<Evidence, "claims">;
  /** Everybody who is in the pool, or was. */
  readonly usernames: readonly string[];
  /** What sources have said again because Redis was emptied. */
  readonly saidAgain: { readonly changes: number; readonly files: number };
}

/** Applications go on: the library opens the store anew. They are known by the changes that they acknowledge. */
const APPLICATION = /^producer-(.)$/;
/** They end well only when they are asked to, at the end of the run. */
const LONG_LIVED = /^(worker|replayer|ingest)-/;
/** A sync may have been done in that very moment, and suspended before it ended. */
const DONE_WITHIN_MS = 30_000;
/** They have nothing open in the store. */
const STRANGERS = new Set(["emulator", JOB_PRODUCER]);

/**
 * 17: each store has an identity of its own, and nothing of one that was emptied is in the next, or was written to it: no
 * run, no user's state under its keys, nothing older than the store, no claim. Each process that had the store open was
 * told, and has ended with `store-replaced`, or is an application that was acknowledged something by the new one; and
 * sources have said again what they had said.
 */
export async function judgeReplaced(on: Standing, facts: ReplacedFacts): Promise<Verdict> {
  const { replacements, told, saidAgain } = facts;
  const wrong: string[] = [];
  if (replacements.length === 0) wrong.push("Redis was never emptied");
  const identities = [...replacements.map(({ identity }) => identity), on.engine.store.identity];
  if (new Set(identities).size < identities.length) wrong.push("two stores have the same identity");
  const counts = { endedAsReplaced: 0, endedOtherwise: 0, openedAnew: 0, notOpenYet: 0 };
  for (const one of replacements) {
    const { emptiedAt, backAt, refusedAs } = one;
    if (refusedAs !== "store-replaced")
      wrong.push(`after ${emptiedAt} who runs it all went on to write, and was ${refusedAs ?? "not refused"}`);
    for (const lived of one.lived) {
      const is = fateOf(on, told, one, lived);
      if (is === undefined) continue;
      if (is in counts) counts[is as keyof typeof counts] += 1;
      else wrong.push(`${lived.name}, started at ${lived.startedAt}, ${is} after Redis was emptied at ${emptiedAt}`);
    }
    const keys = new Map(facts.usernames.map((username) => [one.userKey(username), username]));
    for (const { user, askedAt } of facts.evidence.claims)
      if (askedAt > backAt && keys.has(user))
        wrong.push(`${user}, a key of the store that was emptied at ${emptiedAt}, was claimed at ${askedAt}`);
    wrong.push(...(await leftUnder(on, keys)));
  }
  wrong.push(...(await olderThanTheStore(on, replacements)));
  const lastAt = replacements.at(-1)?.emptiedAt ?? 0;
  const noted = await on.engine.store.runs.forgotten();
  for (const { run } of noted)
    if ((timeOfRunId(run) ?? 0) > lastAt)
      wrong.push(`${run} was noted as forgotten, and no store before can have had it`);
  if (counts.endedAsReplaced === 0) wrong.push("no process has ended with store-replaced");
  if (saidAgain.changes + saidAgain.files === 0) wrong.push("no source has said anything again");
  return verdict(
    17,
    "an emptied Redis is another store, and its processes are told",
    {
      emptied: replacements.length,
      ...counts,
      changesSaidAgain: saidAgain.changes,
      filesGivenAgain: saidAgain.files,
      runsNotedAsForgotten: noted.length,
    },
    wrong,
  );
}

/** What became of a process that lived when Redis was emptied: a term that is counted, or what is wrong. */
function fateOf(
  on: Standing,
  told: readonly ToldLine[],
  { emptiedAt, backAt }: Replacement,
  { name, startedAt, end, endedAt = Infinity }: Lived,
): string | undefined {
  if (STRANGERS.has(name)) return undefined;
  const application = APPLICATION.exec(name)?.[1];
  if (application !== undefined) {
    const isAcked = answersOf(on, application).some(({ from, to }) => from > backAt && to <= endedAt);
    if (isAcked) return "openedAnew";
    return end === undefined ? "was acknowledged nothing any more" : "endedOtherwise";
  }
  const own = told.filter((line) => line.name === name && line.at >= startedAt && line.at <= endedAt);
  if (own.some(({ is, at }) => is === "store-replaced" && at >= emptiedAt))
    return end === undefined ? "was told, and lives on" : "endedAsReplaced";
  // A signal is a fault's.
  if (typeof end === "string") return "endedOtherwise";
  if (!own.some(({ is, at }) => is === "started" && at < emptiedAt)) return "notOpenYet";
  if (end === undefined) return "lives on";
  if (end !== 0 && end !== 2) return `ended with ${end}, and did not say why`;
  const isDone = !LONG_LIVED.test(name) && endedAt <= backAt + DONE_WITHIN_MS;
  return isDone ? "endedOtherwise" : `went on, and ended with ${end} at ${endedAt}`;
}

/** When an application was told to put something, and had done it. One of them waits for what becomes of it. */
function answersOf({ model, asks }: Standing, application: string): readonly { from: number; to: number }[] {
  if (application === "q")
    return asks.flatMap(({ by, answered }) =>
      by === "update()" && answered ? [{ from: answered.begunAt, to: answered.answeredAt }] : [],
    );
  return [...model.changes.values()].flatMap(({ id, sentAt, ackedAt }) =>
    id.startsWith(`${application}.`) && ackedAt !== undefined ? [{ from: sentAt, to: ackedAt }] : [],
  );
}

async function leftUnder(on: Standing, keys: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [key, username] of keys) {
    const { mailbox, ledger } = await on.engine.store.mailboxes.read(key);
    if (mailbox || Object.keys(ledger).length > 0)
      wrong.push(`${username} has something under ${key}, a key of a store that was emptied`);
  }
  for (const { id, user } of on.letters)
    if (keys.has(user)) wrong.push(`letter ${id} is of ${user}, a key of a store that was emptied`);
  return wrong;
}

async function olderThanTheStore(on: Standing, replacements: readonly Replacement[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  const since = replacements.at(-1)?.emptiedAt ?? 0;
  const before = new Set(replacements.flatMap(({ runs }) => runs.map(({ id }) => id)));
  for (const { id, source, startedAt } of await on.engine.store.runs.list(100_000)) {
    if (startedAt < since) wrong.push(`${id} began at ${startedAt}, and the store at ${since}`);
    // The direct run of a pool has the same name everywhere.
    else if (source !== "direct" && before.has(id)) wrong.push(`${id} is of a store that was emptied`);
  }
  for (const { id, buriedAt } of on.letters)
    if (buriedAt < since) wrong.push(`letter ${id} was buried at ${buriedAt}, and the store began at ${since}`);
  for (const [username, { ledger }] of on.states) {
    for (const [unit, { at = Infinity, settledAt = at }] of Object.entries(ledger))
      if (settledAt < since)
        wrong.push(`${username}'s ${unit} was settled at ${settledAt}, and the store began at ${since}`);
  }
  return wrong;
}

/** The same with the keys that users have in the store that is there now. */
export function inKeysOfNow(
  { lateSettles, settles, claims, ...rest }: Evidence,
  replacements: readonly Replacement[],
  userKeys: ReadonlyMap<string, string>,
): Evidence {
  const now = new Map<string, string>();
  for (const { userKey } of replacements) for (const [username, key] of userKeys) now.set(userKey(username), key);
  const brought = <T extends { readonly user: string }>(all: readonly T[]): T[] =>
    all.map((one) => ({ ...one, user: now.get(one.user) ?? one.user }));
  return { ...rest, lateSettles: brought(lateSettles), settles: brought(settles), claims: brought(claims) };
}
