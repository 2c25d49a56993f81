import { randomUUID } from "node:crypto";
import { EMPTY_BOOKS, post } from "../../src/core/books.ts";
import type { Books, Entry } from "../../src/core/books.ts";
import { claim as claimStep } from "../../src/core/claim.ts";
import { gatesOf, OPEN, passage, runGate, type Passage } from "../../src/core/gate.ts";
import { dueAt, gatesIn, isBehind, openUnits } from "../../src/core/mailbox.ts";
import { put as putStep } from "../../src/core/put.ts";
import { replay as replayStep } from "../../src/core/replay.ts";
import { settle as settleStep } from "../../src/core/settle.ts";
import { sortOut } from "../../src/core/sort-out.ts";
import type { Outcome } from "../../src/core/draft.ts";
import { buriedOf, type Letter } from "../../src/core/letter.ts";
import type { Mailbox, UserState } from "../../src/core/mailbox.ts";
import type { Settlement } from "../../src/core/settlement.ts";
import type { ClosedGate, Gates } from "../../src/store/gates.ts";
import type { LetterFilter, Letters } from "../../src/store/letters.ts";
import { isAnyAhead, type Mailboxes } from "../../src/store/mailboxes.ts";
import { createPace } from "../../src/store/postgres/pace.ts";
import { directRunId, isEnded, RUN_STATES, type Run, type Runs, type RunState } from "../../src/store/runs.ts";
import { openMemoryInbox } from "./memory-inbox.ts";
import { openMemoryParts } from "./memory-parts.ts";
import { runCancelled, runEnded, runLost } from "../../src/store/store-error.ts";
import type { Store, Target } from "../../src/store/store.ts";

/**
 * A store in memory over the pure rules, with a clock of its own: what the suites are written against, and the model
 * that the real stores can be compared with. It forgets everything when it is dropped.
 */
export function openMemoryStore(startMs = 1_800_000_000_000) {
  const clock = { nowMs: startMs, advance: (ms: number) => void (clock.nowMs += ms) };
  const users = new Map<string, UserState>();
  const letters = new Map<string, Letter>();
  const books = new Map<string, Books>();
  const runs = new Map<string, Run>();
  const forgotten = new Map<string, number>();
  const memory = new Map<string, string>();
  const targets = new Map<string, Target>();
  const poolsSeen = new Set<string>();
  let arrivals = 0;

  const stateOf = (user: string): UserState => users.get(user) ?? { ledger: {} };
  const move = (entries: readonly Entry[]) => {
    for (const entry of entries) {
      for (const key of [entry.run, ""]) books.set(key, post(books.get(key) ?? EMPTY_BOOKS, [entry]));
    }
  };
  const carryOut = <T extends Outcome>(user: string, outcome: T): T => {
    users.set(user, outcome.state);
    move(outcome.entries);
    return outcome;
  };
  const closed = new Map<string, ClosedGate>();
  const passageOf = (run: string): Passage => {
    const there = runs.get(run);
    return there ? passage(gatesOf(there), (gate) => closed.get(gate)?.state) : OPEN;
  };
  const boxes = (pool: string) =>
    [...users]
      .flatMap(([user, { mailbox }]) => (mailbox?.pool === pool ? [{ user, mailbox, at: dueAt(mailbox) }] : []))
      .filter(({ at }) => at < Infinity)
      .toSorted((a, b) => a.at - b.at);
  const keptBy = (gate: string) =>
    [...users].flatMap(([user, { mailbox }]) => (gatesIn(mailbox).has(gate) ? user : []));
  const runsOf = (mailbox: Mailbox): string[] => [
    ...new Set([...Object.values(mailbox.pending), ...Object.values(mailbox.claim?.units ?? {})].map(({ run }) => run)),
  ];
  const setOf = (of: readonly string[] | undefined) => (of ? new Set(of) : undefined);
  const { inbox, takeAway } = openMemoryInbox(clock, (count) => (arrivals += count) - count + 1);
  const sweeps = new Map<string, { holder: string; until: number }>();
  const mailboxes: Mailboxes = {
    async put({ pool, run, priority, changes, invalid, rows, cursor, entries: drained }) {
      const found = runs.get(run);
      if (!found) throw runLost(run);
      if (found.state === "cancelled") throw runCancelled(run);
      if (drained && found.finishedAt !== undefined) throw runEnded(run);
      const [at, nowMs] = [found.cursor, clock.nowMs];
      if ((cursor && cursor.from !== at) || (drained && (isAnyAhead(changes, nowMs) || !takeAway(drained)))) {
        return { accepted: false, cursor: at, ahead: 0, stale: [], waiting: [], at: nowMs, arrival: 0 };
      }
      const arrival = changes.some(({ units }) => units.length > 0) ? arrivals + 1 : 0;
      poolsSeen.add(pool);
      let ahead = 0;
      const staleUnits: { user: string; name: string }[] = [];
      for (const said of changes) {
        const { user, units } = said;
        const change = { ...said, pool, priority, run };
        const { entries, stale } = carryOut(
          user,
          putStep(
            stateOf(user),
            change,
            units.map(() => ++arrivals).map((next) => said.arrival ?? next),
            clock.nowMs,
            passageOf,
          ),
        );
        staleUnits.push(...stale.map((name) => ({ user, name })));
        ahead += entries.filter(({ term }) => term === "invalid").length;
      }
      move([
        { run, term: "received", by: invalid },
        { run, term: "invalid", by: invalid },
      ]);
      const { read, faulty } = found.rows;
      runs.set(run, {
        ...found,
        cursor: cursor?.to ?? at,
        rows: { read: read + rows.read, faulty: faulty + rows.faulty },
      });
      const waiting = [...new Set(changes.map(({ user }) => user))].filter((user) =>
        boxes(pool).some((box) => box.user === user),
      );
      return { accepted: true, cursor: cursor?.to ?? at, ahead, stale: staleUnits, waiting, at: nowMs, arrival };
    },
    async claim(user, token, leaseMs, { runs: of, despitePause = [] } = {}) {
      const request = { token, leaseMs, runs: setOf(of), despitePause };
      const { result } = carryOut(user, claimStep(stateOf(user), user, request, clock.nowMs, passageOf));
      if (result.is === "idle") return result;
      if (result.is !== "claimed") return { is: result.is, retryInMs: Math.max(0, result.retryAt - clock.nowMs) };
      const { pool, username, priority } = result.mailbox;
      const { units, leaseUntil, sent } = result.claim;
      return { is: "claimed", pool, username, priority, units, leaseUntil, ...(sent ? { sent } : {}) };
    },
    async settle(user, token, settlements, leaseMs, of) {
      const at = (settlement: Settlement): Settlement =>
        settlement.is === "retry" ? { ...settlement, at: clock.nowMs + settlement.at } : settlement;
      const timed = Object.fromEntries(Object.entries(settlements).map(([name, settlement]) => [name, at(settlement)]));
      const letterOf = (id: string) => letters.get(id);
      const step = settleStep(stateOf(user), user, token, timed, leaseMs, clock.nowMs, passageOf, letterOf);
      const { result, state } = carryOut(user, step);
      for (const letter of result.letters) letters.set(letter.id, letter);
      const told = { ...result, letters: result.letters.map(buriedOf) };
      const due = state.mailbox ? dueAt(state.mailbox, setOf(of)) : Infinity;
      if (!state.mailbox || due === Infinity) return told;
      return { ...told, dueInMs: Math.max(0, due - clock.nowMs), priority: state.mailbox.priority };
    },
    async sweep(pool, { holder, leaseMs, offset, limit }) {
      const lease = sweeps.get(pool);
      if (lease && lease.holder !== holder && lease.until > clock.nowMs) return [];
      sweeps.set(pool, { holder, until: clock.nowMs + leaseMs });
      const due = boxes(pool).filter(({ at }) => at <= clock.nowMs);
      return due
        .slice(offset, offset + limit)
        .map(({ user, mailbox, at }) => ({ user, priority: mailbox.priority, dueAt: at, runs: runsOf(mailbox) }));
    },
    async sortOut(whose, { offset, limit }) {
      const meant = () => ("pool" in whose ? boxes(whose.pool).map(({ user }) => user) : keptBy(whose.gate));
      const page = meant().slice(offset, offset + limit);
      for (const user of page) carryOut(user, sortOut(stateOf(user), user, clock.nowMs, passageOf));
      const still = new Set(meant());
      return { looked: page.length, left: page.filter((user) => still.has(user)).length };
    },
    async release(gate, limit) {
      if (closed.has(gate)) return [];
      const page = keptBy(gate)
        .slice(0, limit)
        .map((user) => [user, stateOf(user)] as const);
      return page.flatMap(([user, before]) => {
        const { mailbox } = carryOut(user, sortOut(before, user, clock.nowMs, passageOf)).state;
        return mailbox && dueAt(mailbox) < Infinity ? { user, priority: mailbox.priority, pool: mailbox.pool } : [];
      });
    },
    async isBehind(run) {
      const units = [...users.values()].flatMap(({ mailbox }) => (mailbox ? openUnits(mailbox) : []));
      return isBehind([...units, ...letters.values()], run);
    },
    async dueCount(pool) {
      return boxes(pool).length;
    },
    async read(user) {
      return stateOf(user);
    },
    async ledgers(known) {
      return new Map(known.flatMap((user) => (users.has(user) ? [[user, stateOf(user).ledger] as const] : [])));
    },
    async replay(ids, priority) {
      return ids.flatMap((id) => {
        const letter = letters.get(id);
        if (!letter) return [];
        letters.delete(id);
        const { user, pool } = letter;
        const { state } = carryOut(user, replayStep(stateOf(user), letter, priority, clock.nowMs, passageOf));
        return [{ user, priority: state.mailbox?.priority ?? priority, letter: id, pool }];
      });
    },
    lineUp: () => Promise.resolve({ users: 0, letters: 0 }),
    async recount() {
      const counts = new Map<string, { pending: number; dead: number }>();
      const count = (run: string, term: "pending" | "dead") => {
        const sofar = counts.get(run) ?? { pending: 0, dead: 0 };
        counts.set(run, { ...sofar, [term]: sofar[term] + 1 });
      };
      for (const { mailbox } of users.values()) {
        for (const part of [mailbox?.pending, mailbox?.claim?.units]) {
          for (const unit of Object.values(part ?? {})) count(unit.run, "pending");
        }
      }
      for (const letter of letters.values()) count(letter.run, "dead");
      return counts;
    },
  };

  const matches = (letter: Letter, { since = 0, until = Infinity, ...same }: LetterFilter) =>
    Object.entries(same).every(([key, wanted]) => wanted === undefined || letter[key as "pool"] === wanted) &&
    letter.buriedAt >= since &&
    letter.buriedAt < until;
  const lettersPort: Letters = {
    async *list(filter) {
      const sorted = [...letters.values()].toSorted((a, b) => a.buriedAt - b.buriedAt);
      yield* sorted.filter((letter) => matches(letter, filter));
    },
    async get(id) {
      return letters.get(id);
    },
    async discard(ids) {
      const there = ids.flatMap((id) => letters.get(id) ?? []).filter(({ id }) => letters.delete(id));
      for (const { run } of there)
        move([
          { run, term: "dead", by: -1 },
          { run, term: "discarded", by: 1 },
        ]);
      return there.length;
    },
  };

  const begin: Runs["begin"] = async (wanted) => {
    const unfinished = [...runs.values()].find(
      ({ identity, state }) => identity !== "" && identity === wanted.identity && !isEnded(state),
    );
    if (unfinished) return { run: unfinished, resumed: true };
    const run: Run = { ...wanted, startedAt: clock.nowMs, state: "reading", cursor: "", rows: { read: 0, faulty: 0 } };
    runs.set(run.id, run);
    return { run, resumed: false };
  };
  const turnRun = (id: string, from: readonly RunState[], to: RunState, evenOver = false): boolean => {
    const run = runs.get(id);
    if (!run || !from.includes(run.state) || run.state === "cancelled" || run.state === "expired") return false;
    const isPut = ["delivering", "finished", "failed"].includes(run.state);
    const isDelivered = isPut && (books.get(id) ?? EMPTY_BOOKS).pending === 0;
    if (to === "cancelled" && isDelivered && !evenOver) return false;
    runs.set(id, { ...run, state: to, ...(isEnded(to) ? { finishedAt: run.finishedAt ?? clock.nowMs } : {}) });
    const state = to === "cancelled" ? to : to === "needs-approval" ? "waiting" : undefined;
    if (state) closed.set(runGate(id), { gate: runGate(id), state, since: clock.nowMs });
    else closed.delete(runGate(id));
    return true;
  };
  const runsPort: Runs = {
    begin,
    async direct(pool) {
      const id = directRunId(pool);
      const direct = { id, source: "direct", pool, feed: "direct", identity: "", asOf: clock.nowMs } as const;
      return runs.get(id) ?? (await begin(direct)).run;
    },
    get: (id) => Promise.resolve(runs.get(id)),
    list: (limit) => Promise.resolve([...runs.values()].toReversed().slice(0, limit)),
    unfinished: async () => [...runs.values()].filter((run) => run.identity !== "" && !isEnded(run.state)),
    async rename(id, identity) {
      for (const run of [runs.get(id) ?? []].flat()) runs.set(id, { ...run, identity });
    },
    async advance(id, state) {
      if (!runs.has(id)) throw runLost(id);
      turnRun(id, RUN_STATES, state);
    },
    async transition(id, from, to, { evenOver } = {}) {
      return turnRun(id, from, to, evenOver);
    },
    async sweep(before) {
      const gone = [...runs.values()].filter(({ id, pool, startedAt, state }) => {
        const { pending, dead, superseded } = books.get(id) ?? EMPTY_BOOKS;
        const isKept = [...users.values()].some(({ mailbox }) => gatesIn(mailbox).size > 0);
        const isDead = [...letters.values()].some((letter) => letter.pool === pool);
        if (superseded !== 0 && (isKept || isDead || boxes(pool).length > 0)) return false;
        return startedAt < before && state !== "needs-approval" && id !== directRunId(pool) && pending + dead === 0;
      });
      for (const { id } of gone) for (const each of [runs, books]) each.delete(id);
      for (const { id } of gone) closed.delete(runGate(id));
      for (const [run, at] of forgotten) if (at < before) forgotten.delete(run);
      return gone.length;
    },
    async noteForgotten(ids) {
      for (const id of ids) if (!forgotten.has(id)) forgotten.set(id, clock.nowMs);
    },
    async forgotten() {
      return [...forgotten].map(([run, at]) => ({ run, at }));
    },
    async books(id = "") {
      return books.get(id) ?? EMPTY_BOOKS;
    },
  };

  const gates: Gates = {
    async pause(gate, pause) {
      if (closed.has(gate)) return false;
      closed.set(gate, { gate, state: "paused", since: clock.nowMs, ...pause });
      return true;
    },
    async resume(gate) {
      return closed.get(gate)?.state === "paused" && closed.delete(gate);
    },
    async list() {
      return [...closed.values()].toSorted((a, b) => a.since - b.since || (a.gate < b.gate ? -1 : 1));
    },
    async kept(gate) {
      return [...users.values()].filter(({ mailbox }) => gatesIn(mailbox).has(gate)).length;
    },
    async opened() {
      const keeping = [...users.values()].flatMap(({ mailbox }) => [...gatesIn(mailbox)]);
      return [...new Set(keeping)].filter((gate) => !closed.has(gate)).toSorted();
    },
  };
  const { holds, exceptions, beforeImages, reservations, plans, workers } = openMemoryParts(clock);
  const pace = createPace(() => clock.nowMs);
  const once = (name: string, value: string) => {
    const there = memory.get(name) ?? value;
    memory.set(name, there);
    return there;
  };
  const store: Store = {
    lost: new AbortController().signal,
    identity: randomUUID(),
    epoch: 1,
    metRuns: new Set(),
    withoutAof: false,
    since: startMs,
    async raiseEpoch() {},
    look: async () => undefined,
    kind: "embedded",
    now: async () => clock.nowMs,
    mailboxes,
    inbox,
    letters: lettersPort,
    runs: runsPort,
    holds,
    gates,
    exceptions,
    reservations,
    workers,
    beforeImages,
    pace,
    plans,
    // Nothing breaks in memory.
    damaged: { list: async () => [], remove: async () => 0, reckon: async () => 0 },
    texts: {
      shelves: async () => [],
      page: async () => ({ found: [], next: undefined }),
      read: async () => undefined,
      replace: async () => false,
      era: async () => "",
    },
    rekeying: {
      begin: async () => undefined,
      find: async () => [],
      move: async () => undefined,
      left: async () => ({ ledgers: 0, exceptions: 0, links: 0 }),
      end: async () => undefined,
    },
    async setValue(name, value) {
      memory.set(`note ${name}`, value);
    },
    async getValue(name) {
      return memory.get(`note ${name}`);
    },
    async targets() {
      return [...targets.values()];
    },
    async target(target) {
      const there = targets.get(target.pool) ?? target;
      targets.set(target.pool, there);
      return there;
    },
    async setOnce(name, value) {
      return once(`memory ${name}`, value);
    },
    async recall(name) {
      return memory.get(`memory ${name}`);
    },
    async exchange(name, from, to, forgotten = []) {
      if (memory.get(`memory ${name}`) !== from) return false;
      memory.set(`memory ${name}`, to);
      for (const other of forgotten) memory.delete(`memory ${other}`);
      return true;
    },
    async link(pool, digest) {
      return memory.get(`link ${pool} ${digest}`);
    },
    async setLink(pool, digest, sealed) {
      memory.set(`link ${pool} ${digest}`, sealed);
    },
    async dropLink(pool, digest) {
      memory.delete(`link ${pool} ${digest}`);
    },
    async pools() {
      return [...poolsSeen].filter(
        (pool) => boxes(pool).length > 0 || [...letters.values()].some((letter) => letter.pool === pool),
      );
    },
    async close() {},
  };
  return { store, clock, close: () => store.close() };
}
