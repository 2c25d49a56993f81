/**
 * The store's clock, as this process knows it between two answers of the store: measured again and again, and not known
 * where the last measurement is old, or this machine stood still since. Signatures are held against it, so a wrong time
 * would refuse genuine events, which some senders never repeat.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../../store/store.ts";

export interface StoreClock {
  /** The store's time in ms; undefined where it is not known. */
  now(): number | undefined;
  stop(): void;
}

/** A clock that only this machine has, in ms: one that is set, and one that counts. */
export interface MachineClock {
  wall(): number;
  steady(): number;
}

const MEASURE_EVERY_MS = 15_000;
const AGAIN_AFTER_FAULT_MS = 1_000;
const KNOWN_FOR_MS = 90_000;
/** Of an answer that took longer it is not known when it was given. */
const SLOWEST_ANSWER_MS = 2_000;
/** So far the two clocks of the machine may part before it is taken for one that stood still, or was set. */
const PARTED_MS = 5_000;

const MACHINE: MachineClock = { wall: () => Date.now(), steady: () => performance.now() };

interface Measured {
  readonly steady: number;
  readonly wall: number;
  readonly store: number;
}

/** Resolves once it was measured, or that failed. */
export async function startStoreClock(store: Pick<Store, "now">, machine = MACHINE): Promise<StoreClock> {
  const stopping = new AbortController();
  let last: Measured | undefined;

  /** Answers whether it was measured. */
  async function measure(): Promise<boolean> {
    const began = machine.steady();
    try {
      const at = await store.now();
      const steady = machine.steady();
      if (steady - began > SLOWEST_ANSWER_MS) return false;
      last = { steady, wall: machine.wall(), store: at + (steady - began) / 2 };
      return true;
    } catch {
      // Whoever keeps events tells of a store that cannot be asked.
      return false;
    }
  }

  async function keepMeasuring(isMeasured: boolean): Promise<void> {
    let is = isMeasured;
    while (!stopping.signal.aborted) {
      // A sleep that was ended needs no word.
      const forMs = is ? MEASURE_EVERY_MS : AGAIN_AFTER_FAULT_MS;
      await sleep(forMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (!stopping.signal.aborted) is = await measure();
    }
  }

  void keepMeasuring(await measure());
  return {
    now() {
      if (last === undefined) return undefined;
      const passed = machine.steady() - last.steady;
      const parted = Math.abs(machine.wall() - last.wall - passed);
      return passed > KNOWN_FOR_MS || parted > PARTED_MS ? undefined : last.store + passed;
    },
    stop: () => stopping.abort(),
  };
}
