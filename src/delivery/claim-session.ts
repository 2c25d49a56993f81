/**
 * A claim in a worker's hands: which of its units are still open, what has been found out about the others, and how
 * long the lease has to run. The store learns of it only at `settle`, which renews the lease as well.
 */
import type { Buried } from "../core/letter.ts";
import type { QueuedUnit } from "../core/mailbox.ts";
import type { Settlement } from "../core/settlement.ts";
import { ordinalOf } from "../core/version.ts";
import { withoutToken, type Keyring } from "../store/keyring.ts";
import type { ClaimAnswer, Mailboxes } from "../store/mailboxes.ts";
import { openBody, sealBody } from "../store/sealed-unit.ts";

export interface ClaimInHand {
  readonly user: string;
  readonly token: string;
  readonly answer: Extract<ClaimAnswer, { is: "claimed" }>;
  /** The runs whose changes were claimed; all, where it is absent. */
  readonly runs?: readonly string[] | undefined;
  /** By performance.now(), from a look at the clock before the claim was asked for: never later than the store's. */
  readonly leaseEndsAt: number;
}

/** What came of it so far. */
export interface ClaimReport {
  readonly letters: readonly Buried[];
  /** Units that were applied. */
  readonly applied: number;
  /** Until the mailbox wants to be looked at again; absent where nothing is left in it. */
  readonly dueInMs?: number;
  /** How urgent what is left in it is. */
  readonly priority?: number;
}

export interface BuriedBy {
  /** The key of the user who has the value. */
  readonly owner?: string | undefined;
  /** True where the last call may yet be applied. */
  readonly fateUnknown?: boolean;
}

export interface ClaimSession {
  /** Names of the units about which nothing is concluded yet. */
  open(): string[];
  claimedUnit(name: string): QueuedUnit;
  /** Of a claimed unit, opened; undefined where it was altered in the store. */
  bodyOf(name: string): string | undefined;
  conclude(name: string, settlement: Settlement): void;
  applied(name: string): void;
  /**
   * `awaiting`: another value is there, and this one was sent and waits until the person confirms it. `account`: the mark
   * of the one that was looked at.
   */
  unchanged(name: string, options?: { readonly awaiting?: boolean; readonly account?: string | undefined }): void;
  bury(name: string, kind: string, reason: string, more?: BuriedBy): void;
  /** Gives units back for later, with nothing counted. */
  defer(names: Iterable<string>, inMs: number): void;
  /** Tells the store what was concluded, and renews the lease. Throws ClaimLost where the claim is somebody else's. */
  settle(): Promise<void>;
  /** True where something was concluded that the store does not know. */
  readonly hasUnreported: boolean;
  /** By performance.now(). */
  readonly leaseEndsAt: number;
  /** What is left of the lease, in ms. */
  leaseLeftMs(): number;
  report(): ClaimReport;
}

/** The lease ended and somebody else took over: leave at once. */
export class ClaimLost extends Error {
  readonly kind = "claim-lost";
}

export function openClaimSession(
  mailboxes: Pick<Mailboxes, "settle">,
  keyring: Pick<Keyring, "letterId" | "open" | "seal">,
  { user, token, answer, ...inHand }: ClaimInHand,
  leaseMs: number,
): ClaimSession {
  const open = new Set(Object.keys(answer.units));
  let leaseEndsAt = inHand.leaseEndsAt;
  let unreported: Record<string, Settlement> = {};
  const letters: Buried[] = [];
  let applied = 0;
  let left: Pick<ClaimReport, "dueInMs" | "priority"> = {};

  const claimedUnit = (name: string): QueuedUnit => {
    const unit = answer.units[name];
    if (!unit) throw new RangeError(`Expected \`${name}\` to be a unit of the claim`);
    return unit;
  };
  const placeOf = (unit: string) => ({ pool: answer.pool, user, unit });
  const bodyOf = (name: string): string | undefined => {
    const { version, body } = claimedUnit(name);
    return openBody(keyring, { ...placeOf(name), version }, body);
  };
  const conclude = (name: string, settlement: Settlement): void => {
    if (!open.delete(name)) throw new RangeError(`Expected \`${name}\` to be open, and it is concluded`);
    unreported[name] = settlement;
  };

  return {
    open: () => [...open],
    claimedUnit,
    bodyOf,
    conclude,
    applied: (name) => conclude(name, { is: "applied", version: claimedUnit(name).version }),
    unchanged(name, { awaiting = false, account } = {}) {
      const { version } = claimedUnit(name);
      const whose = account === undefined ? {} : { account };
      conclude(name, { is: "unchanged", version, ...(awaiting ? { awaiting } : {}), ...whose });
    },
    bury(name, kind, reason, { owner, fateUnknown = false } = {}) {
      const { version, account = "", hasToken } = claimedUnit(name);
      const body = bodyOf(name);
      const tokenless = body === undefined ? undefined : withoutToken(body);
      conclude(name, {
        is: "bury",
        version,
        // A letter of a user's own change has no token, and is not replayed: it takes no other's place.
        letter: keyring.letterId(user, name, kind, reason, account, ...(hasToken ? ["own"] : [])),
        kind,
        reason,
        fateUnknown,
        ...(owner === undefined ? {} : { owner }),
        ...(tokenless === undefined ? {} : { body: sealBody(keyring, placeOf(name), ordinalOf(version), tokenless) }),
      });
    },
    defer(names, inMs) {
      for (const name of names) {
        const { version } = claimedUnit(name);
        conclude(name, { is: "retry", version, at: inMs, counts: "nothing", fateUnknown: false });
      }
    },
    async settle() {
      const settlements = unreported;
      const askedAt = performance.now();
      const response = await mailboxes.settle(user, token, settlements, leaseMs, inHand.runs);
      unreported = {};
      letters.push(...response.letters);
      if (response.late) throw new ClaimLost("The claim was taken over before it was settled");
      applied += Object.values(settlements).filter((settlement) => settlement.is === "applied").length;
      leaseEndsAt = askedAt + leaseMs;
      const { dueInMs, priority } = response;
      left = { ...(dueInMs === undefined ? {} : { dueInMs }), ...(priority === undefined ? {} : { priority }) };
    },
    get hasUnreported() {
      return Object.keys(unreported).length > 0;
    },
    get leaseEndsAt() {
      return leaseEndsAt;
    },
    leaseLeftMs: () => leaseEndsAt - performance.now(),
    report: () => ({ letters, applied, ...left }),
  };
}

/** Gives a claim back unchanged, so that another worker can claim it. A worker that has taken it over keeps it. */
export async function giveBackClaim(...claim: Parameters<typeof openClaimSession>): Promise<void> {
  const session = openClaimSession(...claim);
  session.defer(session.open(), 0);
  try {
    await session.settle();
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
  }
}
