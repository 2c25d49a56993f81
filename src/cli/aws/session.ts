/** What the requests of one command share: each is opened when it is first needed, and closed with the command. */
import type { CognitoClient } from "../../cognito/client.ts";
import { createQuotaGovernor, type QuotaGovernor } from "../../cognito/quota-governor.ts";
import type { ChosenPool } from "../../config/config.ts";
import type { Own } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pool } from "../../delivery/pool.ts";
import { createPace } from "../../store/postgres/pace.ts";
import type { Pace } from "../../store/pace.ts";
import type { Io } from "../io.ts";
import { openChosenPool, openClients, openEngineOf, tellPassedRegion, type Opened } from "../../app/opening.ts";
import type { Mode, OneFlags } from "./request-options.ts";

export interface Session extends Opened {
  readonly io: Io;
  readonly flags: OneFlags;
  readonly mode: Mode;
  readonly signal: AbortSignal;
  readonly cognito: (chosen: ChosenPool) => CognitoClient;
  readonly engine: () => Promise<Engine>;
  readonly pool: (chosen: ChosenPool) => Promise<Pool>;
  /** The pace of calls that no pool is opened for; without one of an engine's it is this process's own. */
  readonly governor: (bucket: string, ceilingPerSecond: number, pace?: Pace) => QuotaGovernor;
}

export function openSession(opened: Opened, said: Pick<Session, "io" | "flags" | "mode">, own: Own): Session {
  const { config, log, reads } = opened;
  const clients = openClients(config, own);
  const alone = createPace(() => Date.now());
  const governors = new Map<string, QuotaGovernor>();
  const pools = new Map<string, Promise<Pool>>();
  let engine: Promise<Engine> | undefined;
  const session: Session = {
    ...opened,
    ...said,
    signal: said.io.interrupts.drain,
    cognito(chosen) {
      tellPassedRegion({ log, clients, io: said.io }, chosen);
      return clients.of(chosen);
    },
    engine: () => (engine ??= openEngineOf(config, own, { log, io: said.io })),
    pool(chosen) {
      const open = async (): Promise<Pool> =>
        openChosenPool(
          { config, log, engine: await session.engine(), clients, own, io: said.io, reads, signal: session.signal },
          chosen,
        );
      const known = pools.get(chosen.id) ?? open();
      pools.set(chosen.id, known);
      return known;
    },
    governor(bucket, ceilingPerSecond, pace = alone) {
      const { concurrency } = config;
      const known = governors.get(bucket);
      if (known) return known;
      const governor = own(createQuotaGovernor({ pace, bucket, ceilingPerSecond, concurrency }), (made) =>
        made.close(),
      );
      governors.set(bucket, governor);
      return governor;
    },
  };
  return session;
}
