/** What is in a store of format 1, counted: the same figures of a namespace in Redis and of a data directory. */
import { z } from "zod";

const count = z.number().default(0);
const unit = z.object({
  version: z.string(),
  digest: z.string(),
  body: z.string(),
  run: z.string(),
  attempts: count,
  faults: count,
  deaths: count,
  notBefore: count,
});
const units = z.record(z.string(), unit);
const mailbox = z.object({
  pool: z.string(),
  username: z.string(),
  priority: z.number(),
  pending: units,
  claim: z.exactOptional(z.object({ token: z.string(), leaseUntil: z.number(), units })),
  suspects: z.record(z.string(), z.object({ until: z.number() })).default({}),
  kept: z.record(z.string(), unit.extend({ term: z.enum(["applied", "unchanged"]) })).default({}),
  doubts: z.record(z.string(), z.string()).default({}),
  unknown: z.record(z.string(), z.object({ digest: z.string(), until: z.number() })).default({}),
});
export type OldMailbox = z.infer<typeof mailbox>;
export type OldUnit = z.infer<typeof unit>;

const ledger = z.record(z.string(), z.object({ version: z.string(), digest: z.string() }));
export type OldLedger = z.infer<typeof ledger>;

const letter = z.object({
  id: z.string(),
  user: z.string(),
  pool: z.string(),
  username: z.string(),
  unit: z.string(),
  kind: z.string(),
  reason: z.string(),
  owner: z.exactOptional(z.string()),
  version: z.string(),
  run: z.string(),
  digest: z.string(),
  body: z.string(),
  buriedAt: z.number(),
});
export type OldLetter = z.infer<typeof letter>;

const run = z.object({
  id: z.string(),
  pool: z.string(),
  feed: z.string(),
  identity: z.string(),
  asOf: z.number(),
  startedAt: z.number(),
  finishedAt: z.exactOptional(z.number()),
  state: z.string(),
});

const hold = z.object({ pool: z.string(), scope: z.string(), kind: z.string(), since: z.number() });
const target = z.object({ pool: z.string(), endpoint: z.string(), region: z.string(), arn: z.string() });

/** The documents of a store, as they were kept: parsed, and not yet known to be what they should. */
export interface StoreContent {
  readonly mailboxes: Readonly<Record<string, unknown>>;
  readonly ledgers: Readonly<Record<string, unknown>>;
  readonly letters: readonly unknown[];
  /** The oldest first. */
  readonly runs: readonly unknown[];
  readonly cursors: Readonly<Record<string, string>>;
  /** By `<run>|<term>`; of all runs together by `|<term>`. */
  readonly books: Readonly<Record<string, number>>;
  readonly holds: readonly unknown[];
  readonly targets: readonly unknown[];
  /** By pool. */
  readonly links: Readonly<Record<string, number>>;
  readonly plans: readonly { readonly run: string; readonly expiresAt: number; readonly chunks: number }[];
  /** By run. */
  readonly beforeImages: Readonly<Record<string, number>>;
  readonly memory: Readonly<Record<string, string>>;
  readonly notes: Readonly<Record<string, string>>;
  readonly arrivals: number;
}

export interface FixtureRun extends z.infer<typeof run> {
  readonly cursor: string;
  /** Units that wait or are claimed. */
  readonly pending: number;
  /** Letters. */
  readonly dead: number;
  /** By term, `rows-read` and `rows-faulty` among them. */
  readonly books: Readonly<Record<string, number>>;
}

export interface Figures {
  /** The oldest first. */
  readonly runs: readonly FixtureRun[];
  /** By user key. */
  readonly mailboxes: Readonly<Record<string, OldMailbox>>;
  readonly ledgers: Readonly<Record<string, OldLedger>>;
  readonly letters: readonly OldLetter[];
  readonly lettersByKind: Readonly<Record<string, number>>;
  readonly holds: readonly z.infer<typeof hold>[];
  readonly targets: readonly z.infer<typeof target>[];
  readonly links: StoreContent["links"];
  readonly plans: StoreContent["plans"];
  readonly beforeImages: StoreContent["beforeImages"];
  readonly memory: StoreContent["memory"];
  readonly notes: StoreContent["notes"];
  readonly arrivals: number;
  /** Of all runs together, by term. */
  readonly books: Readonly<Record<string, number>>;
  readonly counts: {
    readonly mailboxes: number;
    readonly pending: number;
    /** Mailboxes with a claim; every lease has ended. */
    readonly claims: number;
    readonly claimedUnits: number;
    /** Mailboxes that have some. */
    readonly suspects: number;
    readonly kept: number;
    readonly doubts: number;
    readonly unknown: number;
    readonly ledgers: number;
    readonly ledgerUnits: number;
  };
}

export function figuresOf(content: StoreContent): Figures {
  const mailboxes = mapped(mailbox, content.mailboxes);
  const ledgers = mapped(ledger, content.ledgers);
  const letters = content.letters.map((each) => letter.parse(each));
  const all = Object.values(mailboxes);
  const queued = all.flatMap(({ pending, claim }) => [...Object.values(pending), ...Object.values(claim?.units ?? {})]);
  const booksOf = (id: string): Record<string, number> =>
    Object.fromEntries(
      Object.entries(content.books).flatMap(([field, n]) => {
        const bar = field.lastIndexOf("|");
        return field.slice(0, bar) === id ? [[field.slice(bar + 1), n] as const] : [];
      }),
    );
  const having = (shelf: "suspects" | "kept" | "doubts" | "unknown"): number =>
    all.filter((each) => Object.keys(each[shelf]).length > 0).length;
  return {
    runs: content.runs.map((each) => {
      const known = run.parse(each);
      return {
        ...known,
        cursor: content.cursors[known.id] ?? "",
        pending: queued.filter((queuedUnit) => queuedUnit.run === known.id).length,
        dead: letters.filter((one) => one.run === known.id).length,
        books: booksOf(known.id),
      };
    }),
    mailboxes,
    ledgers,
    letters,
    lettersByKind: Object.fromEntries(
      letters.map(({ kind }) => [kind, letters.filter((other) => other.kind === kind).length]),
    ),
    holds: content.holds.map((each) => hold.parse(each)),
    targets: content.targets.map((each) => target.parse(each)),
    links: content.links,
    plans: content.plans,
    beforeImages: content.beforeImages,
    memory: content.memory,
    notes: content.notes,
    arrivals: content.arrivals,
    books: booksOf(""),
    counts: {
      mailboxes: all.length,
      pending: queued.length,
      claims: all.filter(({ claim }) => claim).length,
      claimedUnits: all.flatMap(({ claim }) => Object.keys(claim?.units ?? {})).length,
      suspects: having("suspects"),
      kept: having("kept"),
      doubts: having("doubts"),
      unknown: having("unknown"),
      ledgers: Object.keys(ledgers).length,
      ledgerUnits: Object.values(ledgers).flatMap((each) => Object.keys(each)).length,
    },
  };
}

function mapped<T>(shape: z.ZodType<T>, documents: Readonly<Record<string, unknown>>): Record<string, T> {
  return Object.fromEntries(Object.entries(documents).map(([name, document]) => [name, shape.parse(document)]));
}
