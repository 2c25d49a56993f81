/**
 * When a pool is scanned to learn whom values mean that nobody can be asked for, and until when who waits for such a scan
 * waits. All times are epoch ms by the store's clock.
 */

/** One scan serves all who wait for one, and no other is begun for this long: it takes of UserList what plans and looks need. */
export const LEAST_BETWEEN_SCANS_MS = 10 * 60_000;
/** Who waits is looked at again so often at most, and so often at least once the scan should have ended. */
const SOONEST_LOOK_MS = 1_000;
const LATEST_LOOK_MS = 60_000;
/** Of a scan that takes longer than was expected so much more is waited for: a part of what it took. */
const MORE_OF_IT = 4;

export interface ScanFacts {
  /** When the last whole scan began that has all attributes; absent where there was none. */
  readonly scannedAt: number | undefined;
  /** When the latest came of those whom no scan has seen that began since; absent where nobody is looked for. */
  readonly wantedSince: number | undefined;
  /** How old the last scan may grow; absent where nobody minds. */
  readonly rescanMs: number | undefined;
}

/** True where what a scan saw says something of what came `since`. */
export function isAnswered(scannedAt: number | undefined, since: number): boolean {
  return scannedAt !== undefined && scannedAt >= since;
}

/** When the next scan may begin; undefined where none is wanted. */
export function nextScanAt({ scannedAt, wantedSince, rescanMs }: ScanFacts): number | undefined {
  const isWanted = wantedSince !== undefined && !isAnswered(scannedAt, wantedSince);
  if (scannedAt === undefined) return isWanted || rescanMs !== undefined ? 0 : undefined;
  if (isWanted) return scannedAt + LEAST_BETWEEN_SCANS_MS;
  return rescanMs === undefined ? undefined : scannedAt + rescanMs;
}

export interface ScanProspect {
  /** When the scan that serves can begin; in the past where it can now. */
  readonly beginsAt: number;
  /** It is under way. */
  readonly isUnderWay: boolean;
  readonly expectedMs: number;
}

/** When who waits for a scan is looked at again. */
export function lookAgainAt({ beginsAt, isUnderWay, expectedMs }: ScanProspect, nowMs: number): number {
  const endsAt = (isUnderWay ? beginsAt : Math.max(beginsAt, nowMs)) + expectedMs;
  const more = Math.min(LATEST_LOOK_MS, (nowMs - beginsAt) / MORE_OF_IT);
  return Math.max(endsAt, nowMs + (isUnderWay ? more : 0), nowMs + SOONEST_LOOK_MS);
}
