/** The engine of who runs it all, on a Redis that may be emptied: whoever has it has the one that is open now. */
import type { Engine } from "../../src/queues/engine.ts";

export interface LiveEngine extends Engine {
  /** Opens the store that is there now. Answers the engine of the one that was there before, which is the caller's to close. */
  reopen(): Promise<Engine>;
}

export async function openLiveEngine(open: () => Promise<Engine>): Promise<LiveEngine> {
  let current = await open();
  return {
    kind: current.kind,
    get store() {
      return current.store;
    },
    get queues() {
      return current.queues;
    },
    get wakeUps() {
      return current.wakeUps;
    },
    get keyring() {
      return current.keyring;
    },
    get connected() {
      return current.connected;
    },
    async reopen() {
      const before = current;
      current = await open();
      return before;
    },
    close: () => current.close(),
  };
}
