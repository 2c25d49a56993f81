import { discard } from "../../delivery/replay.ts";
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { groupLetters } from "./letter-groups.ts";

export interface DiscardRequest {
  readonly filters: readonly LetterFilter[];
  /** Letters that are buried later are not meant. Epoch ms. */
  readonly until: number;
  readonly limit?: number | undefined;
  /** Counts them only. */
  readonly dryRun: boolean;
}

/** Takes dead letters away for good. Answers how many. */
export async function discardLetters(
  engine: Engine,
  { filters, until, limit, dryRun }: DiscardRequest,
): Promise<number> {
  if (dryRun) {
    const groups = await groupLetters(engine, filters, limit);
    return groups.reduce((sum, { letters }) => sum + letters, 0);
  }
  let discarded = 0;
  for (const filter of filters) {
    const left = limit === undefined ? {} : { limit: limit - discarded };
    discarded += await discard(engine, { until, ...filter, ...left });
  }
  return discarded;
}
