/**
 * Random lives of one mailbox beside a pool that takes calls whenever it likes: workers die, are suspended and come
 * back, time out while their call goes on. Each unit has a run of its own, so that its books say what became of it.
 *
 * What must hold after every step: the books of every run balance and no term is below 0, `pending` is what the
 * mailbox holds, the ledger never goes back. And in the end, when all is delivered and all calls have come through:
 * the newest value of each unit was applied, found unchanged, buried or discarded; what the pool has is no older than
 * what was done last; the mailbox is gone.
 */
import assert from "node:assert/strict";
import { OPEN } from "../../src/core/gate.ts";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { EMPTY_BOOKS, imbalance, post } from "../../src/core/books.ts";
import type { Books } from "../../src/core/books.ts";
import { claim } from "../../src/core/claim.ts";
import { COOLDOWN_MS, ABANDONED_CALL_MS } from "../../src/core/mailbox.ts";
import { put } from "../../src/core/put.ts";
import { replay } from "../../src/core/replay.ts";
import { settle } from "../../src/core/settle.ts";
import type { Outcome } from "../../src/core/draft.ts";
import type { Letter } from "../../src/core/letter.ts";
import type { QueuedUnit, UserState } from "../../src/core/mailbox.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import { contactOf, flagOf } from "../../src/core/unit.ts";
import { ordinalOf, ordinalText } from "../../src/core/version.ts";
import { randomFrom } from "../support/random.ts";
import type { Random } from "../support/random.ts";

const LEASE_MS = 1_000;
const START = 1_800_000_000_000;
const NAMES = ["name", "email", "email_verified"] as const;
const LIVES = Number(process.env["POOLSYNC_TEST_STEPS"] ?? 400);
const STEPS = 40;

/** A worker between its claim and its settle. */
interface Flight {
  readonly token: string;
  readonly units: Record<string, QueuedUnit>;
  readonly leaseUntil: number;
  /** Units that were given back: a flag does not go where its address did not. */
  readonly retried: Set<string>;
}

/** A call that was given up and may yet come through. */
interface Stray {
  readonly name: string;
  readonly held: QueuedUnit;
  readonly until: number;
}

interface Written {
  readonly version: string;
  readonly digest: string;
}

function life(random: Random) {
  let state: UserState = { ledger: {} };
  let now = START;
  let arrivals = 0;
  let tokens = 0;
  const history: string[] = [];
  const books = new Map<string, Books>();
  const letters = new Map<string, Letter>();
  const letterOf = (id: string) => letters.get(id);
  const puts: { name: string; run: string; version: string; digest: string }[] = [];
  /** What the pool has; `email_verified` is what set the flag last. */
  const pool: Record<string, Written> = {};
  /** What was first known to be in the pool, and how long the history was then. */
  const done = new Map<string, Written & { readonly name: string; readonly at: number }>();
  /** How long the history was when a unit was put or replayed last. */
  const lastPut = new Map<string, number>();
  let flights: Flight[] = [];
  let strays: Stray[] = [];

  /** What a scan has seen of the pool, and when it began. */
  const looks: { readonly at: number; readonly pool: Readonly<Record<string, Written>> }[] = [{ at: START, pool: {} }];

  const say = (what: string) => history.push(`${now - START} ${what}`);
  const short = (version: string) => `v${Number(version.slice(0, 15)) - START}.${Number(version.slice(33))}`;

  function take<T extends Outcome>(outcome: T): T {
    for (const [name, { version }] of Object.entries(state.ledger)) {
      assert.ok((outcome.state.ledger[name]?.version ?? "") >= version, `the ledger of ${name} never goes back`);
    }
    state = outcome.state;
    for (const entry of outcome.entries) books.set(entry.run, post(books.get(entry.run) ?? EMPTY_BOOKS, [entry]));
    const waiting = [state.mailbox?.pending, state.mailbox?.claim?.units].flatMap((units) =>
      Object.values(units ?? {}),
    );
    for (const [run, book] of books) {
      assert.equal(imbalance(book), 0, `the books of ${run} balance`);
      assert.ok(
        Object.values(book).every((count) => count === 0 || count === 1),
        `${run} is in one term: ${JSON.stringify(book)}`,
      );
      assert.equal(book.pending, waiting.filter((queued) => queued.run === run).length, `${run} is pending once`);
    }
    for (const { name, run, version, digest } of puts) {
      if (books.get(run)?.unchanged === 1) isDone(name, { version, digest });
    }
    return outcome;
  }

  function putOne(): void {
    const name = random.pick(NAMES);
    const digest = random.pick(["x", "y", "z"]);
    const run = `run ${puts.length}`;
    const ordinal = ordinalText({ timeMs: START - random.below(12), sequence: 0 });
    arrivals += 1;
    lastPut.set(name, history.length);
    puts.push({ name, run, digest, version: `${ordinal}.${String(arrivals).padStart(16, "0")}` });
    say(`put ${name} ${digest} ${short(puts.at(-1)?.version ?? "")}`);
    // A look before now, or long before: what it found was there then.
    const seen = random.chance(0.5) ? looks[random.below(looks.length)] : undefined;
    const found = seen?.pool[name]?.digest === digest ? ("there" as const) : ("other" as const);
    const looked = seen === undefined ? {} : { look: { at: seen.at, found } };
    const sendUnless = random.pick([undefined, "written", "there"] as const);
    const asked = sendUnless === undefined ? {} : { sendUnless };
    say(`  ${sendUnless ?? "asked"}${seen ? `, ${found} at ${seen.at - START}` : ""}`);
    const units = [{ name, ordinal, digest, body: digest, ...looked, ...asked }];
    take(put(state, { user: "u", pool: "p", username: "n", priority: 10, run, units }, [arrivals], now, () => OPEN));
  }

  function claimOne(): Flight | undefined {
    const token = `t${(tokens += 1)}`;
    const { result } = take(claim(state, "u", { token, leaseMs: LEASE_MS }, now, () => OPEN));
    say(`claim ${token} ${result.is === "claimed" ? Object.keys(result.claim.units).join() : result.is}`);
    if (result.is !== "claimed") return undefined;
    const { units, leaseUntil } = result.claim;
    const flight = { token, units: { ...units }, leaseUntil, retried: new Set<string>() };
    flights.push(flight);
    return flight;
  }

  function isDone(name: string, { version, digest }: Written): void {
    const key = `${name} ${version}`;
    if (!done.has(key)) done.set(key, { name, version, digest, at: history.length });
  }

  /** The call comes through. */
  function write(name: string, { version, digest }: Written): void {
    say(`  the pool takes ${name} ${digest} ${short(version)}`);
    pool[name] = { version, digest };
    const flag = flagOf(name);
    if (flag !== undefined) pool[flag] = { version, digest: `with ${name}` };
  }

  function settleSome(flight: Flight): void {
    const late = state.mailbox?.claim?.token !== flight.token;
    const settlements: Record<string, Settlement> = {};
    // An address goes before its flag, and a flag not without the address that it was claimed with.
    const queued = Object.entries(flight.units).toSorted(([one]) => (contactOf(one) === undefined ? -1 : 1));
    for (const [name, unit] of queued) {
      const contact = contactOf(name);
      if (random.chance(0.1) || (contact !== undefined && flight.units[contact] && !settlements[contact])) continue;
      const waits = contact !== undefined && flight.retried.has(contact);
      settlements[name] = waits
        ? { is: "retry", version: unit.version, at: now, counts: "nothing", fateUnknown: false }
        : settlementOf(name, unit, late);
      if (settlements[name]?.is === "retry") flight.retried.add(name);
    }
    for (const name of Object.keys(settlements)) delete flight.units[name];
    if (Object.keys(flight.units).length === 0) flights = flights.filter((other) => other !== flight);
    const terms = Object.entries(settlements).map(([name, { is }]) => `${name} ${is}`);
    say(`settle ${flight.token} ${terms.join()}${late ? " late" : ""}`);
    const { result } = take(settle(state, "u", flight.token, settlements, LEASE_MS, now, () => OPEN, letterOf));
    assert.equal(result.late, late);
    for (const letter of result.letters) letters.set(letter.id, letter);
    if (late) return;
    for (const [name, { is, version }] of Object.entries(settlements)) {
      const unit = queued.find(([other]) => other === name)?.[1];
      if (unit && (is === "applied" || is === "unchanged")) isDone(name, { version, digest: unit.digest });
    }
  }

  function settlementOf(name: string, queued: QueuedUnit, late: boolean): Settlement {
    const { version } = queued;
    const choice = random.below(10);
    if (choice < 1)
      return {
        is: "bury",
        version,
        letter: `${name} ${queued.account ?? ""}`,
        kind: "k",
        reason: "",
        fateUnknown: random.below(4) === 0,
      };
    if (choice < 2)
      return { is: "retry", version, at: now + random.below(3_000), counts: "attempt", fateUnknown: false };
    if (choice < 4) {
      if (random.chance(0.5)) strays.push({ name, held: queued, until: now + COOLDOWN_MS });
      return { is: "retry", version, at: now + random.below(3_000), counts: "fault", fateUnknown: true };
    }
    // Who looks before it writes finds a value there; a suspended worker's look may be long ago, so it is not asked.
    const there = pool[name];
    if (choice < 5 && !late && flagOf(name) === undefined && there?.digest === queued.digest) {
      return { is: "unchanged", version };
    }
    write(name, queued);
    return { is: "applied", version };
  }

  function comeThrough(all: boolean): void {
    const due = strays.filter(({ until }) => all || until <= now || random.chance(0.3));
    strays = strays.filter((stray) => !due.includes(stray));
    for (const { name, held: queued } of due) write(name, queued);
  }

  function pass(ms: number): void {
    // No stray comes through after its quiet interval, and no worker after what is remembered of it.
    const limit = Math.min(
      ...strays.map(({ until }) => until),
      ...flights.map((flight) => flight.leaseUntil + ABANDONED_CALL_MS),
    );
    now = Math.min(now + ms, limit - 1);
  }

  function step(): void {
    const [first] = flights;
    const flight = flights[random.below(flights.length)] ?? first;
    switch (random.below(10)) {
      case 9:
        pass(1);
        return void looks.push({ at: now, pool: { ...pool } });
      case 0:
      case 1:
        return putOne();
      case 2:
      case 3:
        return void claimOne();
      case 4:
      case 5:
        return flight && settleSome(flight);
      case 6: {
        // A worker dies; what it had sent came through before.
        if (!flight || random.chance(0.5)) return;
        if (now < flight.leaseUntil)
          for (const [name, queued] of random.some(Object.entries(flight.units), 0.5)) write(name, queued);
        say(`dies ${flight.token}`);
        flights = flights.filter((other) => other !== flight);
        return;
      }
      case 7: {
        comeThrough(false);
        const [letter] = random.some([...letters.values()], 0.3);
        if (!letter) return;
        letters.delete(letter.id);
        if (random.chance(0.3)) {
          say(`discard ${letter.unit} ${short(letter.version)}`);
          const { run } = letter;
          take({
            state,
            entries: [
              { run, term: "dead", by: -1 },
              { run, term: "discarded", by: 1 },
            ],
          });
        } else {
          lastPut.set(letter.unit, history.length);
          say(`replay ${letter.unit} ${short(letter.version)}`);
          take(replay(state, letter, 1, now, () => OPEN));
        }
        return;
      }
      default:
        return pass(random.pick([1, 100, LEASE_MS, 3_000, COOLDOWN_MS]));
    }
  }

  /** Everybody comes back, everything comes through, everything is delivered. */
  function end(): void {
    say("the end");
    while (flights.length > 0) {
      const [flight] = flights;
      if (flight) settleSome(flight);
    }
    comeThrough(true);
    for (let tries = 0; tries < 100 && state.mailbox; tries += 1) {
      const flight = claimOne();
      if (flight) {
        for (const [name, queued] of Object.entries(flight.units).toSorted(([one]) =>
          contactOf(one) === undefined ? -1 : 1,
        )) {
          write(name, queued);
          isDone(name, queued);
          take(
            settle(
              state,
              "u",
              flight.token,
              { [name]: { is: "applied", version: queued.version } },
              LEASE_MS,
              now,
              () => OPEN,
              letterOf,
            ),
          );
        }
        flights = [];
      } else {
        now += COOLDOWN_MS;
      }
    }
    assert.equal(state.mailbox, undefined, "the mailbox is gone in the end");
    NAMES.forEach(check);
  }

  function check(name: (typeof NAMES)[number]): void {
    const mine = puts.filter((one) => one.name === name).toSorted((a, b) => (a.version < b.version ? -1 : 1));
    const kept = (run: string) => {
      const book = books.get(run) ?? EMPTY_BOOKS;
      return book.applied + book.unchanged + book.dead + book.discarded === 1;
    };
    const isDoneYet = ({ name: of, version }: { name: string; version: string }) => {
      const { applied, unchanged } =
        books.get(puts.find((one) => one.name === of && one.version === version)?.run ?? "") ?? EMPTY_BOOKS;
      return applied + unchanged === 1;
    };
    const last = (of: string) =>
      [...done.values()]
        .filter((one) => one.name === of && isDoneYet(one))
        .toSorted((a, b) => (a.version < b.version ? 1 : -1))[0];
    const contact = contactOf(name);
    const newest = mine.at(-1);
    const newestContact =
      puts
        .filter((one) => one.name === contact)
        .map(({ version }) => version)
        .toSorted()
        .at(-1) ?? "";
    // A flag yields to an address of its very time, whichever came first.
    if (newest && ordinalOf(newest.version) > ordinalOf(newestContact)) {
      assert.ok(kept(newest.run), `the newest ${name} is not lost`);
    }
    const expected = last(name);
    if (!expected) return;
    const there = pool[name];
    assert.ok(there);
    if (contact === undefined) {
      const fine = there.digest === expected.digest || there.version > expected.version;
      assert.ok(fine, `the pool has ${name} ${short(expected.version)} or newer, not ${short(there.version)}`);
    } else {
      // An older address that comes after the flag takes the flag's place: the flag was not said of it.
      const address = last(contact);
      if ((address?.version ?? "") > expected.version || (lastPut.get(contact) ?? 0) >= expected.at) return;
      const fine = there.digest === expected.digest || there.version > expected.version;
      assert.ok(
        fine,
        `the flag is that of ${short(expected.version)} or newer, not ${there.digest} ${short(there.version)}`,
      );
    }
  }

  return { step, end, history };
}

test("no life of a mailbox loses the newest value or lets an older one stand", (t) => {
  const first = Number(process.env["POOLSYNC_TEST_SEED"] ?? randomInt(2 ** 31));
  t.diagnostic(`seed ${first}`);
  for (let seed = first; seed < first + LIVES; seed += 1) {
    const it = life(randomFrom(seed));
    try {
      for (let count = 0; count < STEPS; count += 1) it.step();
      it.end();
    } catch (cause) {
      throw new Error(`The life of seed ${seed} went wrong:\n${it.history.join("\n")}`, { cause });
    }
  }
});
