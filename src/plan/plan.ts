/** Plans: what feeds would do to a pool, worked out as a whole before anything of it is put. */
import { createHash } from "node:crypto";
import type { ScanPage, UserName } from "../cognito/pool-scan.ts";
import type { Ledger } from "../core/mailbox.ts";
import { brokenGuards, type BrokenGuard, type GuardSettings } from "../core/guards.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Mapping } from "../feeds/mapping.ts";
import { bodyOf, type Keyring } from "../store/keyring.ts";
import { createTally, exampleOf, guardFiguresOf, type Example, type PlanFigures, type ScanFigures } from "./figures.ts";
import type { FeedRow } from "../delivery/feed-run.ts";
import type { Healing } from "./healing.ts";
import { feedRowOf, isSent, type JudgedRow } from "./judged-row.ts";
import { createPlanner, type Baseline, type Planner, type Unlisted } from "./planner.ts";
import type { PlannedRecord } from "./row-match.ts";
import { openScratch, type Scratch } from "./scratch.ts";
import { turn, TURN_ROWS } from "./turn.ts";

/** One feed of a plan. */
export interface PlanInput {
  /** The feed's name, or the file's. */
  readonly feed: string;
  readonly records: AsyncIterable<PlannedRecord>;
  readonly mapping: Pick<Mapping, "identifier" | "match" | "duplicates" | "attributes" | "missing">;
  readonly guards: GuardSettings;
  /** Rows of the feed's last good run. */
  readonly rowsBefore?: number;
}

export interface PlanMeans {
  readonly profile: PoolProfile;
  readonly keyring: Keyring;
  /** Where the scratch is kept. */
  readonly directory: string;
  readonly ledgers: (users: readonly string[]) => Promise<ReadonlyMap<string, Ledger>>;
  /** The whole pool, or those of it whom the plan is about: `names` has the name that each row has of its user. */
  readonly scan: (signal: AbortSignal, names: () => Iterable<UserName>) => AsyncIterable<ScanPage>;
  /** The store's clock, epoch ms. */
  readonly now: () => Promise<number>;
  readonly unlisted: Unlisted;
  /** Dead letters that the scan looks at again. */
  readonly healing?: Healing;
  readonly pace: () => Promise<PlanFigures["pace"]>;
  /** The attributes that an identity provider gives its users; undefined where that may not be asked. */
  readonly providerAttributes: (provider: string, signal: AbortSignal) => Promise<ReadonlySet<string> | undefined>;
}

export interface PlanProgress {
  /** Rows taken so far, of all feeds. */
  readonly rows?: (rows: number) => void;
  readonly scanned?: (users: number) => void;
}

export interface BrokenExample extends BrokenGuard {
  readonly examples: readonly Example[];
}

export interface Plan {
  /** Names exactly what would be written: a plan that writes anything else has another. */
  readonly id: string;
  readonly feed: string;
  readonly figures: PlanFigures;
  readonly broken: readonly BrokenExample[];
  /** Some of what would change. */
  readonly examples: readonly Example[];
  /** Every row in the feed's order. */
  rows(): Iterable<JudgedRow>;
  /** Every row as it is put. */
  feedRows(): AsyncIterable<FeedRow>;
  close(): void;
}

const EXAMPLES = 50;
const GUARD_EXAMPLES = 10;
/** Guards that are broken by the feed as a whole, and by no row of it. */
const OF_THE_FEED: ReadonlySet<string> = new Set(["rows", "emptyColumn", "missingColumn"]);
const TOLD_EVERY = 1000;

/** Works the plans of several feeds out with one scan of the pool. Whoever gets them closes them. */
export async function buildPlans(
  means: PlanMeans,
  inputs: readonly PlanInput[],
  baseline: Baseline,
  signal: AbortSignal,
  progress: PlanProgress = {},
): Promise<readonly Plan[]> {
  const opened: Scratch[] = [];
  try {
    const works: { input: PlanInput; planner: Planner; scratch: Scratch; emptyColumns: readonly string[] }[] = [];
    let rows = 0;
    for (const input of inputs) {
      const scratch = openScratch(means.directory);
      opened.push(scratch);
      const { profile, keyring, ledgers, unlisted } = means;
      const { mapping, guards } = input;
      const planner = createPlanner({ profile, keyring, ledgers, scratch, baseline, mapping, guards, unlisted });
      const silent = new Set(mapping.attributes.filter(({ column }) => column !== undefined).map(({ name }) => name));
      for await (const record of input.records) {
        signal.throwIfAborted();
        planner.take(record);
        if (record.kind === "change" && silent.size > 0) forgetSpoken(silent, record);
        if ((rows += 1) % TOLD_EVERY === 0) progress.rows?.(rows);
      }
      planner.index();
      works.push({ input, planner, scratch, emptyColumns: [...silent] });
    }
    const scan = baseline === "live" ? await meetAll(means, works, signal, progress) : undefined;
    const pace = await means.pace();
    const plans: Plan[] = [];
    for (const { input, planner, scratch, emptyColumns } of works) {
      await planner.conclude();
      const counted = await count(means, planner, scratch, { baseline, pace, ...(scan ? { scan } : {}) }, signal);
      const { figures } = counted;
      const { rowsBefore } = input;
      const missingColumns = input.mapping.missing ?? [];
      const facts = { rowsBefore, emptyColumns, missingColumns, same: baseline === "live" ? scratch.commonest() : [] };
      const broken = brokenGuards(input.guards, guardFiguresOf(figures, facts));
      plans.push({
        id: counted.id,
        feed: input.feed,
        figures,
        examples: counted.examples,
        broken: withExamples(broken, planner, scratch),
        rows: () => planner.rows(),
        async *feedRows() {
          let walked = 0;
          for (const row of planner.rows()) {
            if ((walked += 1) % TURN_ROWS === 0) await turn();
            yield feedRowOf(row);
          }
        },
        close: () => scratch.close(),
      });
    }
    return plans;
  } catch (error) {
    for (const scratch of opened) scratch.close();
    throw error;
  }
}

/** Attributes of which a row says something, be it wrong, are not silent. */
function forgetSpoken(silent: Set<string>, record: Extract<PlannedRecord, { kind: "change" }>): void {
  for (const { name, value } of record.change.units) if (value.kind !== "clear") silent.delete(name);
  for (const { name } of record.invalid) silent.delete(name);
}

async function meetAll(
  { scan, now, healing }: PlanMeans,
  works: readonly { readonly planner: Planner }[],
  signal: AbortSignal,
  { scanned }: PlanProgress,
): Promise<ScanFigures> {
  // Looks are told apart from writes by the store's clock, which is asked once.
  const begunAt = performance.now();
  const storeAhead = (await now()) - performance.now();
  const names = function* (): Generator<UserName> {
    for (const { planner } of works) yield* planner.names();
  };
  let [users, pages, begunAgain] = [0, 0, false];
  for await (const page of scan(signal, names)) {
    if (page.again) {
      [users, begunAgain] = [0, true];
      for (const { planner } of works) planner.forget();
      healing?.forget();
    }
    const lookedAt = page.askedAt + storeAhead;
    for (const user of page.users) for (const { planner } of works) await planner.meet(user, lookedAt);
    if (healing) for (const user of page.users) healing.meet(user);
    users += page.users.length;
    pages += 1;
    scanned?.(users);
  }
  const durationMs = Math.round(performance.now() - begunAt);
  return { users, pages, begunAgain, durationMs, ...(healing ? { healable: healing.healable().length } : {}) };
}

async function count(
  means: PlanMeans,
  planner: Planner,
  scratch: Scratch,
  facts: { readonly baseline: Baseline; readonly pace: PlanFigures["pace"]; readonly scan?: ScanFigures },
  signal: AbortSignal,
): Promise<{ figures: PlanFigures; id: string; examples: readonly Example[] }> {
  const tally = createTally();
  const digest = means.keyring.signer("plan").update(means.profile.arn);
  const examples: Example[] = [];
  let rows = 0;
  for (const row of planner.rows()) {
    if ((rows += 1) % TURN_ROWS === 0) await turn();
    signal.throwIfAborted();
    tally.add(row);
    if (row.kind === "fault") continue;
    const sent = row.units.filter(({ deed }) => isSent(deed));
    if (sent.length > 0) scratch.noteChanged(row.user);
    for (const judged of sent) {
      const { unit, before = "" } = judged;
      digest.update(JSON.stringify([row.username, unit.name, bodyOf(unit.value)]));
      // Of what is not compared with the pool, nobody asks whom it would make the same.
      if (unit.value.kind === "text" && facts.baseline === "live")
        scratch.tally(unit.name, scratch.name("value", unit.value.text), scratch.name("value", before));
      if (examples.length < EXAMPLES) examples.push(exampleOf(row, judged));
    }
  }
  let [users, overwritten] = [0, 0];
  const unchecked = new Set<string>();
  const known = new Map<string, ReadonlySet<string> | undefined>();
  for (const { provider, attributes, users: some } of tally.federated) {
    users += some;
    if (!known.has(provider)) known.set(provider, await means.providerAttributes(provider, signal));
    const given = known.get(provider);
    if (given === undefined) unchecked.add(provider);
    else if (attributes.some((name) => given.has(name))) overwritten += some;
  }
  const federated = { users, overwritten, unchecked: [...unchecked] };
  const figures = tally.figures({ ...facts, matched: scratch.users(), changed: scratch.changed(), federated });
  const id = `p-${createHash("sha256").update(digest.digest()).digest("hex").slice(0, 16)}`;
  return { figures, id, examples };
}

/** Each broken guard with the first rows that it is about. */
function withExamples(broken: readonly BrokenGuard[], planner: Planner, scratch: Scratch): readonly BrokenExample[] {
  const wanted = broken.map((guard) => ({ ...guard, examples: new Array<Example>() }));
  const open = (): typeof wanted =>
    wanted.filter(({ guard, examples }) => !OF_THE_FEED.has(guard) && examples.length < GUARD_EXAMPLES);
  if (open().length === 0) return wanted;
  for (const row of planner.rows()) {
    if (row.kind === "fault") continue;
    for (const judged of row.units) {
      const { unit, deed } = judged;
      if (!isSent(deed)) continue;
      for (const { guard, attribute, value, examples } of open()) {
        const fits =
          guard === "changed" ||
          (unit.name === attribute &&
            (guard === "cleared"
              ? deed === "clear"
              : unit.value.kind === "text" && scratch.name("value", unit.value.text) === value));
        if (fits) examples.push(exampleOf(row, judged));
      }
    }
    if (open().length === 0) break;
  }
  return wanted;
}
