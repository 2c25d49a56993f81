/**
 * Of changes that name their person by an address or a number: each write reached somebody who bore it, and nothing that
 * was put is lost.
 */
import { ordinalOf as ordinalOfVersion } from "../../src/core/version.ts";
import type { AccountSeed } from "./accounts.ts";
import { bearersOf, type Bearers, type Bearing } from "./bearers.ts";
import { HELD_UP_MS, wasWrittenLate } from "./evidence.ts";
import { BELIEVED_MS, isOlder, type LoggedWrite, type Name, type SentChange } from "./model.ts";
import { LIST_LAG_MS } from "./named.ts";
import { LEASE_MS } from "./run-settings.ts";
import { verdict, type Standing, type Verdict } from "./verdict.ts";

/** What is known of them besides. */
export interface NamedFacts {
  /** Those whom the pool began with. */
  readonly seeds: readonly AccountSeed[];
  /** How often users were looked for in the list, whoever they were. */
  readonly looks: number;
  /** Single changes that were refused, because nobody had the name, or several. */
  readonly refused: number;
}

/** For so long a process may go by what it was told of a name. */
export const ASKED_WITHIN_MS = 60_000;
/**
 * The journal does not say when a call was begun. It ends with the lease of its claim, and is applied before that; where
 * its caller had gone, or was suspended in it, up to so much later: see the faults of plan.ts.
 */
const LONGEST_CALL_MS = LEASE_MS;

export function judgeNames(on: Standing, facts: NamedFacts): readonly Verdict[] {
  const bearers = bearersOf(facts.seeds, on.writes);
  return [judgeRightful(on, bearers, facts), judgeNamedKept(on, bearers)];
}

/**
 * 12: no write reached an account that did not bear the name at some moment between 60 seconds plus the list's lag before
 * its call's begin and its end.
 */
function judgeRightful(on: Standing, bearers: Bearers, { looks, refused }: NamedFacts): Verdict {
  const { model, writes, letters } = on;
  const wrong: string[] = [];
  const judged = { email: 0, phone_number: 0 };
  let inWindow = 0;
  let widestMs = 0;
  for (const write of writes) {
    const { seq, at, username, sub, others = false } = write;
    if (others) continue;
    for (const name of namesOf(on, write)) {
      judged[name.contact] += 1;
      const own = bearers.of(name).filter((bearing) => bearing.sub === sub && bearing.from <= at);
      const last = own.at(-1);
      const sinceMs = last === undefined ? Infinity : Math.max(0, at - last.to);
      const allowedMs = ASKED_WITHIN_MS + LIST_LAG_MS + LONGEST_CALL_MS + (isOnHold(on, write) ? HELD_UP_MS : 0);
      if (sinceMs <= allowedMs) {
        if (sinceMs > 0) inWindow += 1;
        widestMs = Math.max(widestMs, sinceMs);
        continue;
      }
      const when = last === undefined ? "never bore it" : `had not borne it for ${sinceMs} ms`;
      const now = bearers.of(name).find((bearing) => bearing.from <= at && bearing.to > at);
      wrong.push(
        `#${seq} at ${at}, put for ${name.value}, reached ${username} (${sub}), who ${when}; it was ${now?.username ?? "nobody"}'s (${now?.sub ?? "none"})`,
      );
    }
  }
  if (model.changes.values().some(({ name }) => name !== undefined) && judged.email + judged.phone_number === 0)
    wrong.push("no write was for anybody who is named by an address or number");
  const noLongerTheirs = letters.filter(({ reason }) => reason === "no-longer-theirs").length;
  return verdict(
    12,
    "no write reached an account that did not bear the name it was put for",
    {
      writesByAddress: judged.email,
      writesByNumber: judged.phone_number,
      namesPassedOn: bearers.handovers,
      accountsDeleted: bearers.deleted.size,
      looks,
      refusedAtThePut: refused,
      reachedWhoBoreItBefore: inWindow,
      widestWindowMs: widestMs,
      lettersNoLongerTheirs: noLongerTheirs,
    },
    wrong,
  );
}

/** The names that the write's values were put for. */
function namesOf({ model }: Standing, { attributes }: LoggedWrite): readonly Name[] {
  const names = new Map<string, Name>();
  for (const value of Object.values(attributes)) {
    for (const { name } of model.saying(value)) if (name) names.set(`${name.contact} ${name.value}`, name);
  }
  return [...names.values()];
}

/** True where the caller had gone, or a late settle tells of one of the write's own values. */
function isOnHold({ model, evidence, userKeys }: Standing, { seq, at, username, attributes }: LoggedWrite): boolean {
  if (evidence.unheard.has(seq)) return true;
  const user = userKeys.get(username);
  return Object.entries(attributes).some(([unit, value]) =>
    wasWrittenLate(evidence.lateSettles, { user, unit, said: model.saying(value), at }),
  );
}

/**
 * Nothing acknowledged is lost: its value, or a newer one, was in the pool at somebody who bore the name, or is in a dead
 * letter, or the account was deleted.
 */
function judgeNamedKept({ model, writes, letters, userKeys }: Standing, bearers: Bearers): Verdict {
  const written = new Map<string, { readonly at: number; readonly said: readonly SentChange[] }[]>();
  for (const { at, sub, attributes, others = false } of writes) {
    if (others) continue;
    for (const [attribute, value] of Object.entries(attributes)) {
      const said = model.saying(value);
      if (said.length === 0) continue;
      const key = `${sub} ${attribute}`;
      const list = written.get(key) ?? [];
      list.push({ at, said });
      written.set(key, list);
    }
  }
  const inOrder = letters.toSorted((a, b) => (a.version < b.version ? -1 : 1));
  const dead = new Map(inOrder.map((letter) => [`${letter.user} ${letter.unit}`, letter.version]));
  const wrong: string[] = [];
  const counts = { there: 0, dead: 0, deleted: 0, maybeLost: 0, gaveWayTwice: 0 };

  function became(
    change: SentChange,
    attribute: string,
    bearings: readonly Bearing[],
  ): keyof typeof counts | undefined {
    const since = change.sentAt - BELIEVED_MS;
    // What was written before it was put stands for it only where it says the same: then it is believed.
    const isSame = (one: SentChange): boolean => (one.says ?? one.id) === (change.says ?? change.id);
    // So it does for a newer change that says it again, which came before this one and made it stale, or while it waited.
    const hadCome = (one: SentChange): boolean =>
      one.id !== change.id && one.sentAt <= (change.ackedAt ?? 0) + BELIEVED_MS;
    const isKept = (one: SentChange, at: number): boolean =>
      !isOlder(one, change) && (at >= change.sentAt || isSame(one) || hadCome(one));
    for (const { sub } of bearings) {
      const list = written.get(`${sub} ${attribute}`) ?? [];
      if (list.some(({ at, said }) => at >= since && said.some((one) => isKept(one, at)))) return "there";
    }
    for (const { username } of bearings) {
      const version = dead.get(`${userKeys.get(username)} ${attribute}`);
      if (version === undefined) continue;
      if (change.ordinal === undefined || ordinalOfVersion(version) >= change.ordinal) return "dead";
    }
    return bearings.some(({ sub }) => bearers.deleted.has(sub)) ? "deleted" : undefined;
  }

  for (const change of model.changes.values()) {
    const { name, id, sentAt, ackedAt } = change;
    if (!name || ackedAt === undefined || model.isForgone(change)) continue;
    const askedFrom = sentAt - ASKED_WITHIN_MS - LIST_LAG_MS;
    const bearings = bearers.of(name).filter(({ from, to }) => to >= askedFrom && from <= ackedAt);
    for (const attribute of change.attributes) {
      const twice = model.gaveWayTwice(change, attribute) ? "gaveWayTwice" : undefined;
      const is = model.mayBeLost(change) ? "maybeLost" : (became(change, attribute, bearings) ?? twice);
      if (is !== undefined) counts[is] += 1;
      else
        wrong.push(
          `${id} for ${name.value}, put ${sentAt}-${ackedAt}: its ${attribute} never came to ${bearings.map(({ username }) => username).join(" or ")}`,
        );
    }
  }
  return verdict(12, "nothing put by a name is lost", counts, wrong);
}
