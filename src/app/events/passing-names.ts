/**
 * Names that are about to pass from one person to another. The sender of "ana's address is another one; hers is bob's now;
 * whoever has it is called Bob" means bob, while the pool shows ana until the changes before are made. So a change waits for
 * older ones of the name that names its person: of those that come with it, and those that wait or are under way for whoever
 * has the name. Who else is to get it is not seen where that did not come with it.
 */
import { canonicalAlias, isAliasAttribute } from "../../core/alias-claims.ts";
import type { Change } from "../../core/change.ts";
import type { PersonName } from "../../core/person.ts";
import { flagOf, type Unit } from "../../core/unit.ts";
import { ordinalOf, ordinalText } from "../../core/version.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pool } from "../../delivery/pool.ts";

interface PassingDeps {
  readonly engine: Pick<Engine, "store" | "keyring">;
  readonly pool: Pick<Pool, "profile">;
}

/** How long a change waits before it is asked again whom it means: half as long as its event has, within these. */
const SHORTEST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** When an event that came at `arrivedAt` is looked at again (both epoch ms). */
export function passedAt(arrivedAt: number, nowMs: number): number {
  return nowMs + Math.min(Math.max(Math.round((nowMs - arrivedAt) / 2), SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
}

/** Which of these changes have to wait; they are of a page, in its order. Their usernames are canonical. */
export async function arePassing(deps: PassingDeps, changes: readonly Change[]): Promise<readonly boolean[]> {
  const inStore = await Promise.all(changes.map((change) => isPassingInStore(deps, change)));
  const before = new Map<string, { readonly change: Change; readonly unit: Unit }[]>();
  return changes.map((change, index) => {
    const name = change.person?.name;
    const isHere = [name?.attribute, flagOf(name?.attribute ?? "")]
      .flatMap((unit) => before.get(unit ?? "") ?? [])
      .some((one) => name !== undefined && isOlder(one.change, change) && movesName(deps, one, name, change));
    const isPassing = inStore[index] === true || isHere;
    // What waits says nothing yet.
    if (isPassing) return true;
    for (const unit of change.units) before.set(unit.name, [...(before.get(unit.name) ?? []), { change, unit }]);
    return false;
  });
}

/** Of what says no time it is not known, and taken for older than all that comes behind it. */
function isOlder(one: Pick<Change, "version">, than: Pick<Change, "version">): boolean {
  if (one.version === undefined || than.version === undefined) return true;
  return ordinalText(one.version) <= ordinalText(than.version);
}

function movesName(
  deps: PassingDeps,
  { change, unit }: { readonly change: Change; readonly unit: Unit },
  name: PersonName,
  { username }: Change,
): boolean {
  return change.username === username ? takesAway(deps, unit, name) : givesTo(deps, unit, name);
}

function givesTo({ pool: { profile } }: PassingDeps, { name, value }: Unit, { attribute, value: wanted }: PersonName) {
  if (name !== attribute || value.kind !== "text") return false;
  if (!isAliasAttribute(attribute)) return value.text === wanted;
  const [one, other] = [value.text, wanted].map((text) => canonicalAlias(profile, { attribute, value: text }));
  return one === other;
}

/** An address or number that is not verified signs nobody in, where it is an alias. */
function takesAway(deps: PassingDeps, unit: Unit, name: PersonName): boolean {
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
  const { attribute, value: text } = person.name;
  const { mailbox } = await store.mailboxes.read(keyring.userKey(profile.id, username));
  if (mailbox === undefined) return false;
  const { pending, claim, abandonedCalls, unresolvedCalls } = mailbox;
  const stays = (unit: string, values: readonly Unit["value"][]): boolean => {
    const digests = new Set(values.map((value) => keyring.valueDigest(unit, value)));
    const open = [pending[unit], claim?.units[unit]].filter((one) => one !== undefined);
    const isNewer = (one: string): boolean => version !== undefined && ordinalOf(one) > ordinalText(version);
    return (
      open.every((one) => digests.has(one.digest) || isNewer(one.version)) &&
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
