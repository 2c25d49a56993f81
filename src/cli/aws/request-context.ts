/** What the requests of one command share: each is opened when it is first needed, and closed with the command. */
import { AS_COMMAND, openChosenPool, openClients, openEngineToPut, sayPassedRegion } from "../../app/opening.ts";
import type { CognitoClient } from "../../cognito/client.ts";
import { createQuotaGovernor, type QuotaGovernor } from "../../cognito/quota-governor.ts";
import type { ChosenPool } from "../../config/config.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Scope } from "../../lifecycle.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pace } from "../../store/pace.ts";
import { createPace } from "../../store/postgres/pace.ts";
import type { Io } from "../io.ts";
import type { OpenedCommand } from "../opening.ts";
import type { Mode, OneFlags } from "./request-options.ts";

export interface RequestContext extends OpenedCommand {
  readonly io: Io;
  readonly flags: OneFlags;
  readonly mode: Mode;
  readonly signal: AbortSignal;
  readonly cognito: (chosen: ChosenPool) => CognitoClient;
  readonly engine: () => Promise<Engine>;
  readonly pool: (chosen: ChosenPool) => Promise<Pool>;
  /** Gates of which it was reported that they keep what is queued: once in a command. */
  readonly reported: Set<string>;
  /** The pace of calls that no pool is opened for; without one of an engine's it is this process's own. */
  readonly governor: (bucket: string, ceilingPerSecond: number, pace?: Pace) => QuotaGovernor;
}

export async function requestContext(
  opened: OpenedCommand,
  { io, flags, mode }: Pick<RequestContext, "io" | "flags" | "mode">,
  scope: Scope,
): Promise<RequestContext> {
  const { config } = opened;
  const { concurrency } = config;
  const clients = await openClients(config, scope);
  const alone = createPace(() => Date.now());
  const governors = new Map<string, QuotaGovernor>();
  const pools = new Map<string, Promise<Pool>>();
  const signal = io.interrupts.drain;
  let opening: Promise<Engine> | undefined;
  const engine = (): Promise<Engine> => (opening ??= openEngineToPut(config, scope, opened, AS_COMMAND));
  const open = async (chosen: ChosenPool): Promise<Pool> =>
    openChosenPool({ ...opened, concurrency, engine: await engine(), clients, scope, signal }, chosen);
  return {
    ...opened,
    io,
    flags,
    mode,
    signal,
    engine,
    reported: new Set(),
    cognito(chosen) {
      sayPassedRegion({ ...opened, clients }, chosen);
      return clients.of(chosen);
    },
    pool(chosen) {
      const known = pools.get(chosen.id) ?? open(chosen);
      pools.set(chosen.id, known);
      return known;
    },
    governor(bucket, ceilingPerSecond, pace = alone) {
      const known = governors.get(bucket);
      if (known) return known;
      const governor = scope.defer(createQuotaGovernor({ pace, bucket, ceilingPerSecond, concurrency }), (made) =>
        made.close(),
      );
      governors.set(bucket, governor);
      return governor;
    },
  };
}
