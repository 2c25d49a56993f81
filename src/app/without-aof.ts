/** A Redis without an append-only file forgets what it holds when it restarts: whoever relies on it is told. */
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";

export const WITHOUT_AOF =
  "Redis keeps no append-only file: when it restarts, what came since its last snapshot is gone, or everything. Set `appendonly yes` in its configuration.";

/** At the start of what puts or delivers. */
export function reportWithoutAof(
  { withoutAof }: Store,
  { log, say }: { readonly log: Log; readonly say?: ((sentence: string) => void) | undefined },
): void {
  if (!withoutAof) return;
  log.warn({}, "Redis keeps no append-only file");
  say?.(WITHOUT_AOF);
}

/** For whoever asks a worker whether it is ready. Somebody may have mended it since. */
export function notesWithoutAof({ withoutAof }: Store): readonly string[] {
  return withoutAof ? [`As this process started: ${WITHOUT_AOF}`] : [];
}
