/**
 * How many people events may change within a while before somebody looks. Events come one by one, so that there is no
 * whole which guards could look at before the first write: what they look at is who was changed lately. People count whose
 * value would change by the ledger; whoever is not known to it counts, and nobody is asked. So what is said again costs
 * nothing.
 *
 * Entries are admitted in their order. From the first that is not, all others wait until somebody has decided.
 */
import { counted } from "./amounts.ts";
import { MANY_VALUES, type FloodLimits } from "./guards.ts";
import { isOlder } from "./ledger.ts";
import { isOfFormer, type Ledger } from "./mailbox.ts";

/** Digests: of the value that is given, and of the one that poolsync wrote before, blank where it does not know. */
type Given = readonly [value: string, before: string];

/** What a person is given that is another value by the ledger. */
export interface ChangedPerson {
  readonly user: string;
  readonly given: Readonly<Record<string, Given>>;
}

/** Who was changed lately, by user key. */
export type FloodWindow = Readonly<Record<string, Pick<ChangedPerson, "given"> & { readonly at: number }>>;

/** What more would be than the guard lets through. */
export type FloodReached =
  | { readonly guard: "people"; readonly limit: number; readonly count: number }
  | {
      readonly guard: "sameValue";
      readonly attribute: string;
      readonly limit: number;
      readonly count: number;
      /** How many different ones it replaces; one that is not known counts as another. */
      readonly values: number;
    };

/** What a value replaces by the ledger, blank where that is not known; undefined where it changes nothing. */
export function replacedBy(
  ledger: Ledger,
  unit: {
    readonly name: string;
    readonly digest: string;
    readonly version: string;
    readonly account?: string | undefined;
  },
): string | undefined {
  const { name, digest, account } = unit;
  const entry = Object.hasOwn(ledger, name) ? ledger[name] : undefined;
  // What an account had that another one has replaced is no newer value of this one.
  if (entry !== undefined && account !== undefined && isOfFormer(entry, account)) return "";
  if (isOlder(ledger, name, unit)) return undefined;
  if (entry === undefined) return "";
  return entry.digest !== "" && entry.digest === digest ? undefined : entry.digest;
}

/** How many entries, from the first, are let through, and who was changed lately with them. */
export function admit(
  window: FloodWindow,
  entries: readonly (readonly ChangedPerson[])[],
  limits: FloodLimits,
  nowMs: number,
): { readonly window: FloodWindow; readonly admitted: number; readonly reached?: FloodReached } {
  const people = new Map(Object.entries(window).filter(([, { at }]) => at > nowMs - limits.withinMs));
  const counts = new Map<string, number>();
  const tally = ({ given }: Pick<ChangedPerson, "given">, by: number): void => {
    for (const [name, [value]] of Object.entries(given)) {
      const key = keyOf(name, value);
      counts.set(key, (counts.get(key) ?? 0) + by);
    }
  };
  for (const person of people.values()) tally(person, 1);
  for (const [admitted, entry] of entries.entries()) {
    const before = new Map(entry.map(({ user }) => [user, people.get(user)]));
    for (const { user, given } of entry) {
      const known = people.get(user);
      if (known) tally(known, -1);
      const person = { at: nowMs, given: { ...known?.given, ...given } };
      people.set(user, person);
      tally(person, 1);
    }
    const reached = reachedBy(people, counts, entry, limits);
    if (reached === undefined) continue;
    for (const [user, known] of before) {
      if (known) people.set(user, known);
      else people.delete(user);
    }
    return { window: Object.fromEntries(people), admitted, reached };
  }
  return { window: Object.fromEntries(people), admitted: entries.length };
}

function keyOf(name: string, value: string): string {
  return `${name}\0${value}`;
}

function reachedBy(
  people: ReadonlyMap<string, Pick<ChangedPerson, "given">>,
  counts: ReadonlyMap<string, number>,
  entry: readonly ChangedPerson[],
  { people: most, sameValue }: FloodLimits,
): FloodReached | undefined {
  // It changes nobody.
  if (entry.length === 0) return undefined;
  if (people.size > most) return { guard: "people", limit: most, count: people.size };
  if (sameValue === undefined) return undefined;
  for (const { given } of entry) {
    for (const [attribute, [value]] of Object.entries(given)) {
      const count = counts.get(keyOf(attribute, value)) ?? 0;
      if (count <= sameValue) continue;
      const values = replacedValues(people, attribute, value);
      if (values >= MANY_VALUES) return { guard: "sameValue", attribute, limit: sameValue, count, values };
    }
  }
  return undefined;
}

/** How many different values this one replaces. */
function replacedValues(
  people: ReadonlyMap<string, Pick<ChangedPerson, "given">>,
  attribute: string,
  value: string,
): number {
  const known = new Set<string>();
  let unknown = 0;
  for (const { given } of people.values()) {
    const [is, before] = given[attribute] ?? [];
    if (is !== value || before === undefined) continue;
    if (before === "") unknown += 1;
    else known.add(before);
  }
  return known.size + unknown;
}

/** What of it people are told. */
export function floodSentence(reached: FloodReached, within: string): string {
  const { limit, count } = reached;
  const lets = `the guard lets ${counted(limit, "person", "people")} through`;
  if (reached.guard === "people") {
    return `Events would change ${counted(count, "person", "people")} within ${within}, and ${lets}.`;
  }
  const { attribute, values } = reached;
  return `Events would give ${counted(count, "person", "people")} the same \`${attribute}\` within ${within}, in place of ${counted(values, "other value")}, and ${lets}.`;
}
