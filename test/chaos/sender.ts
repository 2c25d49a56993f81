/**
 * A sender of events, which knows what it has sent and what it was answered. What was not answered with 2xx it sends again,
 * with the same id; besides it sends twice, late and out of order, cuts requests, and other things that senders do, or
 * somebody who is none.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import { until } from "../support/condition.ts";
import type { EventLoad, PlannedEvent } from "./events.ts";
import type { Model } from "./model.ts";
import { drawManner, exchange, garbageOf, PLAIN, requestOf, type Manner } from "./raw-request.ts";

export interface SentEvent extends PlannedEvent {
  /** When its request was written whole for the first time, epoch ms; absent where it never was. */
  wholeAt?: number;
  /** How often it was. */
  tries: number;
  /** Of each answer. */
  readonly statuses: number[];
  /** The first 2xx, and when the try began that was answered so. */
  acked?: { readonly begunAt: number; readonly at: number };
}

export interface SenderDeps {
  readonly model: Model;
  readonly load: EventLoad;
  readonly random: Random;
  readonly perSecond: number;
  /** Where events are taken now. */
  readonly ports: () => readonly number[];
}

export interface Sender {
  readonly all: readonly SentEvent[];
  /** Statuses that were answered to bytes that are no request of anybody's. */
  readonly toGarbage: readonly number[];
  /** Genuine events that are not acknowledged yet. */
  readonly underWay: number;
  /** No more new ones. */
  enough(): void;
  /** Resolves when each is answered for good, after {@link enough}. */
  finish(): Promise<void>;
  /** Gives up. */
  stop(): void;
}

const TICK_MS = 100;
const MOST_UNDER_WAY = 40;
/** Longer than the store may take. */
const ANSWERED_WITHIN_MS = 6_000;
const AGAIN_MS = 500;
const HELD_BACK_MS = 5_000;
const [HELD_BACK, TWICE, CUT_FIRST, AGAIN_AFTERWARDS, GARBAGE] = [0.2, 0.1, 0.1, 0.1, 0.04];
/** Of these nothing may be taken. */
const REFUSED = new Set<PlannedEvent["kind"]>(["forged", "late", "early", "cut"]);
export const isTaken = (status: number): boolean => status >= 200 && status < 300;
/** To be sent again. */
export const isPassing = (status: number): boolean => status === 429 || status >= 500;

export const isRefused = ({ kind }: Pick<PlannedEvent, "kind">): boolean => REFUSED.has(kind);

export function startSender({ model, load, random, perSecond, ports }: SenderDeps): Sender {
  const all: SentEvent[] = [];
  const toGarbage: number[] = [];
  const underWay = new Set<Promise<void>>();
  let [owed, genuine, isOver] = [0, 0, false];

  const portOf = (): number | undefined => {
    const open = ports();
    return open[random.below(Math.max(1, open.length))];
  };
  const requestFor = (event: PlannedEvent) => ({
    path: `/events/${event.feed}`,
    headers: event.headers(Date.now()),
    body: event.body,
  });

  async function attempt(event: SentEvent, port: number, manner: Manner): Promise<void> {
    const begunAt = Date.now();
    if (manner.cutAt === undefined) {
      event.tries += 1;
      event.wholeAt ??= begunAt;
      for (const change of event.changes) model.sent(change, begunAt);
    }
    const statuses = await requestOf(port, requestFor(event), manner, ANSWERED_WITHIN_MS);
    event.statuses.push(...statuses);
    if (!statuses.some(isTaken)) return;
    const at = Date.now();
    event.acked ??= { begunAt, at };
    for (const { id } of event.changes) model.acked(id, at);
  }

  /** At once, where somebody listens: else a moment later. */
  async function tryOnce(event: SentEvent, manner: Manner): Promise<void> {
    const port = portOf();
    if (port === undefined) return sleep(AGAIN_MS);
    await attempt(event, port, manner);
  }

  async function deliver(event: SentEvent): Promise<void> {
    if (random.chance(HELD_BACK)) await sleep(random.next() * HELD_BACK_MS);
    const cut = { ...PLAIN, chunked: random.chance(0.3), pieces: 1 + random.below(3), cutAt: random.next() };
    if (event.kind === "cut") return tryOnce(event, cut);
    if (isRefused(event)) return tryOnce(event, drawManner(random));
    if (random.chance(CUT_FIRST)) await tryOnce(event, cut);
    const isFinal = (): boolean => event.statuses.some((status) => !isPassing(status));
    while (!isOver && !isFinal()) {
      const manners = random.chance(TWICE) ? [drawManner(random), PLAIN] : [drawManner(random)];
      await Promise.all(manners.map((manner) => tryOnce(event, manner)));
      if (!isFinal()) await sleep(AGAIN_MS * (1 + random.next()));
    }
    if (!random.chance(AGAIN_AFTERWARDS) || isOver) return;
    // As one whose answer was lost.
    await sleep(random.next() * HELD_BACK_MS);
    await tryOnce(event, PLAIN);
  }

  async function garbage(event: PlannedEvent): Promise<void> {
    const port = portOf();
    if (port === undefined) return;
    const bytes = garbageOf(random, requestFor(event));
    const how = { pieces: 1 + random.below(3), halfCloses: random.chance(0.5), isCut: random.chance(0.5) };
    toGarbage.push(...(await exchange(port, bytes, how, ANSWERED_WITHIN_MS)));
  }

  function begin(act: Promise<void>): void {
    const one = act.finally(() => underWay.delete(one));
    underWay.add(one);
  }

  const timer = setInterval(() => {
    if (ports().length === 0) return;
    owed = Math.min(owed + (perSecond * TICK_MS) / 1000, perSecond);
    for (; owed >= 1; owed -= 1) {
      if (underWay.size >= MOST_UNDER_WAY) continue;
      const event: SentEvent = { ...load.event(Date.now()), tries: 0, statuses: [] };
      all.push(event);
      const isSound = !isRefused(event);
      if (isSound) genuine += 1;
      begin(deliver(event).finally(() => (genuine -= isSound ? 1 : 0)));
      if (event.kind === "forged" || random.chance(GARBAGE)) begin(garbage(event));
    }
  }, TICK_MS);

  return {
    all,
    toGarbage,
    get underWay() {
      return genuine;
    },
    enough: () => clearInterval(timer),
    async finish() {
      await until("every event is answered for good", () => underWay.size === 0, 240_000);
    },
    stop() {
      clearInterval(timer);
      isOver = true;
    },
  };
}
