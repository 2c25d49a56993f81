/** Plans: what feeds would do to a pool, worked out as a whole before anything of it is put. */
import type { ScanPage, UserName } from "../cognito/pool-scan.ts";
import type { ListedUser } from "../core/comparison.ts";
import type { Ledger } from "../core/mailbox.ts";
import { blindGuards, brokenGuards, type BrokenGuard, type GuardName, type GuardSettings } from "../core/guards.ts";
import type { Reading } from "../core/pool-reading.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { FeedRow } from "../delivery/feed-run.ts";
import type { Mapping } from "../feeds/mapping.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Baseline } from "./baseline.ts";
import type { ChangeKind } from "./change-kinds.ts";
import { ROWS_PER_YIELD, yieldToEventLoop } from "./event-loop.ts";
import { exampleOf, type Example, type PlanFigures, type RowTimes, type ScanFigures } from "./figures.ts";
import { becomesPlaceholder } from "./guard-tally.ts";
import type { Healing } from "./healing.ts";
import type { FeedEvents } from "./missed.ts";
import type { NotPut } from "./not-put.ts";
import type { PlanOrigin } from "./origin.ts";
import { feedRowOf, isSent, type PlannedRow, type PlannedUnit } from "./planned-row.ts";
import { countPlan, type SharedFacts } from "./plan-count.ts";
import { createPlanner, type ConcludedPlanner, type MeetingPlanner } from "./planner.ts";
import type { Unlisted } from "./planning.ts";
import type { Asking } from "./row-asking.ts";
import type { PlannedRecord } from "./row-match.ts";
import { openScratch, type Scratch } from "./scratch.ts";

/** One feed of a plan. */
export interface PlanInput {
  /** The feed's name, or the file's. */
  readonly feed: string;
  readonly records: AsyncIterable<PlannedRecord>;
  readonly mapping: Pick<Mapping, "identifier" | "match" | "duplicates" | "attributes" | "missing">;
  readonly guards: GuardSettings;
  /** Rows of the feed's last good run. */
  readonly rowsBefore?: number;
  /** For people; absent where no file says it. */
  readonly times?: RowTimes;
  readonly origin?: PlanOrigin | undefined;
  /** Of a feed that has events beside its file. */
  readonly events?: FeedEvents | undefined;
}

export interface PlanDeps {
  readonly profile: PoolProfile;
  readonly keyring: Keyring;
  /** Where the scratch is kept. */
  readonly directory: string;
  readonly ledgers: (users: readonly string[]) => Promise<ReadonlyMap<string, Ledger>>;
  /** Chooses how the pool is read, and is told of nothing else. */
  readonly reading: (asking: Asking) => Promise<Reading>;
  /** Lists the whole pool, or the users who are found by `names`: for each the questions, in their order. */
  readonly scan: (signal: AbortSignal, names?: Iterable<readonly UserName[]>) => AsyncIterable<ScanPage>;
  /** Told of each user whom some row would change, with the time of the look by the store's clock. */
  readonly seen?: (user: ListedUser, lookedAt: number) => void;
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
  /** Guards that could not look. */
  readonly blind: readonly GuardName[];
  /** From how many rows guards look at shares, where there are fewer. */
  readonly tooFew?: number | undefined;
  /** Some of what would change. */
  readonly examples: readonly Example[];
  /** What kinds of changes there are, and how many of each. */
  readonly kinds: readonly ChangeKind[];
  /** The first of what is not put; there are as many as `figures` says. */
  readonly notPut: readonly NotPut[];
  /** Absent where no file is planned. */
  readonly origin?: PlanOrigin | undefined;
  /** Every row in the feed's order. */
  rows(): Iterable<PlannedRow>;
  /** Every row as it is put. */
  feedRows(): AsyncIterable<FeedRow>;
  close(): void;
}

const GUARD_EXAMPLES = 10;
/** Guards that are broken by the feed as a whole, and by no row of it. */
const OF_THE_FEED: ReadonlySet<string> = new Set(["rows", "emptyColumn", "missingColumn", "blind"]);
const REPORT_EVERY_ROWS = 1000;

/** The plan of one feed while it is worked out. */
interface Draft {
  readonly input: PlanInput;
  readonly scratch: Scratch;
  readonly planner: MeetingPlanner;
  readonly emptyColumns: readonly string[];
}

/** Works the plans of several feeds out with one scan of the pool. The caller closes them. */
export async function buildPlans(
  deps: PlanDeps,
  inputs: readonly PlanInput[],
  baseline: Baseline,
  signal: AbortSignal,
  progress: PlanProgress = {},
): Promise<readonly Plan[]> {
  const opened: Scratch[] = [];
  try {
    const drafts: Draft[] = [];
    let rows = 0;
    const onRow = (): void => {
      if ((rows += 1) % REPORT_EVERY_ROWS === 0) progress.rows?.(rows);
    };
    for (const input of inputs) {
      const scratch = openScratch(deps.directory);
      opened.push(scratch);
      drafts.push(await takeAll({ ...deps, scratch, baseline }, input, signal, onRow));
    }
    const scan = baseline === "live" ? await meetAll(deps, drafts, signal, progress) : undefined;
    const facts = { baseline, scan, pace: await deps.pace(), nowMs: await deps.now() };
    const plans: Plan[] = [];
    for (const draft of drafts) plans.push(await concludePlan(deps, draft, facts, signal));
    return plans;
  } catch (error) {
    for (const scratch of opened) scratch.close();
    throw error;
  }
}

async function takeAll(
  deps: PlanDeps & { readonly scratch: Scratch; readonly baseline: Baseline },
  input: PlanInput,
  signal: AbortSignal,
  onRow: () => void,
): Promise<Draft> {
  const { profile, keyring, ledgers, unlisted, scratch, baseline } = deps;
  const { mapping, guards, events } = input;
  const planner = createPlanner({ profile, keyring, ledgers, scratch, baseline, mapping, guards, unlisted, events });
  const emptyOnes = new Set(mapping.attributes.filter(({ column }) => column !== undefined).map(({ name }) => name));
  for await (const record of input.records) {
    signal.throwIfAborted();
    planner.take(record);
    if (record.kind === "change" && emptyOnes.size > 0) dropFilled(emptyOnes, record);
    onRow();
  }
  return { input, scratch, planner: planner.index(), emptyColumns: [...emptyOnes] };
}

/** An attribute is not empty where a row has a value for it, even a wrong one. */
function dropFilled(emptyOnes: Set<string>, record: Extract<PlannedRecord, { kind: "change" }>): void {
  for (const { name, value } of record.change.units) if (value.kind !== "clear") emptyOnes.delete(name);
  for (const { name } of record.invalid) emptyOnes.delete(name);
}

async function meetAll(
  { reading: choose, scan, seen, now, healing }: PlanDeps,
  drafts: readonly Draft[],
  signal: AbortSignal,
  { scanned }: PlanProgress,
): Promise<ScanFigures> {
  // The store's clock tells looks apart from writes. It is asked once.
  const begunAt = performance.now();
  const storeAhead = (await now()) - performance.now();
  const reading = await choose(askingOf(drafts, healing));
  const names = function* (): Generator<readonly UserName[]> {
    for (const { planner } of drafts) yield* planner.names();
    if (healing) yield* healing.names();
  };
  let [users, pages, begunAgain] = [0, 0, false];
  for await (const page of reading.is === "looks" ? scan(signal, names()) : scan(signal)) {
    if (page.again) {
      [users, begunAgain] = [0, true];
      for (const { planner } of drafts) planner.forget();
      healing?.forget();
    }
    const lookedAt = page.askedAt + storeAhead;
    for (const user of page.users) {
      let differs = false;
      for (const { planner } of drafts) differs = (await planner.meet(user, lookedAt)) || differs;
      if (differs) seen?.(user, lookedAt);
    }
    if (healing) for (const user of page.users) healing.meet(user);
    users += page.users.length;
    pages += 1;
    scanned?.(users);
  }
  const durationMs = Math.round(performance.now() - begunAt);
  const oneByOne = reading.is === "looks" ? true : undefined;
  return { users, pages, oneByOne, begunAgain, durationMs, healable: healing?.healable().length };
}

/** What looks at everybody whom rows name would take. */
function askingOf(drafts: readonly Draft[], healing: Healing | undefined): Asking {
  const all = drafts.map(({ planner }) => planner.asking());
  const looks = [...all.map((asking) => asking.looks), ...(healing ? [healing.looks] : [])];
  return {
    users: all.reduce((sum, { users }) => sum + users, 0),
    looks: looks.reduce((sum, one) => (sum === undefined || one === undefined ? undefined : sum + one), 0),
    mayMiss: all.some(({ mayMiss }) => mayMiss),
  };
}

async function concludePlan(
  deps: PlanDeps,
  { input, scratch, planner: meeting, emptyColumns }: Draft,
  facts: SharedFacts,
  signal: AbortSignal,
): Promise<Plan> {
  const planner = await meeting.conclude({ oneByOne: facts.scan?.oneByOne === true });
  const { id, figures, examples, kinds, notPut, guardTally } = await countPlan(
    deps,
    planner,
    scratch,
    { ...facts, times: input.times },
    signal,
  );
  const guardFigures = guardTally.figures(figures, {
    rowsBefore: input.rowsBefore,
    emptyColumns,
    missingColumns: input.mapping.missing ?? [],
    same: scratch.commonest(),
  });
  const broken = brokenGuards(input.guards, guardFigures);
  return {
    id,
    feed: input.feed,
    figures,
    examples,
    kinds,
    notPut,
    origin: input.origin,
    broken: withExamples(broken, planner, scratch),
    blind: blindGuards(input.guards, guardFigures),
    tooFew: figures.rows.read < input.guards.from ? input.guards.from : undefined,
    rows: () => planner.rows(),
    async *feedRows() {
      let walked = 0;
      for (const row of planner.rows()) {
        if ((walked += 1) % ROWS_PER_YIELD === 0) await yieldToEventLoop();
        yield feedRowOf(row);
      }
    },
    close: () => scratch.close(),
  };
}

/** Each broken guard with the first rows that it is about. */
function withExamples(
  broken: readonly BrokenGuard[],
  planner: ConcludedPlanner,
  scratch: Scratch,
): readonly BrokenExample[] {
  const desired = broken.map((guard) => ({ ...guard, examples: new Array<Example>() }));
  const open = (): typeof desired =>
    desired.filter(({ guard, examples }) => !OF_THE_FEED.has(guard) && examples.length < GUARD_EXAMPLES);
  if (open().length === 0) return desired;
  for (const row of planner.rows()) {
    if (row.kind === "fault") continue;
    for (const plannedUnit of row.units) {
      if (!isSent(plannedUnit.action)) continue;
      for (const guard of open()) {
        if (isAbout(guard, row, plannedUnit, scratch)) guard.examples.push(exampleOf(row, plannedUnit));
      }
    }
    if (open().length === 0) break;
  }
  return desired;
}

/** The guard looks at such a unit. */
function isAbout(
  { guard, attribute, value }: BrokenGuard,
  { found }: Extract<PlannedRow, { kind: "user" }>,
  plannedUnit: PlannedUnit,
  scratch: Scratch,
): boolean {
  if (guard === "changed") return true;
  if (guard === "unmatched") return !found;
  const { unit } = plannedUnit;
  if (unit.name !== attribute) return false;
  if (guard === "cleared") return unit.value.kind === "clear";
  if (guard === "shape") return becomesPlaceholder(plannedUnit) !== undefined;
  return unit.value.kind === "text" && scratch.name("value", unit.value.text) === value;
}
