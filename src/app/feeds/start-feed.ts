/** Runs a feed with a schedule now, and not only when its time comes. */
import { printable } from "../../core/masking.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Engine } from "../../queues/engine.ts";
import { orderNow, scheduledTimes } from "../../queues/schedules.ts";
import { AppError } from "../app-error.ts";
import { pausedSentence, scheduleOf } from "../gates/pause.ts";
import { latestFileRuns } from "../plans/make-plans.ts";

export interface StartedFeed {
  /** How many directory workers are alive to take the order. */
  readonly workers: number;
  /** The feed's last run, where it was cancelled: the same content is left alone. */
  readonly cancelled: string | undefined;
}

/**
 * Gives the order that the schedule would give. Throws an AppError `no-schedule` for a feed that has none in this
 * namespace, and `paused`.
 */
export async function startFeed({ kind, store, queues }: Engine, feed: string): Promise<StartedFeed> {
  const scheduled = kind === "redis" ? await scheduledTimes(queues) : [];
  if (!scheduled.some((one) => one.feed === feed)) {
    const there = scheduled.length === 0 ? "none has" : `there are: ${scheduled.map((one) => one.feed).join(", ")}`;
    throw new AppError(
      "no-schedule",
      sentence`Expected a feed that has a schedule in this namespace, got \`${printable(feed)}\` (${there}): a directory worker places those of its poolsync.yaml, and ${nextStep("sync", "--feed", feed)} runs any feed.`,
    );
  }
  const paused = await scheduleOf(store, feed);
  if (paused !== undefined) throw new AppError("paused", pausedSentence(paused));
  await orderNow(queues, feed);
  const last = (await latestFileRuns(store.runs)).find((run) => run.feed === feed);
  return {
    workers: (await store.workers.list()).filter(({ does }) => does === "schedules").length,
    cancelled: last?.state === "cancelled" ? last.id : undefined,
  };
}
