/**
 * Names that are about to pass from one person to another. The sender of "ana's address is another one; hers is bob's now;
 * whoever has it is called Bob" means bob, while the pool shows ana until the changes before are made. So a change waits for
 * older ones of the name that names its person: of those that come with it, those of its feed that are to be drained yet, and
 * those that wait or are under way for whoever has the name.
 */
import { canonicalAlias, isAliasAttribute } from "../../core/alias-claims.ts";
import type { Change } from "../../core/change.ts";
import type { QueuedUnit } from "../../core/mailbox.ts";
import type { PersonName } from "../../core/person.ts";
import { runGate } from "../../core/gate.ts";
import { questionsOf } from "../../core/identifier.ts";
import { canonicalUsername } from "../../core/pool-schema.ts";
import { flagOf, type Unit } from "../../core/unit.ts";
import { ordinalOf, ordinalText } from "../../core/version.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Mapping } from "../../feeds/mapping.ts";
import type { Asked } from "./record-names.ts";

interface PassingDeps {
  readonly engine: Pick<Engine, "store" | "keyring">;
  readonly pool: Pick<Pool, "profile">;
}

/** Longer than a change takes until the list of users shows it. */
const LIST_LAG_MS = 10_000;
const OF_RUNS = runGate("");
/** How long a change waits before it is asked again whom it means: half as long as its event has, within these. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** When an event that came at `arrivedAt` is looked at again (both epoch ms). */
export function passedAt(arrivedAt: number, nowMs: number): number {
  return nowMs + Math.min(Math.max(Math.round((nowMs - arrivedAt) / 2), SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
}

/** Of a page, in its order. */
export interface AskedName {
  /** With the name as it is written where nobody has it; else the username is canonical, and the person is there. */
  readonly change: Change;
  /** By what nobody was found; absent where somebody was. */
  readonly nobody?: readonly string[];
}

/** Of an event that is to be drained yet. */
export interface OlderChange extends Pick<Asked, "named"> {
  /** With the name as it is written, and with its arrival. */
  readonly change: Change;
}

export interface OlderChanges {
  readonly changes: readonly OlderChange[];
  /** True where there may be more of them, that say this attribute or its flag. */
  readonly mayHaveMore: (attribute: string) => boolean;
}

/** What of their feed arrived before, and is to be drained yet. */
export type OlderThan = (arrival: number) => Promise<OlderChanges>;

type Name = Pick<PersonName, "attribute" | "value">;

/** Which of these have to wait. */
export async function arePassing(
  deps: PassingDeps,
  asked: readonly AskedName[],
  olderThan: OlderThan,
): Promise<readonly boolean[]> {
  const named = asked.filter((one) => namesIn(one).length > 0);
  if (named.length === 0) return asked.map(() => false);
  // Before it is looked what waits for people: what is put meanwhile is seen there.
  const { changes, mayHaveMore } = await olderThan(Math.max(...named.map(({ change: { arrival = 0 } }) => arrival)));
  const moves = movesOf(deps, changes, new Set(named.flatMap(namesIn).map(({ attribute }) => attribute)));
  const inStore = await Promise.all(
    asked.map(async ({ change, nobody }) => nobody === undefined && (await isPassingInStore(deps, change))),
  );
  /** By attribute. */
  const before = new Map<string, { readonly change: Change; readonly unit: Unit }[]>();
  return asked.map((one, index) => {
    const { change, nobody } = one;
    const names = namesIn(one);
    const isHere = names.some((name) =>
      [name.attribute, flagOf(name.attribute) ?? ""]
        .flatMap((unit) => before.get(unit) ?? [])
        .some((other) => isOlder(other.change, change) && movesName(deps, other, name, change)),
    );
    // What waits itself will be made as well.
    for (const unit of nobody === undefined ? change.units : []) {
      const ofIts = before.get(unit.name) ?? [];
      ofIts.push({ change, unit });
      before.set(unit.name, ofIts);
    }
    return (
      inStore[index] === true ||
      isHere ||
      names.some((name) => mayHaveMore(name.attribute) || mayMove(deps, moves, name, one))
    );
  });
}

function namesIn({ change: { username, person }, nobody }: AskedName): readonly Name[] {
  return nobody?.map((attribute) => ({ attribute, value: username })) ?? (person?.name ? [person.name] : []);
}

interface Moves {
  /** By attribute and value. */
  readonly gives: ReadonlyMap<string, readonly Change[]>;
  /** By attribute, and by what it says of whose it is. */
  readonly takes: ReadonlyMap<string, readonly { readonly change: Change; readonly unit: Unit }[]>;
}

/** What older changes say of names by these attributes: looked up for each name of a page, and there may be thousands. */
function movesOf(deps: PassingDeps, older: readonly OlderChange[], attributes: ReadonlySet<string>): Moves {
  const gives = new Map<string, Change[]>();
  const takes = new Map<string, { readonly change: Change; readonly unit: Unit }[]>();
  const add = <Item>(to: Map<string, Item[]>, key: string, item: Item): void => {
    const list = to.get(key) ?? [];
    list.push(item);
    to.set(key, list);
  };
  for (const one of older) {
    const { change } = one;
    for (const attribute of attributes) {
      for (const unit of change.units) {
        const { name, value } = unit;
        if (name !== attribute && name !== flagOf(attribute)) continue;
        if (name === attribute && value.kind === "text") add(gives, valueKey(deps, attribute, value.text), change);
        for (const who of whoseOf(deps, one, attribute)) add(takes, `${attribute} ${who}`, { change, unit });
      }
    }
  }
  return { gives, takes };
}

/** Of whom an older change is nobody has asked yet: where the text does not tell, it is of whoever has the name. */
function whoseOf(deps: PassingDeps, { change, named }: OlderChange, attribute: string): readonly string[] {
  const text = change.username;
  const asked = namesAsked(deps, named, text);
  return [
    `sub ${text}`,
    `user ${canonicalUsername(deps.pool.profile, text)}`,
    ...(asked.includes(attribute) ? [`value ${valueKey(deps, attribute, text)}`] : []),
    ...(asked.some((one) => one !== attribute) ? ["anybody"] : []),
  ];
}

function mayMove(
  deps: PassingDeps,
  { gives, takes }: Moves,
  { attribute, value }: Name,
  { change, nobody }: AskedName,
): boolean {
  const isBefore = (one: Change): boolean => (one.arrival ?? 0) < (change.arrival ?? 0) && isOlder(one, change);
  const key = valueKey(deps, attribute, value);
  if (gives.get(key)?.some(isBefore) === true) return true;
  if (nobody !== undefined) return false;
  const { username, person } = change;
  return [`sub ${person?.account?.sub}`, `user ${username}`, `value ${key}`, "anybody"].some((who) =>
    takes
      .get(`${attribute} ${who}`)
      ?.some(({ change: one, unit }) => isBefore(one) && takesAway(deps, unit, { attribute, value })),
  );
}

/** One key for one name, however it is spelled. */
function valueKey({ pool: { profile } }: PassingDeps, attribute: string, value: string): string {
  const said = isAliasAttribute(attribute) ? canonicalAlias(profile, { attribute, value }) : value;
  return `${attribute} ${said.normalize("NFC")}`;
}

/** By which attributes a text was asked for that named nobody. */
export function namesAsked(
  { pool: { profile } }: Pick<PassingDeps, "pool">,
  { match, identifier }: Pick<Mapping, "match" | "identifier">,
  text: string,
): readonly string[] {
  return match === undefined ? questionsOf(profile, text, identifier).filter(isAliasAttribute) : [match];
}

/** Of what says no time it is not known, and taken for older than all that comes behind it. */
function isOlder(one: Pick<Change, "version">, than: Pick<Change, "version">): boolean {
  if (one.version === undefined || than.version === undefined) return true;
  return ordinalText(one.version) <= ordinalText(than.version);
}

function movesName(
  deps: PassingDeps,
  { change, unit }: { readonly change: Change; readonly unit: Unit },
  name: Name,
  { username }: Change,
): boolean {
  return change.username === username ? takesAway(deps, unit, name) : givesTo(deps, unit, name);
}

function givesTo(deps: PassingDeps, { name: unit, value }: Unit, name: Name): boolean {
  const { attribute } = name;
  if (unit !== attribute || value.kind !== "text") return false;
  return valueKey(deps, attribute, value.text) === valueKey(deps, attribute, name.value);
}

/** An address or number that is not verified signs nobody in, where it is an alias. */
function takesAway(deps: PassingDeps, unit: Unit, name: Name): boolean {
  const { value } = unit;
  const isAlias = deps.pool.profile.aliasAttributes.includes(name.attribute);
  if (unit.name === name.attribute) {
    return !givesTo(deps, unit, name) || (isAlias && value.kind === "text" && value.verified === "ask");
  }
  return isAlias && value.kind === "as-is" && !value.verified;
}

async function isPassingInStore(
  { engine: { store, keyring }, pool: { profile } }: PassingDeps,
  { username, person, version }: Change,
): Promise<boolean> {
  if (person?.name === undefined) return false;
  const { attribute, value: text, askedAt } = person.name;
  const { mailbox, ledger } = await store.mailboxes.read(keyring.userKey(profile.id, username));
  const { pending = {}, claim, abandonedCalls = {}, unresolvedCalls = {} } = mailbox ?? {};
  const stays = (unit: string, values: readonly Unit["value"][]): boolean => {
    const digests = new Set(values.map((value) => keyring.valueDigest(unit, value)));
    const waits = [pending[unit], ...(pending[unit]?.replaced ?? [])].filter((one) => one !== undefined);
    const written = ledger[unit];
    // What somebody may refuse yet is no change that is about to be made.
    const open: (Pick<QueuedUnit, "version" | "digest"> | undefined)[] = [
      claim?.units[unit],
      ...waits.filter(({ gate }) => gate?.startsWith(OF_RUNS) !== true),
    ];
    // The list of users shows what was written a little later.
    if (unit === attribute && (written?.at ?? 0) >= askedAt - LIST_LAG_MS) open.push(written);
    const isNewer = (one: string): boolean => version !== undefined && ordinalOf(one) > ordinalText(version);
    return (
      open.every((one) => one === undefined || digests.has(one.digest) || isNewer(one.version)) &&
      abandonedCalls[unit] === undefined &&
      unresolvedCalls[unit] === undefined
    );
  };
  const same: readonly Unit["value"][] = [
    { kind: "text", text },
    { kind: "text", text, verified: "mark" },
    { kind: "text", text, verified: "keep" },
  ];
  const flag = profile.aliasAttributes.includes(attribute) ? flagOf(attribute) : undefined;
  if (!stays(attribute, same)) return true;
  return flag !== undefined && !stays(flag, [{ kind: "as-is", verified: true }]);
}
