/**
 * Somebody breaks documents in the store, as a program would that writes to the wrong key: now and then one, while no
 * process writes, each of them once. What is remembered of it says what the store may have lost with it, and no more.
 */
import { z } from "zod";
import type { Engine } from "../../src/queues/engine.ts";
import type { Run } from "../../src/store/runs.ts";
import type { Random } from "../support/random.ts";
import { fileOf, type Model } from "./model.ts";
import {
  BROKEN_KINDS,
  holdsWord,
  ledgerUnits,
  letterOf,
  waitingUnits,
  wantsJson,
  type BrokenKind,
  type RawDocument,
  type RawDocuments,
} from "./raw-documents.ts";
import { POOL } from "./service.ts";

export interface BrokenDocument {
  readonly kind: BrokenKind;
  readonly place: string;
  /** What is in its place since. */
  readonly text: string;
  /** Epoch ms, by when it was broken. */
  readonly at: number;
  /** How many units it held that the books count. */
  readonly held: number;
  /** Of the record of a run: the run's. */
  readonly feed?: string;
}

export interface BreakingDeps {
  readonly model: Model;
  readonly random: Random;
  /** Of whom documents are broken: by username. */
  readonly people: readonly string[];
}

export interface Breaking {
  readonly all: readonly BrokenDocument[];
  /** Breaks a few, while nobody writes. */
  some(documents: RawDocuments, engine: Pick<Engine, "store" | "keyring">): Promise<void>;
}

const MOST_AT_ONCE = 2;
const DRAWS = 6;
/** Runs seldom, because their whole file is put again. */
const DRAWN = [...BROKEN_KINDS, "mailbox", "mailbox", "mailbox", "letter", "ledger"] as const;

/** What it costs. Undefined for a document that is left alone. */
interface Cost {
  readonly held: number;
  readonly username?: string;
  readonly units?: readonly string[];
  /** A feed whose file is put once more. */
  readonly feed?: string;
}

export function createBreaking({ model, random, people }: BreakingDeps): Breaking {
  const all: BrokenDocument[] = [];

  function costOf(
    kind: BrokenKind,
    { place, text }: RawDocument,
    usernames: ReadonlyMap<string, string>,
    runs: ReadonlyMap<string, Run>,
  ): Cost | undefined {
    switch (kind) {
      case "mailbox": {
        const [username, units] = [usernames.get(place), waitingUnits(text)];
        return username === undefined || units === undefined ? undefined : { held: units.length, username, units };
      }
      case "ledger": {
        const [username, units] = [usernames.get(place), ledgerUnits(text)];
        return username === undefined || units.length === 0 ? undefined : { held: 0, username, units };
      }
      case "letter": {
        const { user, unit } = letterOf(text);
        const username = usernames.get(user);
        return username === undefined ? undefined : { held: 1, username, units: [unit] };
      }
      case "run": {
        const run = runs.get(place);
        // Whether a run was cancelled, nobody could tell without its record.
        return run === undefined || run.state === "cancelled" ? undefined : { held: 0, feed: run.feed };
      }
      default:
        return { held: 0 };
    }
  }

  return {
    all,
    async some(documents, { store, keyring }) {
      const usernames = new Map(people.map((username) => [keyring.userKey(POOL, username), username]));
      const runs = new Map((await store.runs.list(100_000)).map((run) => [run.id, run]));
      const isBroken = (kind: BrokenKind, place: string): boolean =>
        all.some((one) => one.kind === kind && one.place === place);
      const before = all.length;
      // Of some kinds there may be none.
      for (let draws = 0; draws < DRAWS && all.length < before + MOST_AT_ONCE; draws += 1) {
        const kind = random.pick(DRAWN);
        const candidates = (await documents.all(kind)).flatMap((document) => {
          if (isBroken(kind, document.place)) return [];
          const cost = costOf(kind, document, usernames, runs);
          return cost === undefined ? [] : [{ document, cost }];
        });
        const picked = candidates[random.below(candidates.length)];
        if (!picked) continue;
        const { document, cost } = picked;
        const text = brokenText(documents, kind, document.text, random);
        if (!(await documents.put(kind, document, text))) continue;
        const at = Date.now();
        const { held, username, units = [], feed } = cost;
        all.push({ kind, place: document.place, text, at, held, ...(feed === undefined ? {} : { feed }) });
        if (username !== undefined) model.broke({ username, units, at, isLedger: kind === "ledger" });
        if (feed !== undefined) model.mayRepeat(unitsIn(model, feed));
      }
    },
  };
}

function unitsIn({ changes }: Model, feed: string): number {
  let units = 0;
  for (const { id, attributes } of changes.values()) if (fileOf(id) === feed) units += attributes.length;
  return units;
}

/** A field of each kind that poolsync cannot do without. */
const NEEDED: Readonly<Partial<Record<BrokenKind, string>>> = {
  mailbox: "username",
  letter: "version",
  run: "feed",
  gate: "state",
};

function brokenText(documents: RawDocuments, kind: BrokenKind, text: string, random: Random): string {
  if (holdsWord(documents, kind)) return "broken";
  const field = NEEDED[kind];
  const record = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  return random.pick([
    "7",
    "null",
    "[7]",
    '"broken"',
    '{"broken":1}',
    ...(field === undefined ? [] : [JSON.stringify({ ...record, [field]: 7 })]),
    ...(kind === "mailbox" ? [JSON.stringify({ ...record, pool: `${POOL}2` })] : []),
    ...(wantsJson(documents, kind) ? [] : [text.slice(0, text.length / 2), ""]),
  ]);
}
