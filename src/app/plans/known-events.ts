/** What is known of the events of a feed whose file is planned: since when they come, and what of them waits or failed. */
import type { Mailbox } from "../../core/mailbox.ts";
import type { FeedEvents, AskedValue } from "../../plan/missed.ts";
import type { Run } from "../../store/runs.ts";
import type { Store } from "../../store/store.ts";

interface PlannedFeedFacts extends Pick<Run, "pool" | "feed"> {
  readonly byEvents: readonly string[] | undefined;
  /** The as-of of the last run of the whole file; absent where there is none. */
  readonly lastAsOf: number | undefined;
}

/** Undefined of a feed that has none, or of which no run of events is known. These are in any order. */
export function knownEvents(
  store: Pick<Store, "mailboxes" | "letters">,
  runs: readonly Run[],
  { pool, feed, byEvents, lastAsOf = 0 }: PlannedFeedFacts,
): FeedEvents | undefined {
  const theirs = runs.filter((run) => run.source === "events" && run.pool === pool && run.feed === feed);
  const first = theirs.toSorted((a, b) => a.startedAt - b.startedAt)[0];
  if (byEvents === undefined || first === undefined) return undefined;
  let letters: Promise<ReadonlyMap<string, AskedValue>> | undefined;
  return {
    attributes: new Set(byEvents),
    since: first.startedAt,
    putSince: lastAsOf >= first.startedAt,
    async asked(user, unit) {
      const { mailbox } = await store.mailboxes.read(user);
      // Letters of one user cannot be looked for: all of them are read once.
      const letter = (await (letters ??= lettersIn(store, pool))).get(nameOf(user, unit));
      return [...(mailbox ? waitingIn(mailbox, unit) : []), ...(letter ? [letter] : [])];
    },
  };
}

function waitingIn({ pending, claim }: Mailbox, unit: string): AskedValue[] {
  return [pending[unit], claim?.units[unit]].filter((one) => one !== undefined);
}

/** The newest of each user and unit. */
async function lettersIn({ letters }: Pick<Store, "letters">, pool: string): Promise<ReadonlyMap<string, AskedValue>> {
  const newest = new Map<string, AskedValue>();
  for await (const { user, unit, version, digest } of letters.list({ pool })) {
    const name = nameOf(user, unit);
    if ((newest.get(name)?.version ?? "") < version) newest.set(name, { version, digest });
  }
  return newest;
}

function nameOf(user: string, unit: string): string {
  return `${user} ${unit}`;
}
