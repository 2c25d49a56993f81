/** Throttles that come soon after one another are one episode: it is told when it begins and when it is over. */

/** Throttles with less than ten seconds between them. Worth a log line each time, unlike a throttle. */
export type Episode =
  | { readonly is: "began"; readonly bucket: string; readonly ratePerSecond: number }
  | { readonly is: "ended"; readonly bucket: string; readonly throttled: number; readonly lastedMs: number };

const EPISODE_QUIET_MS = 10_000;

export interface ThrottleEpisodes {
  /** Counts a throttle; true where it is the first of an episode. */
  count(): boolean;
  /** Tells of the episode that has begun. */
  begin(ratePerSecond: number): void;
  close(): void;
}

export function watchEpisodes(bucket: string, tell: (episode: Episode) => void = () => undefined): ThrottleEpisodes {
  let current: { since: number; last: number; throttled: number; timer: NodeJS.Timeout } | undefined;
  const end = (): void => {
    if (!current) return;
    const { since, last, throttled, timer } = current;
    clearTimeout(timer);
    current = undefined;
    tell({ is: "ended", bucket, throttled, lastedMs: Math.round(last - since) });
  };
  return {
    count() {
      const now = performance.now();
      if (current) {
        current.last = now;
        current.throttled += 1;
        current.timer.refresh();
        return false;
      }
      current = { since: now, last: now, throttled: 1, timer: setTimeout(end, EPISODE_QUIET_MS).unref() };
      return true;
    },
    begin: (ratePerSecond) => tell({ is: "began", bucket, ratePerSecond }),
    close: end,
  };
}
