/** Done means done: what was told of a value is held against what the pool had, whoever else writes there. */
import { directRunId } from "../../src/store/runs.ts";
import type { Answered, Ask } from "./asks.ts";
import { CALL_LASTS_MS, mayBeLostBetween, SETTLED_WITHIN_MS, wasDoubted, wasWrittenLate } from "./evidence.ts";
import { eventFeedOf } from "./events.ts";
import { BELIEVED_MS, fileOf, foundText, isSaid, lostFrom, saidBy, type SentChange } from "./model.ts";
import { LIST_LAG_MS } from "./named.ts";
import { poolHistory, wasThere, type Stay } from "./pool-history.ts";
import { POOL } from "./service.ts";
import { historyOf, verdict, type Standing, type Verdict } from "./verdict.ts";

const isDone = ({ answered }: Ask, attribute: string): boolean =>
  answered?.outcomes[attribute] === "applied" || answered?.outcomes[attribute] === "unchanged";

/**
 * 10: who asked for a value and was told that it is applied, or unchanged, finds it in the pool's history between the
 * request and its answer; and it is not written again over what somebody else writes later, unless it is asked for.
 */
export function judgeDone(on: Standing): Verdict {
  const { asks, writes, model } = on;
  const history = poolHistory(writes);
  const wrong: string[] = [];
  const told: Record<string, number> = {};
  let put = 0;
  for (const ask of asks) {
    const { id, by, username, attributes, answered } = ask;
    if (!answered) continue;
    const { outcomes, begunAt, answeredAt } = answered;
    for (const attribute of attributes) {
      const outcome = outcomes[attribute] ?? "nothing";
      told[outcome] = (told[outcome] ?? 0) + 1;
      if (!isDone(ask, attribute)) continue;
      const stays = history.of(username, attribute);
      const before = stays.findLast(({ from }) => from < begunAt);
      if (before?.others === true && !isSaid(ask, attribute, before)) put += 1;
      if (wasThere(stays, (stay) => isSaid(ask, attribute, stay), begunAt, answeredAt)) continue;
      const there = stays.filter(({ from, to }) => from <= answeredAt && to >= begunAt).map(stayText);
      wrong.push(
        `${username} ${attribute}: ${by} ${id} asked for ${ask.says ?? id} at ${begunAt} and was told ${outcome} at ${answeredAt}, and the pool had ${there.join(", then ")}`,
      );
    }
  }
  if (!asks.some(({ answered }) => answered)) wrong.push("nobody was told anything");
  const others = writes.filter((write) => write.others === true).length;
  if (others === 0) wrong.push("nobody else wrote anything");
  wrong.push(...writtenUnasked(on));
  const facts = {
    requests: asks.length,
    ...told,
    writesOfOthers: others,
    askedOverOthers: put,
    losses: model.losses.length,
  };
  return verdict(10, "what was told done was there, whoever else writes", facts, wrong);
}

function stayText(stay: Stay): string {
  return `${foundText(stay)}${stay.others ? " by somebody else" : ""} from ${stay.from}`;
}

/** Where a value that was told done is written again over somebody else's, and nobody had asked again. */
function writtenUnasked({ asks, writes, model, userKeys, evidence }: Standing): string[] {
  const asksOf = new Map<string, Ask[]>();
  for (const ask of asks) asksOf.set(ask.username, [...(asksOf.get(ask.username) ?? []), ask]);
  const wrong: string[] = [];
  for (const { username, unit, stays } of poolHistory(writes).units) {
    for (const [index, stay] of stays.entries()) {
      const over = stays[index - 1];
      if (stay.others || over?.others !== true) continue;
      const saying = (asksOf.get(username) ?? []).filter(
        (ask) => ask.attributes.includes(unit) && isSaid(ask, unit, stay),
      );
      if (saying.length === 0) continue;
      // One that is begun later does not explain it, and one that was not done by then does. A process that was killed
      // may have written before the one that answered began: it was asked when the request was first made.
      const isAsked = (ask: Ask, { begunAt, answeredAt }: Answered): boolean =>
        Math.min(begunAt, model.changes.get(ask.id)?.sentAt ?? begunAt) <= stay.from && answeredAt >= over.from;
      if (saying.some((ask) => !ask.answered || !isDone(ask, unit) || isAsked(ask, ask.answered))) continue;
      // A call that was given up may be applied after the one that was made in its place, while somebody asked for it.
      const isUnheard =
        evidence.unheard.has(stay.seq) &&
        saying.some(({ answered }) => (answered?.answeredAt ?? 0) >= stay.from - CALL_LASTS_MS);
      const written = { user: userKeys.get(username), unit, said: model.saying(stay.value), at: stay.from };
      const isLate = wasWrittenLate(evidence.lateSettles, written) || wasDoubted(evidence.lateSettles, written);
      if (isUnheard || isLate || isForgotten(model, stay, stays, saying, { username, unit })) continue;
      wrong.push(
        `${username} ${unit}: ${foundText(stay)} was written at ${stay.from} over somebody else's of ${over.from}, and nobody had asked for it again; ${historyOf(model, writes, username, unit)}`,
      );
    }
  }
  return wrong;
}

/** True where Redis may have forgotten that the value was settled: when it was asked for, or written before. */
function isForgotten(
  model: Standing["model"],
  stay: Stay,
  stays: readonly Stay[],
  saying: readonly Ask[],
  { username, unit }: { readonly username: string; readonly unit: string },
): boolean {
  const { changes } = model;
  const before = model.lossesOf(username, unit).filter((loss) => lostFrom(loss) <= stay.from);
  const isTouched = (from: number, to: number): boolean => mayBeLostBetween(before, from, to);
  const isSame = ({ value, others, from }: Stay): boolean => !others && value === stay.value && from < stay.from;
  return (
    stays.some((one) => isSame(one) && isTouched(one.from, one.from + SETTLED_WITHIN_MS)) ||
    saying.some(({ id, answered }) => {
      const { begunAt = -Infinity, answeredAt = Infinity } = answered ?? {};
      return isTouched(Math.min(begunAt, changes.get(id)?.sentAt ?? begunAt), answeredAt);
    })
  );
}

/**
 * 11: what a run counts as applied or unchanged was in the pool since the run put it; what `enqueue()` queued, in the
 * hour before as well. The books name no change, so it is counted: there are no fewer that were there.
 */
export async function judgeFound({ engine, model, writes }: Standing): Promise<Verdict> {
  const history = poolHistory(writes);
  /** Whoever had it, by what a change says of an attribute: who is named by an address may be anybody. */
  const anybodys = new Map<string, Stay[]>();
  for (const { unit, stays } of history.units) {
    for (const stay of stays) {
      const key = `${unit} ${stay.value}`;
      anybodys.set(key, [...(anybodys.get(key) ?? []), stay]);
    }
  }
  const there = (change: SentChange): number =>
    change.attributes.filter((attribute) => {
      const since = change.sentAt - (change.looks ? 0 : BELIEVED_MS);
      if (change.name) {
        const stays = anybodys.get(`${attribute} ${saidBy(change, attribute)}`) ?? [];
        return wasThere(stays, () => true, since - LIST_LAG_MS);
      }
      return wasThere(history.of(change.username, attribute), (stay) => isSaid(change, attribute, stay), since);
    }).length;
  const direct = directRunId(POOL);
  const counts = new Map<string, number>();
  for (const change of model.changes.values()) {
    const file = fileOf(change.id);
    const event = eventFeedOf(change.id);
    const of = file ?? event ?? direct;
    // A single change that was told twice was put twice; a file's row once a run, and an event once.
    counts.set(of, (counts.get(of) ?? 0) + there(change) * (of === direct ? change.times : 1));
  }
  const wrong: string[] = [];
  let looked = 0;
  let unchanged = 0;
  for (const { id, feed } of await engine.store.runs.list(100_000)) {
    const found = counts.get(id) ?? counts.get(feed);
    if (found === undefined) continue;
    looked += 1;
    const books = await engine.store.runs.books(id);
    unchanged += books.unchanged;
    if (books.applied + books.unchanged > found)
      wrong.push(
        `${id} of ${feed} counts ${books.applied} applied and ${books.unchanged} unchanged, and only ${found} of its values were in the pool`,
      );
  }
  return verdict(11, "what a run counts as applied or unchanged was in the pool", { runs: looked, unchanged }, wrong);
}
