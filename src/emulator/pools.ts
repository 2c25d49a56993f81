import { z } from "zod";
import { POOL_DEFINITION } from "./pool-definition.ts";
import type { PoolDefinition } from "./pool-definition.ts";
import { ServiceError } from "./service-error.ts";
import { createUserPool } from "./user-pool.ts";
import type { PoolContext, ServedPool, UserPool } from "./user-pool.ts";

/** The user pools of the account. */
export interface Pools {
  readonly ids: readonly string[];
  /** Throws a RangeError for a definition that CreateUserPool would refuse, or an id that is taken. */
  add(definition?: PoolDefinition): UserPool;
  get(id: string): UserPool | undefined;
}

export interface ServedPools extends Pools {
  get(id: string): ServedPool | undefined;
  /** Throws ResourceNotFoundException. */
  demand(id: string): ServedPool;
}

export function createPools(context: PoolContext): ServedPools {
  const pools = new Map<string, ServedPool>();
  return {
    get ids() {
      return [...pools.keys()];
    },
    add(definition = {}) {
      const parsed = POOL_DEFINITION.safeParse(definition);
      if (!parsed.success) {
        throw new RangeError(`Expected a pool's definition: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
      }
      const id = parsed.data.id ?? `eu-west-1_Example${pools.size + 1}`;
      if (pools.has(id)) throw new RangeError(`Expected the id of a new pool, got \`${id}\`, which is there already`);
      const pool = createUserPool(id, parsed.data, context);
      pools.set(id, pool);
      return pool;
    },
    get: (id) => pools.get(id),
    demand(id) {
      const pool = pools.get(id);
      if (pool === undefined) throw new ServiceError("ResourceNotFoundException", `User pool ${id} does not exist.`);
      return pool;
    },
  };
}
