/** When faults have ended: what was asked for is written over by somebody else, and asked for again. */
import { ASKED, type Asks } from "./asks.ts";
import type { FeedFile, Load } from "./load.ts";
import type { Others } from "./others.ts";

export interface AgainMeans {
  readonly asks: Asks;
  readonly others: Pick<Others, "over">;
  readonly load: Load;
  /** Resolves when every single request that there is is answered. */
  readonly answerAll: () => Promise<void>;
  readonly putFile: (feed: FeedFile) => Promise<void>;
}

/** How many rows of the file are written over. */
const ROWS_OVER = 24;

export async function askAgain({ asks, others, load, answerAll, putFile }: AgainMeans): Promise<void> {
  const asked = new Set(asks.latest.map(({ username }) => username));
  asks.round(ASKED.filter((username) => !asked.has(username)));
  await answerAll();
  const rows = load.lastRows.filter(({ username }) => !load.missing.has(username)).slice(0, ROWS_OVER);
  await others.over([...asks.latest, ...rows]);
  asks.round(ASKED);
  await answerAll();
  if (rows.length > 0) await putFile(load.feedAgain(Date.now()));
}
