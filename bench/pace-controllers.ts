/** The rule of poolsync and what it is compared with, for the simulation. */
import { freshPace, reserve, throttled, type PaceState } from "../src/core/pace.ts";
import type { Controller, Scene } from "./pace-simulation.ts";

export interface NamedController {
  readonly name: string;
  /** The ceiling is all that a rule may know of the scene; the oracle alone knows more. */
  readonly create: (scene: Scene) => Controller;
}

/** The simulation begins at 0, which to the rule is a time that never was. */
const EPOCH = 1_800_000_000_000;

/** The rule of core/pace.ts, as the stores carry it out. */
export function poolsyncPace({ ceilingPerSecond: ceiling }: Scene): Controller {
  let state: PaceState = freshPace(ceiling, EPOCH);
  return {
    reserve(now) {
      const at = EPOCH + now;
      const reserved = reserve(state, ceiling, at, { maxSlots: 1, urgent: false });
      ({ state } = reserved);
      const [slotAt] = reserved.slots;
      return { slotAt, waitMs: slotAt === undefined ? reserved.askAgainMs : Math.max(0, slotAt - at) };
    },
    answered(now, { granted, slotAt }) {
      if (!granted) ({ state } = throttled(state, ceiling, slotAt, EPOCH + now));
    },
  };
}

/** One shared pace whose rate a rule says; times in the rules are seconds, as they were published. */
function shared(
  rateAt: (seconds: number) => number,
  answered: (seconds: number, call: { granted: boolean; slotAt: number; reservedAt: number }) => void = () => undefined,
): Controller {
  let nextAt = 0;
  return {
    reserve(now) {
      const slotAt = Math.max(now, nextAt);
      nextAt = slotAt + 1000 / rateAt(now / 1000);
      return { slotAt, waitMs: slotAt - now };
    },
    answered(now, call) {
      const { granted, slotAt, reservedAt } = call;
      answered(now / 1000, { granted, slotAt: slotAt / 1000, reservedAt: reservedAt / 1000 });
    },
  };
}

/** A cut to `factor` no more than once in `everySeconds`, and a steady way back, as a share of the ceiling a second. */
function stepped(ceiling: number, factor: number, backPerSecond: number, everySeconds: number): Controller {
  let [rate, since, cutAt] = [ceiling, 0, -Infinity];
  const rateAt = (now: number): number => Math.min(ceiling, rate + (now - since) * backPerSecond * ceiling);
  return shared(rateAt, (now, { granted, reservedAt }) => {
    if (granted || reservedAt < cutAt || now - cutAt < everySeconds) return;
    rate = Math.max(0.03 * ceiling, rateAt(now) * factor);
    since = cutAt = now;
  });
}

const PULSE_A = {
  K: 0.745,
  d: 0.32,
  e: 0.0558,
  m: 0.0172,
  f: 0.005,
  g: 0.121,
  Ts: 0.89,
  Tq: 0.572,
  Tmax: 12.5,
  sm: 0,
  q0: 0.082,
  ig: 0.65,
};
const PULSE_B: typeof PULSE_A = {
  K: 0.373,
  d: 0.763,
  e: 0.0673,
  m: 0.169,
  f: 0.0122,
  g: 0.2,
  Ts: 0.953,
  Tq: 0.502,
  Tmax: 15,
  sm: 0.086,
  q0: 0.051,
  ig: 0.69,
};

/** Cuts deep for a moment, goes on at what was granted and a little more, then accelerates. Keeps a log of answers. */
function pulse(ceiling: number, p: typeof PULSE_A): Controller {
  let [isOn, mu, began, cut] = [false, ceiling, 0, -Infinity];
  let log: { readonly at: number; readonly granted: boolean }[] = [];
  const since = (from: number) => log.slice(log.findLastIndex(({ at }) => at <= from) + 1);
  const grants = (from: number): number => since(from).filter(({ granted }) => granted).length;
  const rateAt = (now: number): number => {
    if (!isOn) return ceiling;
    const afterCut = now - began - p.K;
    if (afterCut < 0) return Math.min(ceiling, mu * (1 - p.d));
    const s = Math.max(0, afterCut - (p.d * p.K + p.m) / p.e);
    return Math.min(ceiling, mu * (1 + p.e + p.f * s + p.g * s * s));
  };
  return shared(rateAt, (now, { granted, reservedAt }) => {
    log.push({ at: now, granted });
    if (granted || (isOn && reservedAt < cut + p.ig * p.K)) return;
    const current = isOn ? Math.max(mu, rateAt(now)) : ceiling;
    let next: number;
    if (!isOn || now - began < p.Tq) {
      next = current * Math.min(1 - p.q0, grants(now - p.Ts) / since(now - p.Ts).length);
    } else {
      const seconds = Math.min(p.Tmax, now - began);
      next = Math.min(current, grants(now - seconds) / seconds);
      if (Math.abs(next / mu - 1) < 0.25) next = p.sm * mu + (1 - p.sm) * next;
    }
    mu = Math.max(0.03 * ceiling, next);
    began = cut = now;
    isOn = true;
    log = since(now - p.Tmax);
  });
}

/** The adaptive mode of the AWS SDK for JavaScript (`DefaultRateLimiter`): each process has its own. */
function awsAdaptive(ceiling: number): Controller {
  const limiters = new Map<number, ReturnType<typeof createAwsLimiter>>();
  const of = (process: number) => {
    const limiter = limiters.get(process) ?? createAwsLimiter(ceiling / 4);
    limiters.set(process, limiter);
    return limiter;
  };
  return {
    reserve: (now, process) => {
      const waitMs = of(process).send(now / 1000) * 1000;
      return { waitMs, slotAt: now + waitMs };
    },
    answered: (now, { granted, process }) => of(process).answered(now / 1000, granted),
  };
}

/** Until its first throttle the SDK does not limit at all: here it goes at its part of the ceiling. */
function createAwsLimiter(unlimited: number) {
  const [beta, scale, smooth, slowest] = [0.7, 0.4, 0.8, 0.5];
  let [isOn, capacity, most, fill, refilledAt] = [false, 0, 1, unlimited, 0];
  let [measured, requests, measuredAt, lastMost, throttledAt, nextAt] = [0, 0, 0, 0, 0, 0];
  const refill = (now: number): void => {
    capacity = Math.min(most, capacity + Math.max(0, now - refilledAt) * fill);
    refilledAt = Math.max(now, refilledAt);
  };
  return {
    send(now: number): number {
      if (!isOn) {
        const at = Math.max(now, nextAt);
        nextAt = at + 1 / unlimited;
        return at - now;
      }
      refill(now);
      const wait = Math.max(0, 1 - capacity) / fill;
      refill(now + wait);
      capacity -= 1;
      return wait;
    },
    answered(now: number, granted: boolean): void {
      requests += 1;
      const half = Math.floor(now * 2) / 2;
      if (half > measuredAt) {
        measured = (requests / (half - measuredAt)) * smooth + measured * (1 - smooth);
        [requests, measuredAt] = [0, half];
      }
      let rate: number;
      if (granted) {
        if (!isOn) return;
        const timeWindow = Math.cbrt((lastMost * (1 - beta)) / scale);
        rate = scale * (now - throttledAt - timeWindow) ** 3 + lastMost;
      } else {
        lastMost = isOn ? Math.min(measured, fill) : measured;
        throttledAt = now;
        isOn = true;
        rate = lastMost * beta;
      }
      refill(now);
      fill = Math.max(Math.min(rate, 2 * measured), slowest);
      most = Math.max(fill, 1);
      capacity = Math.min(capacity, most);
    },
  };
}

/** Knows what others ask for on average, at each moment, and takes the rest: a fifth of the quota where that is less. */
const oracle = ({ quotaPerSecond, others }: Scene): Controller =>
  shared((seconds) => quotaPerSecond * Math.max(0.2, 1 - others(seconds * 1000)));

export const CONTROLLERS: readonly NamedController[] = [
  { name: "poolsync", create: poolsyncPace },
  { name: "PULSE-A", create: ({ ceilingPerSecond }) => pulse(ceilingPerSecond, PULSE_A) },
  { name: "PULSE-B", create: ({ ceilingPerSecond }) => pulse(ceilingPerSecond, PULSE_B) },
  { name: "AIMD x0.7, +4 %", create: ({ ceilingPerSecond }) => stepped(ceilingPerSecond, 0.7, 0.04, 0) },
  { name: "halved, +5 %", create: ({ ceilingPerSecond }) => stepped(ceilingPerSecond, 0.5, 0.05, 1) },
  { name: "AWS SDK adaptive", create: ({ ceilingPerSecond }) => awsAdaptive(ceilingPerSecond) },
  { name: "fixed ceiling", create: ({ ceilingPerSecond }) => shared(() => ceilingPerSecond) },
  { name: "oracle", create: oracle },
];
