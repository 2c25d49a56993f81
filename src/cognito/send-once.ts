/**
 * One user's change in one call, with no engine: no order, no queue and no books. The user's e-mail address and phone
 * number are looked up first, as in a delivery.
 */
import { contactsIn } from "../core/comparison.ts";
import { contactsAfter, type Attribute, type Contacts } from "../core/contact.ts";
import { inCalls, planUnit } from "../core/payload.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Person } from "../core/person.ts";
import { isPlain, type Unit } from "../core/unit.ts";
import type { QuotaGovernor } from "./quota-governor.ts";
import { recordCalls, callRefusal, type Calls, type CallRefusal } from "./recorded-calls.ts";
import { retryRead, type Reads } from "./read-retry.ts";
import { createSubProbe } from "./sub-probe.ts";

export interface SendDeps extends Calls {
  readonly profile: PoolProfile;
  readonly updates: QuotaGovernor;
  readonly callMs: number;
  readonly reads: Reads;
  /** Goes with every call. */
  readonly clientMetadata?: Readonly<Record<string, string>> | undefined;
}

export type Sent =
  | { readonly ok: true; readonly outcomes: ReadonlyMap<string, "applied" | "unchanged"> }
  | { readonly ok: false; readonly refusal: CallRefusal }
  /** No call could be made for this unit. */
  | { readonly ok: false; readonly unit: string; readonly kind: string; readonly reason: string };

/** The user that the change is for. Without an account it is the user who has the username at the call. */
export interface Whom {
  /** Canonical. */
  readonly username: string;
  readonly person: Person;
}

/** Sends units that have passed `checkUnit`. A flag that stands alone is sent after the values, in a call of its own. */
export async function sendOnce(
  deps: SendDeps,
  { username, person }: Whom,
  units: readonly Unit[],
  signal: AbortSignal,
): Promise<Sent> {
  const { profile, updates, callMs, reads, clientMetadata } = deps;
  const recorded = recordCalls(deps);
  const subs = createSubProbe(profile.id, deps.directory);
  const outcomes = new Map<string, "applied" | "unchanged">();
  let contacts: Contacts | undefined;
  if (units.some(({ name }) => !isPlain(name))) {
    const ignoresCase = !profile.caseSensitive;
    const { account } = person;
    const name = account === undefined ? { username } : { sub: account.sub };
    const read = await retryRead({ operation: "ListUsers", pool: profile.id, reads, signal }, (ending) =>
      deps.directory.readUser(profile.id, name, { signal: ending, ignoresCase }),
    );
    if (!read.ok) return refused(callRefusal("ListUsers", read, [username]));
    contacts = contactsIn(read.user);
  }
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const callOptions = clientMetadata === undefined ? {} : { clientMetadata };
  // One change has one version.
  const calls = inCalls(
    [...byName.keys()],
    () => callOptions,
    () => "",
  );
  for (const { names } of calls) {
    const attributes: Attribute[] = [];
    const sent: string[] = [];
    for (const name of names) {
      const unit = byName.get(name);
      if (unit === undefined) continue;
      // Who asks for another spelling of an address gets it, though the pool takes both for the same.
      const plan = planUnit({ caseSensitive: true }, unit, contacts);
      if (plan.do === "bury") return { ok: false, unit: name, kind: plan.kind, reason: plan.reason };
      if (plan.do === "unchanged") outcomes.set(name, "unchanged");
      else {
        attributes.push(...plan.attributes);
        sent.push(name);
      }
    }
    if (attributes.length === 0) continue;
    const slot = await updates.acquire({ priority: 0, signal });
    try {
      const within = {
        signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
        notAfter: performance.now() + callMs,
        ...callOptions,
      };
      const write = () => recorded.writer.write(profile.id, subs.called(username, person), attributes, within);
      let response = await write();
      const sub = person.account?.sub;
      const isNobody =
        !response.ok && response.failure.kind === "user-not-found" && sub === subs.called(username, person);
      if (isNobody && sub !== undefined && (await subs.isInVain(username, sub, within.signal)))
        response = await write();
      if (!response.ok) return refused(recorded.refusal);
    } finally {
      slot.done();
    }
    contacts = contactsAfter(profile, contacts, attributes);
    for (const name of sent) outcomes.set(name, "applied");
  }
  return { ok: true, outcomes };
}

function refused(refusal: CallRefusal | undefined): Sent {
  if (refusal === undefined) throw new Error("Expected the call that was refused to have been heard");
  return { ok: false, refusal };
}
