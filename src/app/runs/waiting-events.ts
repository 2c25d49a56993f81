/** What waits in a run of events that needs an approval, for whoever decides: read from the mailboxes that its gate keeps. */
import { runGate } from "../../core/gate.ts";
import type { FloodReached } from "../../core/flood.ts";
import type { UnitValue } from "../../core/unit.ts";
import type { Engine } from "../../queues/engine.ts";
import { valueOf } from "../../store/keyring.ts";
import type { Run } from "../../store/runs.ts";
import { openBody, openUsername } from "../../store/sealed-unit.ts";
import { floodOfRun } from "../events/flood-gate.ts";

export interface WaitingValue {
  readonly username: string;
  readonly attribute: string;
  readonly value: UnitValue;
}

export interface WaitingAttribute {
  readonly attribute: string;
  readonly people: number;
  /** Those that several are given, the most frequent first. */
  readonly frequent: readonly { readonly value: UnitValue; readonly people: number }[];
}

export interface WaitingEvents {
  /** What the guard met; absent where that is not known any more. */
  readonly met?: { readonly reached: FloodReached; readonly withinMs: number } | undefined;
  readonly people: number;
  readonly values: number;
  /** How many of the people were looked at, for what follows. */
  readonly looked: number;
  readonly attributes: readonly WaitingAttribute[];
  readonly examples: readonly WaitingValue[];
}

/** More mailboxes are not read for one who looks. */
const MOST_LOOKED = 1_000;
const READ_AT_ONCE = 50;
const EXAMPLES = 10;
const FREQUENT = 3;

export async function readWaitingEvents(
  { store, keyring }: Pick<Engine, "store" | "keyring">,
  run: Pick<Run, "id" | "feed" | "pool">,
): Promise<WaitingEvents> {
  const gate = runGate(run.id);
  const users = await store.gates.keptUsers(gate, MOST_LOOKED);
  const found: WaitingValue[] = [];
  for (let from = 0; from < users.length; from += READ_AT_ONCE) {
    const page = users.slice(from, from + READ_AT_ONCE);
    found.push(...(await Promise.all(page.map((user) => valuesOf(user)))).flat());
  }
  const people = Math.max(users.length, await store.gates.kept(gate));
  const { pending: values } = await store.runs.books(run.id);
  const [met, attributes] = [await floodOfRun(store, run), attributesOf(found)];
  return { met, people, values, looked: users.length, attributes, examples: found.slice(0, EXAMPLES) };

  async function valuesOf(user: string): Promise<WaitingValue[]> {
    const { mailbox } = await store.mailboxes.read(user);
    if (mailbox === undefined) return [];
    const at = { pool: mailbox.pool, user };
    const username = openUsername(keyring, at, mailbox.username);
    return Object.entries(mailbox.pending).flatMap(([attribute, unit]): WaitingValue[] => {
      if (unit.run !== run.id || username === undefined) return [];
      const body = openBody(keyring, { ...at, unit: attribute, version: unit.version }, unit.body);
      return body === undefined ? [] : [{ username, attribute, value: valueOf(body) }];
    });
  }
}

function attributesOf(values: readonly WaitingValue[]): readonly WaitingAttribute[] {
  return Array.from(
    Map.groupBy(values, ({ attribute }) => attribute),
    ([attribute, theirs]) => {
      const same = [...Map.groupBy(theirs, ({ value }) => JSON.stringify(value)).values()];
      const frequent = same
        .filter(({ length }) => length > 1)
        .toSorted((one, other) => other.length - one.length)
        .slice(0, FREQUENT)
        .flatMap(([first, ...others]) => (first ? [{ value: first.value, people: others.length + 1 }] : []));
      return { attribute, people: theirs.length, frequent };
    },
  ).toSorted((one, other) => (one.attribute < other.attribute ? -1 : 1));
}
