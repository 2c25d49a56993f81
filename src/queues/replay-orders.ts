/**
 * Replay orders in a fleet: a job carries the order, any replayer carries it out, by the function that it is given. An order is never lost: while it is
 * carried out its job stays, and one that was cut, by a signal or by death, is carried out again for what is left.
 */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import type { Log } from "../log.ts";
import type { Engine } from "./engine.ts";
import type { LetterFilter } from "../store/letters.ts";

/** The queue of orders that a fleet carries out. */
export const REPLAY_QUEUE = "replay";

/** Which letters, and how many at most. Holds no value and no username. */
export interface ReplayOrder extends LetterFilter {
  readonly until: number;
  readonly limit?: number;
}

/** Carries an order out, and answers how many letters were put again. Carried out twice, it does what is left. */
export type ExecuteReplay = (order: ReplayOrder, signal: AbortSignal) => Promise<{ readonly letters: number }>;

const orderData = z.strictObject({
  pool: z.string().optional(),
  kind: z.string().optional(),
  user: z.string().optional(),
  unit: z.string().optional(),
  run: z.string().optional(),
  reason: z.string().optional(),
  since: z.number().optional(),
  until: z.number(),
  limit: z.number().optional(),
});

/** An order with a limit is carried out in pieces of this many, so that one that is cut knows how many are left. */
const PIECE = 200;
const AGAIN_MS = 5_000;

/** Leaves an order to the fleet. Answers its job's id. */
export async function sendOrder(engine: Engine, order: ReplayOrder): Promise<string> {
  const job = await engine.queues.queue<ReplayOrder>(REPLAY_QUEUE).add("order", order);
  return job.id ?? "";
}

export interface Replayer {
  /** Stops between two pages of letters; what is left stays an order. */
  stop(): Promise<void>;
}

export function startReplayer(engine: Engine, log: Log, execute: ExecuteReplay): Replayer {
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, engine.store.lost]);
  const worker = engine.queues.worker<ReplayOrder>(
    REPLAY_QUEUE,
    async (job) => {
      const order = parseOrder(job.data);
      if (order === undefined) {
        // Written by another version, or by hand: carrying it out again would not make it readable.
        log.error({ order: job.id }, "replay order refused");
        return undefined;
      }
      log.info({ order: job.id, kind: order.kind, pool: order.pool }, "replay started");
      let letters = 0;
      try {
        for (let left = order.limit; left === undefined || left > 0;) {
          const limit = left === undefined ? undefined : Math.min(left, PIECE);
          const replayed = await execute({ ...order, ...(limit === undefined ? {} : { limit }) }, signal);
          letters += replayed.letters;
          if (left === undefined || limit === undefined || replayed.letters < limit) break;
          left -= replayed.letters;
          await job.updateData({ ...order, limit: left });
        }
      } catch (error) {
        if (!signal.aborted) log.warn({ order: job.id, err: error }, "replay cut, to be carried out again");
        return { is: "asleep", forMs: signal.aborted ? 0 : AGAIN_MS };
      }
      log.info({ order: job.id, letters }, "replay finished");
      return undefined;
    },
    { concurrency: 1 },
  );
  return {
    async stop() {
      stopping.abort();
      await worker.close();
    },
  };
}

function parseOrder(data: unknown): ReplayOrder | undefined {
  const parsed = orderData.safeParse(data);
  if (!parsed.success) return undefined;
  const { until, ...filter } = parsed.data;
  return { until, ...defined(filter) };
}
