/**
 * The steps of the protocol as commands for fast-check. Each is carried out by a store under test and by the pure
 * rules (support/memory-store.ts), and what both answer and then hold must be the same. A command says itself in one
 * line, so that a shrunken case reads as a story.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { defined } from "../../src/core/defined.ts";
import { MAX_LEAD_MS, ordinalOf, ordinalText } from "../../src/core/version.ts";
import { BELIEVED_MS, COOLDOWN_MS, ABANDONED_CALL_MS, type SendUnless } from "../../src/core/mailbox.ts";
import { accountMark } from "../../src/core/person.ts";
import type { Found } from "../../src/core/put.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import type { Selection, UserUnits } from "../../src/store/mailboxes.ts";
import { buryAgain } from "./bury-steps.ts";
import { gateSteps, releaseBoth } from "./gate-steps.ts";
import {
  CANCELLABLE,
  claimBoth,
  command,
  GATES,
  LEASE_MS,
  passBoth,
  poolOf,
  POOLS,
  RUNS,
  sameDocuments,
  settleBoth,
  UNITS,
  USERS,
  type Command,
  type Model,
  type Real,
  type Unit,
  type User,
} from "./model-step.ts";

interface Wanted {
  readonly user: User;
  readonly unit: Unit;
  readonly word: string;
  /** Of the ordinal, against the store's clock; absent where the source has no clock. */
  readonly atMs: number | undefined;
  /** What a look at the pool found, where somebody looked, and how long ago. */
  readonly look: { readonly found: Found; readonly agoMs: number } | undefined;
  readonly sendUnless: SendUnless | undefined;
}

/** Most of it befalls one user and an address with its flag: that is where the rules are intricate. */
const anyUser = fc.constantFrom<User[]>("ann", "ann", "ann", ...USERS);
const anyUnit = fc.constantFrom<Unit[]>("email", "email", "email_verified", ...UNITS);

const wanted: fc.Arbitrary<Wanted> = fc.record({
  user: anyUser,
  unit: anyUnit,
  word: fc.constantFrom("x", "y"),
  atMs: fc.constantFrom(undefined, 0, 0, -1, -2000, 2000, MAX_LEAD_MS, MAX_LEAD_MS + 1),
  look: fc.option(
    fc.record({
      found: fc.constantFrom<Found[]>("there", "other", "awaiting"),
      agoMs: fc.constantFrom(0, 0, 1, 1000, ABANDONED_CALL_MS),
    }),
    { nil: undefined },
  ),
  sendUnless: fc.constantFrom(undefined, "written", "there"),
});

/** A user is deleted and made anew now and then, and looks find the one or the other account. */
const anyAccount = fc.constantFrom(...Array.from({ length: 12 }, () => undefined), "first", "second", "now");

const sayWanted = ({ user, unit, word, atMs, look, sendUnless }: Wanted) =>
  `${user}.${unit}=${word}${atMs === undefined ? "" : `@${atMs < 0 ? "" : "+"}${atMs}`}${look ? ` (${look.found} ${look.agoMs} ms ago)` : ""}${sendUnless ? ` unless ${sendUnless}` : ""}`;

const put = fc
  .record({
    pool: fc.constantFrom(POOLS[0], ...POOLS),
    run: fc.constantFrom(...RUNS),
    priority: fc.constantFrom(10, 1),
    units: fc.array(wanted, { maxLength: 5 }),
    invalid: fc.nat(1),
    cursor: fc.constantFrom("none" as const, "next" as const, "elsewhere" as const),
    account: anyAccount,
  })
  .chain(({ pool, run, priority, units, invalid, cursor, account }) => {
    const mine = units.filter(({ user }) => poolOf(user) === pool);
    const extras = `${account === undefined ? "" : `, for the ${account} account`}${invalid > 0 ? `, ${invalid} invalid` : ""}${cursor === "none" ? "" : `, cursor ${cursor}`}`;
    const text = `put into ${pool} by ${run} (priority ${priority}): ${mine.map(sayWanted).join(" ")}${extras}`;
    return command(text, async (model, store) => {
      const { nowMs } = model.memory.clock;
      const changes: UserUnits[] = [];
      const madeAt = account === "now" ? nowMs : account === "second" ? 2 : 1;
      const whose = account === undefined ? {} : { account: accountMark(madeAt, account) };
      for (const { user, unit, word, atMs, look, sendUnless } of mine) {
        const ordinal = ordinalText({ timeMs: nowMs + (atMs ?? 0), sequence: 0 });
        const looked = look === undefined ? {} : { look: { at: nowMs - look.agoMs, found: look.found } };
        const asked = sendUnless === undefined ? {} : { sendUnless };
        const said = { ...looked, ...asked, name: unit, digest: word, body: `p:{"text":"é\\"/${word}\\u0000"}` };
        const one = atMs === undefined ? said : { ...said, ordinal };
        const last = changes.at(-1);
        if (last?.user === user) changes.splice(-1, 1, { ...last, units: [...last.units, one] });
        else changes.push({ user, username: `p:${user}`, ...whose, units: [one] });
      }
      const from = model.cursors.get(run) ?? "";
      const to = `${from}+`;
      const page = {
        pool,
        run,
        priority,
        changes,
        invalid,
        rows: { read: 1, faulty: 0 },
        ...(cursor === "none" ? {} : { cursor: { from: cursor === "next" ? from : "elsewhere", to } }),
      };
      if ((await model.memory.store.runs.get(run))?.state === "cancelled") {
        const refused = { kind: "run-cancelled" };
        await assert.rejects(model.memory.store.mailboxes.put(page), refused);
        await assert.rejects(store.mailboxes.put(page), refused);
        return;
      }
      const answer = await model.memory.store.mailboxes.put(page);
      assert.deepEqual(await store.mailboxes.put(page), answer);
      if (run === CANCELLABLE) for (const { user, unit } of mine) model.cancellable.add(`${user} ${unit}`);
      model.cursors.set(run, answer.cursor);
      // What was known of a former account, and waited for it, is void.
      for (const { user } of account ? mine : []) for (const unit of UNITS) model.buried.add(`${user} ${unit}`);
      for (const { user, unit, atMs = 0 } of answer.accepted ? mine : []) {
        if (atMs > MAX_LEAD_MS) continue;
        const ordinal = ordinalText({ timeMs: nowMs + atMs, sequence: 0 });
        const key = `${user} ${unit}`;
        if (ordinal > (model.newest.get(key)?.ordinal ?? "")) model.newest.set(key, { user, unit, ordinal });
      }
      await sameDocuments(
        model,
        store,
        mine.map(({ user }) => user),
      );
    });
  });

const anySelection = fc.constantFrom<Selection[]>(
  {},
  {},
  {},
  { runs: [RUNS[0]] },
  { runs: [RUNS[1]] },
  { runs: [RUNS[0]], despitePause: ["name", "email", "email_verified"] },
);

const claim = fc
  .record({ user: anyUser, leaseMs: fc.constantFrom(LEASE_MS, 1), selection: anySelection })
  .chain((wantedClaim) =>
    command(
      `claim ${wantedClaim.user} for ${wantedClaim.leaseMs} ms ${JSON.stringify(wantedClaim.selection)}`,
      async (model, store, real) => {
        await claimBoth(model, store, real, wantedClaim);
      },
    ),
  );

/** What is on its way to a user, or in flight, is put once more: equal values of the same times, by the other run. */
const putAgain = fc.record({ user: anyUser, inFlight: fc.boolean() }).chain(({ user, inFlight }) =>
  command(`${inFlight ? "claim all of" : "leave"} ${user}, and put it again`, async (model, store, real) => {
    if (inFlight) await claimBoth(model, store, real, { user, leaseMs: LEASE_MS, selection: {} });
    const { mailboxes, runs } = model.memory.store;
    const { mailbox } = await mailboxes.read(user);
    const open = Object.entries({ ...mailbox?.claim?.units, ...mailbox?.pending });
    const run = RUNS.find((one) => one !== open[0]?.[1].run) ?? RUNS[0];
    if (!mailbox || open.length === 0 || (await runs.get(run))?.state === "cancelled") return;
    const units = open.map(([name, { digest, body, version }]) => {
      return { name, digest, body, ordinal: ordinalOf(version) };
    });
    const account = open[0]?.[1].account;
    const changes = [{ user, username: mailbox.username, units, ...defined({ account }) }];
    const page = { pool: mailbox.pool, run, priority: 10, changes, invalid: 0, rows: { read: 1, faulty: 0 } };
    assert.deepEqual(await store.mailboxes.put(page), await mailboxes.put(page));
    if (run === CANCELLABLE) for (const [unit] of open) model.cancellable.add(`${user} ${unit}`);
    if (account !== undefined) for (const unit of UNITS) model.buried.add(`${user} ${unit}`);
    await sameDocuments(model, store, [user]);
  }),
);

type Fate =
  | {
      readonly is:
        | "applied"
        | "unchanged"
        | "seen at the second account"
        | "awaiting"
        | "left"
        | "applied as an older version";
    }
  | {
      readonly is: "retry";
      readonly inMs: number;
      readonly counts: "attempt" | "fault" | "nothing";
      readonly unknown: boolean;
    }
  | { readonly is: "bury"; readonly unknown: boolean };

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ is: "applied" as const }) },
  { weight: 1, arbitrary: fc.constant({ is: "unchanged" as const }) },
  { weight: 1, arbitrary: fc.constant({ is: "seen at the second account" as const }) },
  { weight: 1, arbitrary: fc.constant({ is: "awaiting" as const }) },
  { weight: 1, arbitrary: fc.constant({ is: "left" as const }) },
  { weight: 1, arbitrary: fc.constant({ is: "applied as an older version" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      is: fc.constant("retry" as const),
      inMs: fc.constantFrom(0, 700, 20_000),
      counts: fc.constantFrom("attempt" as const, "fault" as const, "nothing" as const),
      unknown: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ is: fc.constant("bury" as const), unknown: fc.boolean() }) },
);

function sayFate(one: Fate): string {
  if (one.is === "retry") return `retry in ${one.inMs} (${one.counts}${one.unknown ? ", fate unknown" : ""})`;
  return one.is === "bury" && one.unknown ? "bury (fate unknown)" : one.is;
}

function settlementOf(one: Fate, version: string, letter: string): Settlement | undefined {
  switch (one.is) {
    case "left":
      return undefined;
    case "applied":
    case "unchanged":
      return { is: one.is, version };
    case "seen at the second account":
      return { is: "unchanged", version, account: accountMark(2, "second") };
    case "awaiting":
      return { is: "unchanged", version, awaiting: true };
    case "applied as an older version":
      return { is: "applied", version: version.replace(/^0017/, "0016") };
    case "retry":
      return { is: "retry", version, at: one.inMs, counts: one.counts, fateUnknown: one.unknown };
    case "bury":
      return { is: "bury", version, letter, kind: "gave-up", reason: "Because", fateUnknown: one.unknown };
  }
}

/** The flight counted from the youngest; a worker that lost its claim long ago may still come back. */
const flightAt = (model: Model, back: number) => model.flights[model.flights.length - 1 - back];

const settle = fc
  .record({
    back: fc.constantFrom(0, 0, 1, 2),
    fates: fc.array(fate, { minLength: 1, maxLength: UNITS.length }),
    runs: fc.constantFrom(undefined, undefined, [RUNS[0]]),
  })
  .chain(({ back, fates, runs }) =>
    command(`settle claim ${back} back: ${fates.map(sayFate).join(", ")}`, async (model, store) => {
      const flight = flightAt(model, back);
      if (!flight) return;
      const chosen = Object.entries(flight.units).flatMap(([unit, { version, account = "" }], index) => {
        const one = fates[index % fates.length];
        const letter = `${flight.user}.${unit}.${account}`;
        const settlement = one && settlementOf(one, version, letter);
        return settlement ? [[unit, settlement] as const] : [];
      });
      await settleBoth(model, store, flight, Object.fromEntries(chosen), runs);
    }),
  );

/** Its lease ends, as it does when the process is killed; or suspended, and comes back to settle too late. */
const loseWorker = fc
  .record({ back: fc.constantFrom(0, 0, 1, 2), comesBack: fc.boolean() })
  .chain(({ back, comesBack }) =>
    command(
      `lose the worker of claim ${back} back${comesBack ? " until it comes back" : ""}`,
      async (model, _store, real) => {
        const flight = flightAt(model, back);
        if (!flight) return;
        await passBoth(model, real, LEASE_MS);
        if (!comesBack) model.flights = model.flights.filter((other) => other !== flight);
      },
    ),
  );

const pass = fc
  .constantFrom(1, 700, LEASE_MS, COOLDOWN_MS, ABANDONED_CALL_MS, BELIEVED_MS)
  .chain((ms) => command(`${ms} ms pass`, (model, _store, real) => passBoth(model, real, ms)));

/** Which letters, the youngest first; always one among them that is nobody's. */
const choice = fc.array(fc.nat(3), { minLength: 1, maxLength: 3 });
const idsAt = (model: Model, backs: readonly number[]) => [
  ...new Set(backs.flatMap((back) => model.letters[model.letters.length - 1 - back] ?? [])),
  "nobody's letter",
];

const replay = choice.chain((backs) =>
  command(`replay letters ${backs.join(", ")} back`, async (model, store) => {
    const ids = idsAt(model, backs);
    const answer = await model.memory.store.mailboxes.replay(ids, 5);
    assert.deepEqual(await store.mailboxes.replay(ids, 5), answer);
    await sameDocuments(model, store, USERS);
  }),
);

const discard = choice.chain((backs) =>
  command(`discard letters ${backs.join(", ")} back`, async (model, store) => {
    const ids = idsAt(model, backs);
    assert.equal(await store.letters.discard(ids), await model.memory.store.letters.discard(ids));
  }),
);

/** Now and then one run is cancelled: it stays so, and nothing more is put into it. */
const cancel = command(`cancel ${CANCELLABLE}`, async (model, store) => {
  const open = ["reading", "delivering"] as const;
  const said = await model.memory.store.runs.transition(CANCELLABLE, open, "cancelled");
  assert.equal(await store.runs.transition(CANCELLABLE, open, "cancelled"), said);
  if (said) for (const key of model.cancellable) model.buried.add(key);
});

/** Delivers all that is left, as a fleet would in the end, once every gate is open. */
export async function drain(model: Model, real: Real): Promise<void> {
  const [store] = real.stores;
  model.flights = [];
  for (const { gates, runs } of [model.memory.store, store]) {
    for (const gate of GATES) await gates.resume(gate);
    await runs.transition(RUNS[0], ["needs-approval"], "reading");
  }
  for (const gate of await store.gates.opened()) await releaseBoth(model, store, gate);
  await passBoth(model, real, LEASE_MS);
  for (let tries = 0; tries < 100; tries += 1) {
    let open = 0;
    for (const user of USERS) {
      const answer = await claimBoth(model, store, real, { user, leaseMs: LEASE_MS, selection: {} });
      if (answer.is !== "idle") open += 1;
      const flight = model.flights.at(-1);
      if (answer.is !== "claimed" || !flight) continue;
      const applied = Object.entries(flight.units).map(
        ([unit, { version }]) => [unit, { is: "applied", version }] as const,
      );
      await settleBoth(model, store, flight, Object.fromEntries(applied));
    }
    if (open === 0) return;
    await passBoth(model, real, COOLDOWN_MS);
  }
  throw new Error("Expected every mailbox to be empty in the end, and one was not");
}

export const steps: fc.Arbitrary<Command>[] = [
  put,
  put,
  putAgain,
  putAgain,
  claim,
  claim,
  settle,
  settle,
  buryAgain,
  loseWorker,
  pass,
  replay,
  discard,
  cancel,
  ...gateSteps,
];
