/**
 * What people stopped was not written: by the claims that processes logged, each with the run of what it had in hand. A
 * call that was under way when somebody cancelled or paused may end, and its claim was asked for before.
 */
import { ALL, feedGate, poolGate, runGate } from "../../src/core/gate.ts";
import { directRunId, isEnded, type Run } from "../../src/store/runs.ts";
import { CALL_LASTS_MS, isOfVersion, mayBeLostBetween, type ToldClaim } from "./evidence.ts";
import type { Cancel, GateRecords, Pause } from "./gate-records.ts";
import { fileOf, lostFrom, type LoggedWrite, type SentChange } from "./model.ts";
import { POOL } from "./service.ts";
import { verdict, type Standing, type Verdict } from "./verdict.ts";

/** A value of a write, and the claim in which it was written, where a log has it. */
interface WrittenUnit {
  readonly seq: number;
  readonly at: number;
  readonly username: string;
  readonly unit: string;
  readonly said: readonly SentChange[];
  readonly claim?: Pick<ToldClaim, "askedAt" | "answeredAt"> & { readonly run: string };
}

/** Files whose run was cancelled, with the time by which it was: by the store where that still knows of it. */
export function forgone({ cancels }: GateRecords, runs: readonly Run[]): ReadonlyMap<string, number> {
  const files = new Map<string, number>();
  for (const { id, feed, state, finishedAt = 0 } of runs) {
    if (state !== "cancelled") continue;
    const answeredAt = cancels.find(({ run }) => run === id)?.answeredAt ?? finishedAt;
    files.set(feed, Math.max(files.get(feed) ?? 0, answeredAt));
  }
  return files;
}

/** In their order. */
function writtenUnits({ model, writes, userKeys, evidence }: Standing): readonly WrittenUnit[] {
  const claims = Map.groupBy(evidence.claims, ({ user }) => user);
  return writes.flatMap(({ seq, at, username, attributes, others = false }: LoggedWrite) => {
    if (others) return [];
    const own = claims.get(userKeys.get(username) ?? "") ?? [];
    return Object.entries(attributes).flatMap(([unit, value]) => {
      const said = model.saying(value);
      if (said.length === 0) return [];
      const claim = latest(own, unit, said, at);
      return [{ seq, at, username, unit, said, ...(claim && { claim }) }];
    });
  });
}

/** The claim that was asked for last of those in which the value was in hand by then. */
function latest(
  claims: readonly ToldClaim[],
  unit: string,
  said: readonly SentChange[],
  at: number,
): WrittenUnit["claim"] {
  let found: WrittenUnit["claim"];
  for (const { askedAt, answeredAt, units } of claims) {
    const claimed = units[unit];
    if (!claimed || askedAt > at || (found && found.askedAt >= askedAt)) continue;
    if (said.some((change) => isOfVersion(change, claimed.version))) found = { askedAt, answeredAt, run: claimed.run };
  }
  return found;
}

/** True where Redis may have forgotten, by some time, what somebody was answered. */
function mayBeForgotten({ losses }: Standing["model"], one: Cancel | Pause, by = Infinity): boolean {
  const before = losses.filter((loss) => lostFrom(loss) <= by);
  return mayBeLostBetween(before, one.askedAt, one.answeredAt ?? one.askedAt);
}

/**
 * 13: nothing of a run was written whose claim was asked for after somebody was told that the run is cancelled; and what
 * was claimed before was written within the longest call. A cancel that was answered stays, unless Redis lost it.
 */
export async function judgeCancels(on: Standing, runs: readonly Run[]): Promise<Verdict> {
  const { model, gates } = on;
  const wrong: string[] = [];
  const states = new Map(runs.map(({ id, state }) => [id, state]));
  const since = new Map<string, number>();
  const isSure = new Set<string>();
  let maybeLost = 0;
  for (const cancel of gates.cancels) {
    const { run, answeredAt, did } = cancel;
    if (answeredAt === undefined) continue;
    const isForgotten = mayBeForgotten(model, cancel);
    if (isForgotten) maybeLost += 1;
    if (did > 1 && !isForgotten) wrong.push(`${run} was cancelled ${did} times`);
    if (states.get(run) === "cancelled") {
      // The first answer counts; of those that Redis may have forgotten the last one, because it was said again.
      if (!isSure.has(run)) since.set(run, answeredAt);
      if (!isForgotten) isSure.add(run);
    } else if (!isForgotten)
      wrong.push(`${run} was cancelled at ${answeredAt}, and is ${states.get(run) ?? "not there"}`);
  }
  const byFile = Map.groupBy(runs, ({ feed }) => feed);
  /** When the last run of all the files that say the value was cancelled; undefined where one was not. */
  const overSince = (said: readonly SentChange[]): number | undefined => {
    const times = said.flatMap(({ id }) => {
      const own = byFile.get(fileOf(id) ?? "") ?? [];
      return own.length === 0 ? [undefined] : own.map((run) => since.get(run.id));
    });
    return times.includes(undefined) ? undefined : Math.max(...times.map(Number));
  };
  let [ended, unclaimed] = [0, 0];
  for (const { seq, at, username, unit, said, claim } of writtenUnits(on)) {
    const run = claim?.run ?? fileOf(said[0]?.id ?? "") ?? "";
    const answeredAt = claim ? since.get(claim.run) : overSince(said);
    if (answeredAt === undefined || at <= answeredAt) continue;
    const isAfter = claim ? claim.askedAt > answeredAt : false;
    if (isAfter || at > (claim?.askedAt ?? answeredAt) + CALL_LASTS_MS) {
      const claimed = claim ? `, and was claimed at ${claim.askedAt}` : "";
      wrong.push(
        `#${seq} at ${at}: ${username}'s ${unit} is of ${run}, which was cancelled at ${answeredAt}${claimed}`,
      );
    } else if (claim) ended += 1;
    else unclaimed += 1;
  }
  let discarded = 0;
  for (const id of since.keys()) discarded += (await on.engine.store.runs.books(id)).discarded;
  const facts = { cancelled: since.size, maybeLost, discarded, callsThatEnded: ended, withoutAClaim: unclaimed };
  return verdict(13, "what was cancelled before its call was not written", facts, wrong);
}

/** Gates before what a run puts, but its own. */
function gatesOf(run: Pick<Run, "feed"> | undefined): readonly string[] {
  return [ALL, poolGate(POOL), ...(run === undefined ? [] : [feedGate(run.feed)])];
}

/**
 * 14: nothing was written whose claim was asked for and answered between the answer to a pause and its end, but for single
 * changes that were to be sent all the same. A pause that was answered is there until somebody resumes it, unless Redis lost it.
 */
export function judgePauses(on: Standing, runs: readonly Run[]): Verdict {
  const { model, gates } = on;
  const wrong: string[] = [];
  const known = new Map(runs.map((run) => [run.id, run]));
  const pauses: (Pause & { readonly answeredAt: number; readonly resumeAskedAt: number })[] = [];
  let [maybeLost, lastedMs] = [0, 0];
  for (const pause of gates.pauses) {
    const { gate, answeredAt, resumeAskedAt, gone } = pause;
    if (answeredAt === undefined || resumeAskedAt === undefined) continue;
    if (mayBeForgotten(model, pause, resumeAskedAt)) maybeLost += 1;
    else {
      pauses.push({ ...pause, answeredAt, resumeAskedAt });
      lastedMs += resumeAskedAt - answeredAt;
      if (gone === true) wrong.push(`${gate} was paused at ${answeredAt}, and was not at ${resumeAskedAt}`);
    }
  }
  let [ended, despite, beside] = [0, 0, 0];
  for (const written of writtenUnits(on)) {
    const { seq, at, username, unit, claim } = written;
    if (!claim) continue;
    const own = gatesOf(known.get(claim.run));
    const isWithin = (time: number, pause: (typeof pauses)[number]): boolean =>
      time > pause.answeredAt && time < pause.resumeAskedAt;
    // What was answered later may have been claimed after the pause.
    const isClaimedIn = ({ askedAt, answeredAt }: typeof claim, pause: (typeof pauses)[number]): boolean =>
      isWithin(askedAt, pause) && answeredAt < pause.resumeAskedAt;
    const closed = pauses.find((pause) => own.includes(pause.gate) && isClaimedIn(claim, pause));
    if (closed && isDespite(model, written)) despite += 1;
    else if (closed)
      wrong.push(
        `#${seq} at ${at}: ${username}'s ${unit} is of ${claim.run}, claimed at ${claim.askedAt}; ${closed.gate} was paused from ${closed.answeredAt} to ${closed.resumeAskedAt}`,
      );
    else if (pauses.some((pause) => isWithin(at, pause)))
      if (pauses.some((pause) => own.includes(pause.gate) && isWithin(at, pause))) ended += 1;
      else beside += 1;
    if (!closed && at > claim.askedAt + CALL_LASTS_MS)
      wrong.push(`#${seq} at ${at}: ${username}'s ${unit} was written long after its claim of ${claim.askedAt}`);
  }
  const facts = {
    pauses: pauses.length,
    maybeLost,
    pausedForMs: lastedMs,
    callsThatEnded: ended,
    sentDespiteThem: despite,
    writtenBesideThem: beside,
  };
  return verdict(14, "what was paused was not written meanwhile", facts, wrong);
}

/** True where somebody asked for this person in spite of a pause, and was not answered by then. */
function isDespite({ changes }: Standing["model"], { username, claim }: WrittenUnit): boolean {
  if (claim?.run !== directRunId(POOL)) return false;
  return changes
    .values()
    .some(
      ({ username: whose, despitePause = false, sentAt, ackedAt = Infinity }) =>
        despitePause && whose === username && sentAt <= claim.askedAt && ackedAt >= claim.askedAt,
    );
}

/** 15: when all goes on and is delivered, no gate keeps anybody, and nothing of what was cancelled waits. */
export async function judgeGatesLeft({ engine, gates }: Standing, runs: readonly Run[]): Promise<Verdict> {
  const { store } = engine;
  const wrong: string[] = [];
  const closed = await store.gates.list();
  const ended = new Set(runs.filter(({ state }) => isEnded(state)).map(({ id }) => runGate(id)));
  for (const { gate, state } of closed)
    if (state !== "cancelled" || !ended.has(gate)) wrong.push(`${gate} is ${state} in the end`);
  for (const gate of await store.gates.opened()) wrong.push(`${gate} is open, and keeps users still`);
  const names = new Set([...closed, ...gates.pauses].map(({ gate }) => gate));
  for (const gate of [...names, ALL, ...runs.flatMap(({ id, feed }) => [runGate(id), feedGate(feed)])]) {
    const kept = await store.gates.kept(gate);
    if (kept > 0) wrong.push(`${gate} keeps ${kept} users in the end`);
  }
  for (const { id, state } of runs) {
    if (state !== "cancelled") continue;
    const { pending, dead } = await store.runs.books(id);
    if (pending > 0) wrong.push(`${id} was cancelled, and ${pending} of it are pending`);
    if (dead > 0) wrong.push(`${id} was cancelled, and ${dead} of it are dead letters after all replays`);
  }
  return verdict(15, "no gate keeps anything in the end", { closed: closed.length }, wrong);
}
