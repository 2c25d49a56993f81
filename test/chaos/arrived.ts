/** 19: an event that was acknowledged is there and counts once, and of what is none nothing is. */
import { JOB_SCHEME } from "../../src/app/events/job-change.ts";
import { CHANGES_QUEUE } from "../../src/queues/change-jobs.ts";
import type { Engine } from "../../src/queues/engine.ts";
import type { InboxCounts } from "../../src/store/inbox.ts";
import { eventId } from "../../src/store/sealed-event.ts";
import type { BrokenDocument } from "./breaking.ts";
import { CLOCK_SLACK_MS, mayBeLostBetween } from "./evidence.ts";
import { EVENT_FEEDS, eventFeedOf, isNever, QUEUE_FEED, type PlannedJob } from "./events.ts";
import { changeIdOf } from "./model.ts";
import { isPassing, isRefused, isTaken, type SentEvent } from "./sender.ts";
import { POOL } from "./service.ts";
import { verdict, type Standing, type Verdict } from "./verdict.ts";

/** What was sent. */
export interface Sending {
  readonly events: readonly SentEvent[];
  readonly toGarbage: readonly number[];
  readonly jobs: readonly PlannedJob[];
}

/** What the store has of it, when everything was delivered. */
export interface ArrivedFacts extends Sending {
  readonly counts: InboxCounts;
  readonly verified: { readonly lost: number; readonly miscounted: number };
  /** Why, by the id of the event; or by the entry's where no event has it. */
  readonly parked: ReadonlyMap<string, string>;
  /** When they arrived that the store knows, by the event's or job's id. */
  readonly arrivedAt: ReadonlyMap<string, number>;
  /** How many units all runs of a feed's events have received. */
  readonly received: ReadonlyMap<string, number>;
  /** Jobs that nobody has moved. */
  readonly jobsLeft: number;
}

export async function jobsIn({ queues }: Pick<Engine, "queues">, queue: string): Promise<number> {
  const counts = await queues.queue(queue).getJobCounts();
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** How many are no changes yet; on Redis with jobs that nobody has moved. */
export async function eventsLeft(engine: Pick<Engine, "kind" | "store" | "queues">): Promise<number> {
  const { waiting, ahead, taken } = await engine.store.inbox.counts();
  return waiting + ahead + taken + (engine.kind === "redis" ? await jobsIn(engine, CHANGES_QUEUE) : 0);
}

/** Anything goes in. */
const NO_LIMITS = { entries: Infinity, bytes: Infinity };

/** Once nobody drains any more: what the store does not know is in it afterwards. */
export async function lookAtInbox(
  engine: Pick<Engine, "kind" | "store" | "keyring" | "queues">,
  sending: Sending,
  broken: readonly BrokenDocument[],
): Promise<ArrivedFacts> {
  const { store, keyring } = engine;
  const { inbox, runs } = store;
  const jobsLeft = engine.kind === "redis" ? await jobsIn(engine, CHANGES_QUEUE) : 0;
  const [counts, verified] = [await inbox.counts(), await inbox.verify()];
  const entries = [
    ...sending.events.map(({ id, feed }) => ({
      own: id,
      feed,
      entry: eventId(keyring, { feed, scheme: "standard-webhooks" }, id),
    })),
    ...sending.jobs.map(({ order: { id } }) => ({
      own: id,
      feed: POOL,
      entry: eventId(keyring, { feed: POOL, scheme: JOB_SCHEME }, id),
    })),
  ];
  const byEntry = new Map(entries.map(({ own, entry }) => [entry, own]));
  const parked = new Map<string, string>();
  for await (const { id, feed, reason } of inbox.parked({}))
    if (feed !== QUEUE_FEED) parked.set(byEntry.get(id) ?? id, reason);
  const received = new Map<string, number>();
  const ofEvents = [
    ...(await runs.list(100_000)).filter(({ source }) => source === "events"),
    ...broken.flatMap(({ place, feed }) => (feed === undefined ? [] : [{ id: place, feed }])),
  ];
  for (const { id, feed } of new Map(ofEvents.map((run) => [run.id, run])).values())
    received.set(feed, (received.get(feed) ?? 0) + (await runs.books(id)).received);
  const arrivedAt = new Map<string, number>();
  const known = entries.map(async ({ own, feed, entry }) => {
    const added = await inbox.add([{ id: entry, feed, body: "asked for" }], NO_LIMITS);
    const [answer] = added === "full" ? [] : added;
    if (answer?.is === "repeated") arrivedAt.set(own, answer.arrivedAt);
  });
  await Promise.all(known);
  return { ...sending, counts, verified, parked, arrivedAt, received, jobsLeft };
}

/**
 * 19: what was answered with 2xx is known to the store, arrived before the answer, and is a change or parked with its
 * reason; a run of events has received each unit once. Nothing genuine was refused, nothing of a forged, late, early or cut
 * request is known, and its values are nowhere. The inbox is empty but for what is parked, and finds nothing to put right.
 */
export function judgeArrived({ model, writes }: Standing, facts: ArrivedFacts): Verdict {
  const { events, toGarbage, jobs, counts, verified, parked, arrivedAt, received, jobsLeft } = facts;
  const wrong: string[] = [];
  const told = { acknowledged: 0, sentAgain: 0, keptUnanswered: 0, refused: 0, cut: 0, maybeLost: 0 };
  for (const event of events) {
    const { id, kind, statuses, wholeAt = Infinity, acked, tries } = event;
    const knownAt = arrivedAt.get(id);
    if (isRefused(event)) {
      if (kind === "cut") told.cut += 1;
      else if (statuses.length > 0) told.refused += 1;
      if (statuses.some(isTaken)) wrong.push(`${id}, which is ${kind}, was answered with ${statuses.join(", ")}`);
      if (knownAt !== undefined) wrong.push(`${id}, which is ${kind}, arrived at ${knownAt}`);
      continue;
    }
    const refusal = statuses.find((status) => !isTaken(status) && !isPassing(status));
    if (refusal !== undefined) wrong.push(`${id}, which is genuine, was answered with ${refusal}`);
    if (tries > 1) told.sentAgain += 1;
    if (!acked) continue;
    told.acknowledged += 1;
    if (mayBeLostBetween(model.losses, wholeAt, acked.at)) {
      told.maybeLost += 1;
      continue;
    }
    if (knownAt === undefined) wrong.push(`${id} was acknowledged at ${acked.at}, and the store does not know it`);
    else if (knownAt < wholeAt - CLOCK_SLACK_MS || knownAt > acked.at + CLOCK_SLACK_MS)
      wrong.push(`${id} was sent from ${wholeAt} to ${acked.at}, and arrived at ${knownAt}`);
    else if (knownAt < acked.begunAt - CLOCK_SLACK_MS) told.keptUnanswered += 1;
    if (parked.get(id) !== event.parkedAs)
      wrong.push(`${id} is ${parkedText(parked.get(id))}, and was to be ${parkedText(event.parkedAs)}`);
  }
  const known = new Map(events.map((event) => [event.id, event]));
  for (const [id, reason] of parked)
    if (known.get(id)?.parkedAs !== reason) wrong.push(`${id} is parked as ${reason}, and was not to be`);
  for (const { order } of jobs) {
    const change = model.changes.get(order.id);
    if (change?.ackedAt !== undefined && !model.mayBeLost(change) && !arrivedAt.has(order.id))
      wrong.push(`the job ${order.id} was added at ${change.ackedAt}, and the store does not know it`);
  }
  for (const status of toGarbage)
    if (isTaken(status)) wrong.push(`bytes that are no event were answered with ${status}`);
  for (const { at, username, attributes, others = false } of writes)
    for (const [name, value] of Object.entries(attributes))
      if (!others && isNever(changeIdOf(value)))
        wrong.push(`${username}'s ${name} is ${changeIdOf(value)} at ${at}, which no event says that was to be taken`);

  const most = new Map<string, number>();
  const least = new Map<string, number>();
  for (const change of model.changes.values()) {
    const feed = eventFeedOf(change.id);
    if (feed === undefined) continue;
    most.set(feed, (most.get(feed) ?? 0) + change.attributes.length);
    if (change.ackedAt === undefined || model.mayBeLost(change)) continue;
    least.set(feed, (least.get(feed) ?? 0) + change.attributes.length);
  }
  let units = 0;
  for (const feed of Object.values(EVENT_FEEDS)) {
    const [there, from, to] = [received, least, most].map((of) => of.get(feed) ?? 0) as [number, number, number];
    units += there;
    if (there < from || there > to)
      wrong.push(`runs of ${feed}'s events received ${there} units, and ${from} to ${to} were sent`);
  }
  const { waiting, ahead, taken } = counts;
  if (waiting + ahead + taken > 0) wrong.push(`the inbox has ${waiting} that wait, ${ahead} ahead and ${taken} taken`);
  if (verified.lost + verified.miscounted > 0)
    wrong.push(`the inbox had lost ${verified.lost} places, and ${verified.miscounted} counts were wrong`);
  if (jobsLeft > 0) wrong.push(`${jobsLeft} jobs are left`);
  if (told.acknowledged === 0) wrong.push("no event was acknowledged");
  return verdict(
    19,
    "what was acknowledged is there and counts once, and nothing is there of what is no event",
    {
      events: events.length,
      ...told,
      answersToGarbage: toGarbage.length,
      jobs: jobs.length,
      parked: parked.size,
      units,
    },
    wrong,
  );
}

const parkedText = (reason: string | undefined): string =>
  reason === undefined ? "not parked" : `parked as ${reason}`;
