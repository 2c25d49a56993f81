/** What the pace is tried on: who else takes from the quota, and when. */
import { simulate, type Controller, type Outcome, type Scene } from "./pace-simulation.ts";

export const QUOTAS = [25, 50, 200] as const;

export interface NamedScene {
  readonly name: string;
  readonly about: string;
  /** The scene of the quota; `phase` from 0 up to 1 shifts what comes and goes. */
  of(quotaPerSecond: number, phase: number): Scene;
}

const PERIOD_MS = 20_000;
const SPIKE_MS = 1_500;

const scene = (quotaPerSecond: number, others: Scene["others"], more: Partial<Scene> = {}): Scene => ({
  quotaPerSecond,
  burstSeconds: 1,
  ceilingPerSecond: quotaPerSecond,
  others,
  ...more,
});

export const SCENES = [
  { name: "a", about: "nobody else", of: (quota) => scene(quota, () => 0) },
  { name: "b", about: "others take a constant 30 %", of: (quota) => scene(quota, () => 0.3) },
  {
    name: "c",
    about: "others come and go, 0 and 40 %, every 20 s",
    of: (quota, phase) => scene(quota, (at) => (Math.floor(at / PERIOD_MS + 2 * phase) % 2 === 0 ? 0 : 0.4)),
  },
  {
    name: "d",
    about: "a ceiling of twice the quota",
    of: (quota) => scene(quota, () => 0, { ceilingPerSecond: 2 * quota }),
  },
  {
    name: "fifth",
    about: "(b), with a burst of a fifth of a second",
    of: (quota) => scene(quota, () => 0.3, { burstSeconds: 0.2 }),
  },
  {
    name: "spikes",
    about: "others take all of it for 1.5 s, every 20 s",
    of: (quota, phase) => scene(quota, (at) => ((at + phase * PERIOD_MS) % PERIOD_MS < SPIKE_MS ? 1 : 0)),
  },
] as const satisfies readonly NamedScene[];

export type SceneName = (typeof SCENES)[number]["name"];

/** One run of a scene; the golden ratio spreads the phases of a few seeds evenly. */
export function play(name: SceneName, quota: number, create: (scene: Scene) => Controller, nth: number): Outcome {
  const found: NamedScene | undefined = SCENES.find((each) => each.name === name);
  if (!found) throw new Error(`Expected a scene, got ${name}`);
  const played = found.of(quota, (nth * 0.618_034) % 1);
  return simulate(played, create(played), nth * 7919 + quota);
}

export const DISTURBANCES = [
  { name: "redis", about: "Redis is away for 2 s", ms: 2_000 },
  { name: "burst", about: "others take all of it for 5 s", ms: 5_000 },
] as const;

export type DisturbanceName = (typeof DISTURBANCES)[number]["name"];

const FROM_MS = 15_000;
const GOOD = 0.98;
/** Two seconds are the least in which 0.98 of 25 a second can be told from less. */
const WINDOW = 20;

/** Seconds from the end of a disturbance of (a) until 0.98 of the quota is granted in two seconds. */
export function secondsUntilBack(
  name: DisturbanceName,
  quota: number,
  create: (scene: Scene) => Controller,
  nth: number,
): number {
  const end = FROM_MS + (DISTURBANCES.find((each) => each.name === name)?.ms ?? 0);
  const isOn = (at: number): boolean => at >= FROM_MS && at < end;
  const disturbed =
    name === "burst"
      ? scene(quota, (at) => (isOn(at) ? 1 : 0), { seconds: 40 })
      : scene(quota, () => 0, { seconds: 40, away: { from: FROM_MS, to: end } });
  const { granted } = simulate(disturbed, create(disturbed), nth * 31 + quota);
  for (let tenth = end / 100; tenth + WINDOW < granted.length; tenth += 1) {
    const sum = granted.slice(tenth, tenth + WINDOW).reduce((total, each) => total + each, 0);
    if (sum >= (GOOD * quota * WINDOW) / 10) return tenth / 10 - end / 1000;
  }
  return Infinity;
}
