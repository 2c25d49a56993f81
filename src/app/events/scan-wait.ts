/** What events wait for a scan of their pool, as the store keeps it for those who ask: a note a pool. */
import { z } from "zod";
import { sentence, type Sentence } from "../../core/sentence.ts";
import { printable } from "../../core/masking.ts";
import type { Store } from "../../store/store.ts";

export interface ScanWait {
  /** Epoch ms: when the latest of them came. */
  readonly since: number;
  /** Epoch ms: when they are looked at again. */
  readonly until: number;
  /** The feeds that they are of. */
  readonly feeds: readonly string[];
}

const scanWait = z.object({ since: z.number(), until: z.number(), feeds: z.array(z.string()) });

const noteOf = (pool: string): string => `scan-wait ${pool}`;

export async function readScanWait(store: Pick<Store, "getValue">, pool: string): Promise<ScanWait | undefined> {
  const text = await store.getValue(noteOf(pool));
  if (text === undefined || text === "") return undefined;
  try {
    return scanWait.safeParse(JSON.parse(text)).data;
  } catch {
    // Another program may have broken it. Whoever waits writes it anew.
    return undefined;
  }
}

export async function noteScanWait(store: Pick<Store, "setValue">, pool: string, wait?: ScanWait): Promise<void> {
  await store.setValue(noteOf(pool), wait === undefined ? "" : JSON.stringify(wait));
}

/** For one who asks about a user, or about a name that nobody has. */
export async function scanWaitSentences(store: Pick<Store, "getValue">, pool: string): Promise<Sentence[]> {
  const wait = await readScanWait(store, pool);
  if (wait === undefined) return [];
  const until = new Date(wait.until).toISOString();
  const feeds = wait.feeds.map(printable).join(", ");
  return [
    sentence`Events of ${feeds} name somebody by a value that the last scan of the pool did not find, and wait for the next one until about ${until}: one of them may be of this user.`,
  ];
}

/** Under this name it is noted when somebody had events looked at again that named nobody, or several. */
const DEMANDED = "scan-demanded";

/** Events that go back to the inbox by hand are answered by no scan that began before. */
export async function demandScan(store: Pick<Store, "now" | "setValue">): Promise<void> {
  await store.setValue(DEMANDED, String(await store.now()));
}

/** Epoch ms; 0 where that was never. */
export async function scanDemandedAt(store: Pick<Store, "getValue">): Promise<number> {
  return Number(await store.getValue(DEMANDED)) || 0;
}
