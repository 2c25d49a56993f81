/** What a plan comes to, and the name that it has of what it would write. */
import { createHash } from "node:crypto";
import { defined } from "../core/defined.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import { bodyOf, type Keyring } from "../store/keyring.ts";
import type { Baseline } from "./baseline.ts";
import { createKindTally, type ChangeKind } from "./change-kinds.ts";
import { ROWS_PER_YIELD, yieldToEventLoop } from "./event-loop.ts";
import {
  createTally,
  exampleOf,
  type Example,
  type FederatedTally,
  type PlanFigures,
  type RowTimes,
  type ScanFigures,
} from "./figures.ts";
import { createGuardTally, type GuardTally } from "./guard-tally.ts";
import { MOST_NOT_PUT, notPutOf, type NotPut } from "./not-put.ts";
import { isSent } from "./planned-row.ts";
import type { ConcludedPlanner } from "./planner.ts";
import type { Scratch } from "./scratch.ts";

export interface CountDeps {
  readonly profile: Pick<PoolProfile, "arn" | "aliasAttributes" | "usernameAttributes" | "caseSensitive">;
  readonly keyring: Pick<Keyring, "namer">;
  /** The attributes that an identity provider gives its users; undefined where that may not be asked. */
  readonly providerAttributes: (provider: string, signal: AbortSignal) => Promise<ReadonlySet<string> | undefined>;
}

/** What was found out for the plans of all feeds at once. */
export interface SharedFacts {
  readonly baseline: Baseline;
  readonly pace: PlanFigures["pace"];
  /** Epoch ms by the store's clock, once the pool was read. */
  readonly nowMs: number;
  readonly scan: ScanFigures | undefined;
}

const EXAMPLES = 50;

/** Walks all rows once: counts them, and names exactly what would be written. */
export async function countPlan(
  deps: CountDeps,
  planner: ConcludedPlanner,
  scratch: Scratch,
  facts: SharedFacts & { readonly times: RowTimes | undefined },
  signal: AbortSignal,
): Promise<{
  figures: PlanFigures;
  id: string;
  examples: readonly Example[];
  kinds: readonly ChangeKind[];
  notPut: readonly NotPut[];
  guardTally: GuardTally;
}> {
  const tally = createTally({ ...facts, profile: deps.profile });
  const kindTally = createKindTally();
  // The list minds the case of usernames where the pool does not: see `Asking`.
  const mayMiss = facts.scan?.oneByOne === true && !deps.profile.caseSensitive;
  const guardTally = createGuardTally(facts.baseline, mayMiss);
  const digest = deps.keyring.namer("plan").update(deps.profile.arn);
  const examples: Example[] = [];
  const notPut: NotPut[] = [];
  let [rows, missedValues] = [0, 0];
  for (const row of planner.rows()) {
    if ((rows += 1) % ROWS_PER_YIELD === 0) await yieldToEventLoop();
    signal.throwIfAborted();
    tally.add(row);
    if (notPut.length < MOST_NOT_PUT) notPut.push(...notPutOf(row));
    guardTally.add(row);
    if (row.kind === "fault") continue;
    const sent = row.units.filter(({ action }) => isSent(action));
    if (sent.length > 0) scratch.markChanged(row.user);
    for (const plannedUnit of sent) {
      const { unit } = plannedUnit;
      if (plannedUnit.missed) {
        missedValues += 1;
        scratch.markMissed(row.user);
      }
      // Of whom looks may have missed, each is counted as if they had a value of their own.
      const { before = !row.found && mayMiss ? row.user : "" } = plannedUnit;
      digest.update(JSON.stringify([row.username, unit.name, bodyOf(unit.value)]));
      // The guard against one value for many users needs to know which values it would replace: only a scan does.
      if (unit.value.kind === "text" && before !== "")
        scratch.tally(unit.name, scratch.name("value", unit.value.text), scratch.name("value", before));
      const example = exampleOf(row, plannedUnit);
      kindTally.add(example);
      if (examples.length < EXAMPLES) examples.push(example);
    }
  }
  const federated = await countOverwritten(deps, tally.federated, signal);
  const { unlisted } = guardTally;
  const counted = tally.figures({ ...facts, matched: scratch.users(), changed: scratch.changed(), federated });
  const missed = missedValues === 0 ? undefined : { values: missedValues, people: scratch.missed() };
  const figures = defined({ ...counted, unlisted, missed });
  const id = `p-${createHash("sha256").update(digest.digest()).digest("hex").slice(0, 16)}`;
  const kinds = kindTally.kinds();
  return { figures, id, examples, kinds, notPut: notPut.slice(0, MOST_NOT_PUT), guardTally };
}

/** Whose values an identity provider would overwrite at the next sign-in. */
async function countOverwritten(
  { providerAttributes }: CountDeps,
  tallies: Iterable<FederatedTally>,
  signal: AbortSignal,
): Promise<PlanFigures["federated"]> {
  let [users, overwritten] = [0, 0];
  const unchecked = new Set<string>();
  const known = new Map<string, ReadonlySet<string> | undefined>();
  for (const { provider, attributes, users: usersOfProvider } of tallies) {
    users += usersOfProvider;
    if (!known.has(provider)) known.set(provider, await providerAttributes(provider, signal));
    const given = known.get(provider);
    if (given === undefined) unchecked.add(provider);
    else if (attributes.some((name) => given.has(name))) overwritten += usersOfProvider;
  }
  return { users, overwritten, unchecked: [...unchecked] };
}
