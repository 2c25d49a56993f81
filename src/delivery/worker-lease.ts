/** A worker says that it is alive, for as long as it lives. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Store } from "../store/store.ts";
import type { AliveWorker } from "../store/workers.ts";

/** How long it is believed: three renewals. */
const ALIVE_MS = 30_000;
const RENEW_EVERY_MS = 10_000;

export interface WorkerLease {
  /** Says that it ends. */
  end(): void;
}

export function keepAlive({ workers }: Pick<Store, "workers">, does: Omit<AliveWorker, "process">): WorkerLease {
  const id = randomUUID();
  const worker = { ...does, process: `${hostname()}:${process.pid}` };
  let isAsked = false;
  async function renew(): Promise<void> {
    // A store that is lost for a while is not to find a hundred of these waiting.
    if (isAsked) return;
    isAsked = true;
    // Whoever works tells of a store that cannot be asked. Nobody waits for this, and what is not said ends by itself.
    await workers.renew(id, worker, ALIVE_MS).catch(() => undefined);
    isAsked = false;
  }
  void renew();
  const timer = setInterval(() => void renew(), RENEW_EVERY_MS).unref();
  return {
    end() {
      clearInterval(timer);
      workers.end(id).catch(() => undefined);
    },
  };
}
