/** What producers are told to put, from a seed: single changes, some out of order, and files of rows. */
import { randomFrom } from "../support/random.ts";
import { ordinalOf, valueOf, type SentChange } from "./model.ts";

type Planned = Omit<SentChange, "sentAt" | "times">;

export interface Single {
  readonly change: Planned;
  /** A line for producer.ts. */
  readonly order: string;
}

export interface FeedFile {
  readonly name: string;
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

  // A few users get most of the changes.
  const someone = (): string => users[Math.floor(random.next() ** 2 * users.length)] ?? "";

  return {
    users,
    missing,
    files,
    single(source, clockOffMs, now) {
      sequence += 1;
      const id = `${source}.${sequence}`;
      const username = someone();
      const picked = random.some(ATTRIBUTES, 0.4);
      const attributes = clockOffMs === null ? [CLOCKLESS] : picked.length > 0 ? picked : [ATTRIBUTES[0]];
      const lateMs = random.chance(0.3) ? Math.round(random.next() * LATE_MS) : 0;
      const version = clockOffMs === null ? undefined : { timeMs: now + clockOffMs - lateMs, sequence };
      return {
        change: {
          id,
          username,
          attributes,
          ...(version ? { ordinal: ordinalOf(version.timeMs, version.sequence) } : {}),
        },
        order: JSON.stringify({
          id,
          username,
          attributes: Object.fromEntries(attributes.map((name) => [name, valueOf(id, name)])),
          ...(version ? { version } : {}),
        }),
      };
    },
    feed(now, rows) {
      feeds += 1;
      const name = `feed-${feeds}.csv`;
      let asOfMs = now + Math.round((random.next() * 2 - 1) * CLOCKS_OFF_MS[0]);
      while (lastAsOf.has(asOfMs)) asOfMs += 1;
      lastAsOf.add(asOfMs);
      const lines = [`username,${FEED_ATTRIBUTES.join(",")}`];
      const changes: Planned[] = [];
      // Rows of one user that disagree would be refused: each value of a user stands once in a file.
      const said = new Set<string>();
      for (let row = 1; row <= rows; row += 1) {
        const username = someone();
        const id = `f${feeds}.${row}`;
        // A cell that is blank is skipped.
        const attributes = random.some(FEED_ATTRIBUTES, 0.8).filter((name) => !said.has(`${username} ${name}`));
        for (const name of attributes) said.add(`${username} ${name}`);
        const cells = FEED_ATTRIBUTES.map((attribute) =>
          attributes.includes(attribute) ? valueOf(id, attribute) : "",
        );
        lines.push(`${username},${cells.join(",")}`);
        changes.push({ id, username, attributes, ordinal: ordinalOf(asOfMs, row) });
      }
      files.set(
        name,
        changes.reduce((sum, { attributes }) => sum + attributes.length, 0),
      );
      return { name, csv: `${lines.join("\n")}\n`, asOf: new Date(asOfMs).toISOString(), changes };
    },
  };
}
