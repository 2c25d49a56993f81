/** How reads are tried again and reported: in the log, and in a sentence to the person at the terminal. */
import { READS_WITHIN_MS, type Reads, type WaitingRead } from "../cognito/read-retry.ts";
import { networkWords } from "../core/network-words.ts";
import type { Log } from "../log.ts";

/** A read that is answered sooner is not reported. */
const REPORT_FROM_MS = 1_000;
const REPORT_EVERY_MS = 10_000;
/** But what looks like a wrong address is, at once: whoever typed it need not wait to learn it. */
const WRONG_ADDRESS =
  /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EPROTO|HTTPParserError|HPE_\w+|ERR_SSL_WRONG_VERSION_NUMBER)$/;

export interface ReportedReads extends Omit<Reads, "withinMs"> {
  /** 30 seconds unless said; Infinity: for ever. */
  readonly withinMs?: number;
  readonly say?: (sentence: string) => void;
}

export function reportedReads(log: Log, options: ReportedReads = {}): Reads {
  const { withinMs = READS_WITHIN_MS, say, onWait, ...rest } = options;
  /** When each read was reported last. */
  const reportedAt = new Map<string, number>();
  return {
    ...rest,
    withinMs,
    onWait(waiting) {
      onWait?.(waiting);
      const { operation, pool, kind, name, endpoint, forMs } = waiting;
      const what = `${operation} ${pool} ${kind}`;
      const now = performance.now();
      const isSoon = forMs < REPORT_FROM_MS && !WRONG_ADDRESS.test(name);
      if (isSoon || now - (reportedAt.get(what) ?? -Infinity) < REPORT_EVERY_MS) return;
      reportedAt.set(what, now);
      log.warn(
        { pool, operation, kind, reason: reasonOf(name), endpoint, forMs: Math.round(forMs) },
        "read tried again",
      );
      say?.(sentenceOf(waiting, withinMs));
    },
  };
}

function sentenceOf({ operation, pool, kind, name, endpoint, forMs }: WaitingRead, withinMs: number): string {
  const until = Number.isFinite(withinMs)
    ? `for ${Math.ceil((withinMs - forMs) / 1000)} more seconds at most`
    : "until it answers";
  const who = endpoint === undefined ? "Cognito" : `Cognito at ${endpoint}`;
  // The others say it by their kind.
  const reason = kind === "network" || kind === "unknown" ? reasonOf(name) : undefined;
  const words = reason === undefined ? undefined : networkWords(reason);
  const why = words === undefined ? ` (${reason === undefined ? kind : `${kind}, ${reason}`})` : `: ${words}`;
  return `${who} did not answer ${operation} for pool ${pool}${why}. It is asked again, ${until}.`;
}

/** What answers may be anything, and say anything. */
function reasonOf(name: string): string | undefined {
  return /^\w{1,50}$/.test(name) ? name : undefined;
}
