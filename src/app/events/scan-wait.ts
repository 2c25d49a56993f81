/** What events wait for a scan of their pool, as the store keeps it for those who ask: a note a pool. */
import { z } from "zod";
import { isAnswered } from "../../core/account-scan.ts";
import { sentence, type Sentence } from "../../core/sentence.ts";
import { printable } from "../../core/masking.ts";
import type { Store } from "../../store/store.ts";

export interface ScanWait {
  /** Epoch ms: when the latest of them came. */
  readonly since: number;
  /** Epoch ms: when they are looked at again. */
  readonly until: number;
  /** The feeds that they are of, and the attributes by which these name people. */
  readonly feeds: readonly string[];
  readonly attributes: readonly string[];
}

const texts = z.array(z.string());
const scanWait = z.object({ since: z.number(), until: z.number(), feeds: texts, attributes: texts });

const noteOf = (pool: string): string => `scan-wait ${pool}`;

/** Undefined where none waits: a scan was made since. */
export async function readScanWait(
  store: Pick<Store, "getValue" | "accounts">,
  pool: string,
): Promise<ScanWait | undefined> {
  const wait = waitIn(await store.getValue(noteOf(pool)));
  if (wait === undefined) return undefined;
  const scannedAt = scannedOf(await store.accounts.scanned(pool), wait.attributes);
  return isAnswered(scannedAt, wait.since) ? undefined : wait;
}

function waitIn(text = ""): ScanWait | undefined {
  try {
    return scanWait.safeParse(JSON.parse(text)).data;
  } catch {
    // Another program may have broken it. Whoever waits writes it anew.
    return undefined;
  }
}

/** When the last whole scan began that has seen all of these attributes; undefined where there was none. */
export function scannedOf(scanned: ReadonlyMap<string, number>, attributes: readonly string[]): number | undefined {
  const times = attributes.map((attribute) => scanned.get(attribute));
  return times.includes(undefined) ? undefined : Math.min(...times.map((at = 0) => at));
}

export async function noteScanWait(store: Pick<Store, "setValue">, pool: string, wait: ScanWait): Promise<void> {
  await store.setValue(noteOf(pool), JSON.stringify(wait));
}

/** For one who asks about a user, or about a name that nobody has. */
export async function scanWaitSentences(
  store: Pick<Store, "getValue" | "accounts">,
  pool: string,
): Promise<Sentence[]> {
  const wait = await readScanWait(store, pool);
  if (wait === undefined) return [];
  const until = new Date(wait.until).toISOString();
  const feeds = wait.feeds.map(printable).join(", ");
  return [
    sentence`Events of ${feeds} name somebody by a value that the last scan of the pool did not find, and wait for the next one until about ${until}: one of them may be for this user.`,
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
