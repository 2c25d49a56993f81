/**
 * The guard of events, before each page: of its entries those are let through, from the first, that the feed's guard lets
 * through, and the others go into a run that *needs approval*. What is put into that one is kept by its gate. While it is
 * undecided all that comes of the feed goes there, uncounted. Once somebody has approved it, it is counted anew, from
 * nobody; for some time after a cancel what comes waits in another one.
 *
 * Who was counted is one text of the namespace, and so is the run that waits. It is only set where it is still as it was
 * read, so that several processes together let no more through than one would. A process that dies behind that has
 * counted people who were not put: they are put, or wait, when another one has their entries.
 */
import { z } from "zod";
import type { Change } from "../../core/change.ts";
import { defined } from "../../core/defined.ts";
import { admit, replacedBy, type ChangedPerson, type FloodReached } from "../../core/flood.ts";
import type { FloodLimits } from "../../core/guards.ts";
import { canonicalUsername, type PoolProfile } from "../../core/pool-schema.ts";
import { ordinalText, versionText } from "../../core/version.ts";
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { soundDocument } from "../../store/documents.ts";
import type { Run } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";
import { freshRunId } from "../runs/run-id.ts";

export interface FloodGate {
  /** How many entries of a page go on, from the first, each by its changes; the others go into this run. */
  divide(
    profile: PoolProfile,
    feed: string,
    limits: FloodLimits | undefined,
    entries: readonly (readonly Change[])[],
  ): Promise<{ readonly open: number; readonly waitIn?: string }>;
  /** Looks which runs wait. */
  look(): Promise<void>;
  /** A line for each, as they were at the last look. */
  readonly notes: readonly string[];
}

/** What was met, of a run that waits. */
const reachedForm = z.discriminatedUnion("guard", [
  z.object({ guard: z.literal("people"), limit: z.number(), count: z.number() }),
  z.object({
    guard: z.literal("sameValue"),
    attribute: z.string(),
    limit: z.number(),
    count: z.number(),
    values: z.number(),
  }),
]);
const given = z.record(z.string(), z.tuple([z.string(), z.string()]).readonly());
const countedForm = z.object({
  people: z.record(z.string(), z.object({ at: z.number(), given })),
  /** The run that waits, or did until somebody has decided; then, once people are counted again, the run before. */
  run: z.exactOptional(z.string()),
  after: z.exactOptional(z.string()),
  reached: z.exactOptional(reachedForm),
  withinMs: z.exactOptional(z.number()),
});
type Counted = z.infer<typeof countedForm>;
const NOBODY: Counted = { people: {} };

const nameOf = (feed: string, pool: string): string => `flood ${JSON.stringify([feed, pool])}`;

/** As much of a digest as tells the values of some thousands of people apart. */
const SHORT = 8;
const shortened = (digest: string): string => digest.slice(0, SHORT);

/** Longer than a process takes from beginning a run that waits until it has noted it. */
const ORPHAN_MS = 60_000;

/** The version of what says none: nothing is newer. */
const NOW = "9";

/** Why a run waits; undefined where that is not known any more. */
export async function floodOfRun(
  store: Pick<Store, "recall">,
  { id, feed, pool }: Pick<Run, "id" | "feed" | "pool">,
): Promise<{ readonly reached: FloodReached; readonly withinMs: number } | undefined> {
  const { run, reached, withinMs } = soundIn(await store.recall(nameOf(feed, pool))) ?? NOBODY;
  return run === id && reached && withinMs !== undefined ? { reached, withinMs } : undefined;
}

/** Those that wait for somebody's decision. */
export async function waitingFloods({ runs }: Pick<Store, "runs">): Promise<readonly Run[]> {
  return (await runs.unfinished()).filter(isWaitingFlood);
}

export function isWaitingFlood({ source, state }: Pick<Run, "source" | "state">): boolean {
  return source === "events" && state === "needs-approval";
}

export function createFloodGate({ store, keyring }: Pick<Engine, "store" | "keyring">, log: Log): FloodGate {
  const { runs } = store;
  let waiting: readonly Run[] = [];

  /** Of each entry the people whose values change by the ledger. */
  async function changedIn(
    profile: PoolProfile,
    entries: readonly (readonly Change[])[],
  ): Promise<readonly (readonly ChangedPerson[])[]> {
    const userOf = ({ username }: Change): string => keyring.userKey(profile.id, canonicalUsername(profile, username));
    const users = new Set(entries.flat().map(userOf));
    const ledgers = await store.mailboxes.ledgers([...users]);
    return entries.map((changes) => {
      const people = new Map<string, ChangedPerson>();
      for (const change of changes) {
        const user = userOf(change);
        const { person = {}, version, arrival = 0, overruled, units } = change;
        const account = person.account && keyring.accountMark(profile.id, person.account);
        const of = version === undefined ? NOW : versionText(ordinalText(version), arrival);
        for (const { name, value } of units) {
          if (overruled?.has(name) === true) continue;
          const digest = keyring.valueDigest(name, value);
          const unit = { name, digest, version: of, account };
          const replaced = replacedBy(ledgers.get(user) ?? {}, unit);
          if (replaced === undefined) continue;
          people.set(user, {
            user,
            given: { ...people.get(user)?.given, [name]: [shortened(digest), shortened(replaced)] },
          });
        }
      }
      return [...people.values()];
    });
  }

  /** A run that waits, and into which nobody has put anything but what waits. `after`: the one before it. */
  async function beginWaiting(pool: string, feed: string, after: string): Promise<Run | undefined> {
    const identity = keyring.contentName(`flood ${JSON.stringify([feed, pool]).replaceAll(" ", "_")} ${after}`);
    const beginning = { id: freshRunId(), source: "events" as const, pool, feed, identity, asOf: await store.now() };
    const { run } = await runs.begin(beginning);
    await runs.transition(run.id, ["reading"], "needs-approval");
    return runs.get(run.id);
  }

  async function waitingOf(feed: string, pool: string): Promise<Run | undefined> {
    return (await waitingFloods(store)).find((run) => run.feed === feed && run.pool === pool);
  }

  /** One whose process died before anything waited in it, and which no other one took up, has nothing to be decided. */
  async function endUnlessHeld({ id, feed, pool, startedAt }: Run): Promise<void> {
    if ((await store.now()) - startedAt < ORPHAN_MS) return;
    const text = await store.recall(nameOf(feed, pool));
    const counted = soundIn(text);
    const isOrphan = text === undefined || (counted !== undefined && counted.run !== id);
    if (isOrphan && (await runs.books(id)).received === 0) await runs.transition(id, ["needs-approval"], "cancelled");
  }

  return {
    async divide(profile, feed, limits, entries) {
      const all = { open: entries.length };
      if (limits === undefined) return all;
      const { id: pool } = profile;
      const name = nameOf(feed, pool);
      const changing = changedIn(profile, entries);
      for (;;) {
        const [text, changed] = await Promise.all([store.recall(name), changing]);
        const counted = soundIn(text);
        if (text !== undefined && counted === undefined) {
          // What broke in the store has not said that nothing waits: a run that does is found by its feed.
          const run = await waitingOf(feed, pool);
          await set(name, text, defined({ people: {}, run: run?.id }));
          continue;
        }
        const { people: before, run: waits, after = waits, reached: met } = counted ?? NOBODY;
        const last = waits === undefined ? undefined : await runs.get(waits);
        if (last?.state === "needs-approval") return { open: 0, waitIn: last.id };
        if (changed.every((people) => people.length === 0)) return all;
        const nowMs = await store.now();
        // What somebody has refused comes on for a while.
        const isRefused = last?.state === "cancelled" && nowMs - (last.finishedAt ?? 0) < limits.withinMs;
        const { window, admitted, reached } =
          isRefused && met ? { window: {}, admitted: 0, reached: met } : admit(before, changed, limits, nowMs);
        if (reached === undefined) {
          if (await set(name, text, defined({ people: window, after }))) return all;
          continue;
        }
        const run = await beginWaiting(pool, feed, after ?? "first");
        const { withinMs } = limits;
        const isSet = run !== undefined && (await set(name, text, { people: {}, run: run.id, reached, withinMs }));
        // Another process has counted meanwhile, or begun to wait.
        if (!isSet) continue;
        const { guard, count, limit } = reached;
        log.warn({ run: run.id, feed, pool, guard, people: count, limit }, "events need approval");
        waiting = [...waiting, run];
        // Somebody who was quicker has decided already.
        if (run.state === "needs-approval") return { open: admitted, waitIn: run.id };
      }
    },
    async look() {
      waiting = await waitingFloods(store);
      await Promise.all(waiting.map(endUnlessHeld));
    },
    get notes() {
      return waiting.map(({ id, feed }) => `events of feed ${feed} wait for an approval: run ${id}`);
    },
  };

  function set(name: string, from: string | undefined, to: Counted): Promise<boolean> {
    return store.exchange(name, from, JSON.stringify(to));
  }
}

/** Undefined where there is none, and where it broke in the store. */
function soundIn(text: string | undefined): Counted | undefined {
  return text === undefined ? undefined : soundDocument(countedForm, text);
}
