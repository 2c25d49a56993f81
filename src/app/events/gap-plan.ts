/**
 * A sender that lost what changed says so (`gap`): only the whole export has it. A feed with a schedule is run for it now,
 * and not only when its time comes; any other is somebody's to plan, as the parked event says.
 */
import type { Log } from "../../log.ts";
import type { Engine } from "../../queues/engine.ts";
import { orderSpaced, scheduledTimes } from "../../queues/schedules.ts";
import type { ParkedReason } from "./read-event.ts";

/** A gap rarely comes alone, and a pass reads the whole pool. One that comes after a pass began needs another one. */
const SPAN_MS = 3_600_000;

/** `reasons` of what is about to be parked: where it is asked for first, no event is parked without. */
export async function planAfterGap(
  { kind, queues }: Pick<Engine, "kind" | "queues">,
  log: Log,
  feed: string,
  reasons: Iterable<ParkedReason>,
): Promise<void> {
  if (kind !== "redis" || !new Set(reasons).has("gap")) return;
  if (!(await scheduledTimes(queues)).some((one) => one.feed === feed)) return;
  await orderSpaced(queues, feed, SPAN_MS);
  log.warn({ feed }, "plan asked for after a gap");
}
