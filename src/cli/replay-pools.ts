import { openChosenPool, openClients } from "../app/opening.ts";
import { choosePool } from "../config/config.ts";
import type { Pool } from "../delivery/pool.ts";
import type { Scope } from "../lifecycle.ts";
import { republishLetters } from "../queues/dead-letters.ts";
import type { Engine } from "../queues/engine.ts";
import type { Io } from "./io.ts";
import type { CognitoFlags, OpenedCommand } from "./opening.ts";

/** The pools to which a replay is delivered. */
export async function openReplayPools(
  io: Io,
  opened: OpenedCommand,
  scope: Scope,
  engine: Engine,
  pools: readonly string[],
  flags: CognitoFlags,
): Promise<readonly Pool[]> {
  const { config } = opened;
  const clients = await openClients(config, scope);
  const deps = { ...opened, concurrency: config.concurrency, engine, clients, scope, signal: io.interrupts.drain };
  const opening: Pool[] = [];
  for (const id of pools) {
    opening.push(await openChosenPool(deps, choosePool(config, id, flags)));
    await republishLetters(engine.queues, engine.store.letters, id);
  }
  return opening;
}
