/** What producers are told to put, from a seed: single changes, some out of order, and files of rows. */
import { randomFrom } from "../support/random.ts";
import type { Ordinal } from "../../src/core/version.ts";
import { ordinalOf, saidBy, type SentChange } from "./model.ts";

type Planned = Omit<SentChange, "sentAt" | "times">;

/** A row of a file, and the change whose values it says once more. */
type Row = Pick<Planned, "id" | "says" | "username" | "attributes">;

export interface Single {
  readonly change: Planned;
  /** For producer.ts, as a line. */
  readonly order: Order;
}

export interface Order {
  readonly id: string;
  readonly username: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly version?: Ordinal;
  /** True for `update()`, whose outcome is waited for. */
  readonly waits?: true;
  /** Of those that wait: sent although somebody has paused it. */
  readonly despitePause?: true;
}

export interface FeedFile {
  readonly name: string;
  /** Where its rows name people by this, and not by username. */
  readonly namedBy?: "email";
  readonly csv: string;
  readonly asOf: string;
  readonly changes: readonly Planned[];
}

export interface Load {
  /** Users in the order of their numbers; the last ones are not in the pool at first. */
  readonly users: readonly string[];
  readonly missing: ReadonlySet<string>;
  /** Of a source whose clock is off by so much; null where it has none and says no version. */
  single(source: string, clockOffMs: number | null, now: number): Single;
  feed(now: number, rows: number): FeedFile;
  /** The last file's rows once more, newer than all that was said before. */
  feedAgain(now: number): FeedFile;
  /** The changes of the last file; none before there was one. */
  readonly lastRows: FeedFile["changes"];
  /** From now on each source says once more what it said last of everybody, before anything else. */
  sayAgain(): void;
  /** How many changes were said so. */
  readonly saidAgain: number;
  /** Of every file so far: how many units it holds. */
  readonly files: ReadonlyMap<string, number>;
}

const ATTRIBUTES = ["given_name", "family_name", "email", "custom:department"] as const;
const FEED_ATTRIBUTES = ["given_name", "family_name", "custom:department"] as const;
/** Only sources without a clock write it: its changes are ordered by the store. */
const CLOCKLESS = "nickname";
/** Sequences of single changes begin here, above all rows, so that no two changes have the same version. */
const FIRST_SEQUENCE = 1_000_000;
const LATE_MS = 20_000;
const MISSING_SHARE = 0.03;
/** How often a source says once more what it has said, and a file holds rows of an earlier one. */
const AGAIN_SHARE = 0.2;

/** How far the clocks of the two sources with versions are off: a minute apart. */
export const CLOCKS_OFF_MS = [30_000, -30_000] as const;

export function createLoad(seed: number, count: number): Load {
  const random = randomFrom(seed * 31 + 7);
  const users = Array.from({ length: count }, (_, index) => `user${index}.zQx7`);
  const missing = new Set(users.slice(Math.floor(count * (1 - MISSING_SHARE))));
  let sequence = FIRST_SEQUENCE;
  let feeds = 0;
  const lastAsOf = new Set<number>();
  const files = new Map<string, number>();
  /** By source and user. */
  const lastSingles = new Map<string, Planned>();
  const past: FeedFile[] = [];
  /** By source. */
  let toSayAgain = new Map<string, Planned[]>();
  let saidAgain = 0;

  // A few users get most of the changes.
  const someone = (): string => users[Math.floor(random.next() ** 2 * users.length)] ?? "";

  function freshRows(count: number): readonly Row[] {
    // Rows of one user that disagree would be refused: each value of a user stands once in a file.
    const said = new Set<string>();
    return Array.from({ length: count }, () => {
      const username = someone();
      const attributes = random.some(FEED_ATTRIBUTES, 0.8).filter((name) => !said.has(`${username} ${name}`));
      for (const name of attributes) said.add(`${username} ${name}`);
      return { id: "", username, attributes };
    });
  }

  function fileOf(atMs: number, rowsSaid: readonly Row[], isAgain: boolean): FeedFile {
    feeds += 1;
    const name = `feed-${feeds}.csv`;
    let asOfMs = atMs;
    while (lastAsOf.has(asOfMs)) asOfMs += 1;
    lastAsOf.add(asOfMs);
    const lines = [`username,${FEED_ATTRIBUTES.join(",")}`];
    const changes: Planned[] = [];
    for (const [index, { id: own, says = own, username, attributes }] of rowsSaid.entries()) {
      const id = `f${feeds}.${index + 1}`;
      const ordinal = ordinalOf(asOfMs, index + 1);
      const change: Planned = { id, ...(isAgain ? { says } : {}), username, attributes, ordinal, looks: true };
      // A cell that is blank is skipped.
      const cells = FEED_ATTRIBUTES.map((attribute) =>
        attributes.includes(attribute) ? saidBy(change, attribute) : "",
      );
      lines.push(`${username},${cells.join(",")}`);
      changes.push(change);
    }
    files.set(
      name,
      changes.reduce((sum, { attributes }) => sum + attributes.length, 0),
    );
    const file = { name, csv: `${lines.join("\n")}\n`, asOf: new Date(asOfMs).toISOString(), changes };
    past.push(file);
    return file;
  }

  return {
    users,
    missing,
    files,
    single(source, clockOffMs, now) {
      sequence += 1;
      const id = `${source}.${sequence}`;
      const someones = someone();
      const picked = random.some(ATTRIBUTES, 0.4);
      const wanted = clockOffMs === null ? [CLOCKLESS] : picked.length > 0 ? picked : [ATTRIBUTES[0]];
      const owed = toSayAgain.get(source)?.pop();
      if (owed) saidAgain += 1;
      const before = owed ?? (random.chance(AGAIN_SHARE) ? lastSingles.get(`${source} ${someones}`) : undefined);
      const { username, attributes } = before ?? { username: someones, attributes: wanted };
      const again = before ? { says: before.says ?? before.id } : {};
      const lateMs = random.chance(0.3) && !before ? Math.round(random.next() * LATE_MS) : 0;
      const version = clockOffMs === null ? undefined : { timeMs: now + clockOffMs - lateMs, sequence };
      const ordinal = version ? { ordinal: ordinalOf(version.timeMs, version.sequence) } : {};
      const change: Planned = { id, ...again, username, attributes, ...ordinal };
      lastSingles.set(`${source} ${username}`, change);
      const values = Object.fromEntries(attributes.map((name) => [name, saidBy(change, name)]));
      return { change, order: { id, username, attributes: values, ...(version ? { version } : {}) } };
    },
    sayAgain() {
      const last = [...lastSingles].map(([key, change]) => [key.split(" ")[0] ?? "", change] as const);
      const bySource = Map.groupBy(last, ([source]) => source);
      toSayAgain = new Map([...bySource].map(([source, all]) => [source, all.map(([, change]) => change)]));
    },
    get saidAgain() {
      return saidAgain;
    },
    get lastRows() {
      return past.at(-1)?.changes ?? [];
    },
    feed(now, rows) {
      const earlier = random.chance(AGAIN_SHARE) ? past[random.below(past.length)]?.changes : undefined;
      const asOfMs = now + Math.round((random.next() * 2 - 1) * CLOCKS_OFF_MS[0]);
      // Not the very same file: that would be the same run.
      return earlier ? fileOf(asOfMs, random.some(earlier, 0.9), true) : fileOf(asOfMs, freshRows(rows), false);
    },
    feedAgain: (now) => fileOf(now + CLOCKS_OFF_MS[0], (past.at(-1)?.changes ?? []).toReversed(), true),
  };
}
