/**
 * Redis is emptied while the processes that use it live on: what was there before, who lived then, and what the process
 * that runs it all was answered, which is one of them.
 */
import type { Engine } from "../../src/queues/engine.ts";
import { StoreError } from "../../src/store/store-error.ts";
import type { Run } from "../../src/store/runs.ts";
import type { Child, Children } from "./children.ts";
import type { LiveEngine } from "./live-engine.ts";
import type { LoneRedis } from "./lone-redis.ts";
import type { Model } from "./model.ts";
import type { Undo } from "./plan.ts";
import { POOL } from "./service.ts";

/** A process that lived when Redis was emptied. */
export interface Lived extends Pick<Child, "name" | "startedAt"> {
  /** Its exit code, or the signal that ended it, and when; absent as long as it lives. */
  end?: number | string;
  endedAt?: number;
}

export interface Replacement {
  /** Epoch ms: when Redis was ended, and when it answered again. */
  readonly emptiedAt: number;
  readonly backAt: number;
  /** Of the store that was there before. */
  readonly identity: string;
  readonly runs: readonly Run[];
  readonly userKey: (username: string) => string;
  readonly lived: readonly Lived[];
  /** The kind of error with which this process was refused when it went on to write; undefined where it was not. */
  readonly refusedAs: string | undefined;
}

export interface ReplacementMeans {
  readonly redis: LoneRedis;
  readonly engine: LiveEngine;
  readonly children: Children;
  readonly model: Model;
  /** Told when another store is there: sources say again what they have said. */
  readonly replaced: () => void;
}

export interface Replacements {
  readonly all: readonly Replacement[];
  /** Empties Redis. What is returned starts it anew. */
  empty(): Promise<Undo>;
}

export function createReplacements({ redis, engine, children, model, replaced }: ReplacementMeans): Replacements {
  const all: Replacement[] = [];
  return {
    all,
    async empty() {
      const { identity } = engine.store;
      const { keyring } = engine;
      const runs = await engine.store.runs.list(100_000);
      const lived = [...children.all].map(livedOf);
      const emptiedAt = Date.now();
      await redis.empty();
      return async () => {
        await redis.startAgain();
        const backAt = Date.now();
        model.lost({ from: 0, to: backAt, at: emptiedAt, why: "emptied" });
        // This process has lived on as the others have.
        const refusedAs = await refusalOf(engine.store);
        const before = await engine.reopen();
        await before.close();
        const userKey = (username: string): string => keyring.userKey(POOL, username);
        all.push({ emptiedAt, backAt, identity, runs, userKey, lived, refusedAs });
        replaced();
      };
    },
  };
}

function livedOf({ name, startedAt, ended }: Child): Lived {
  const lived: Lived = { name, startedAt };
  void ended.then((end) => Object.assign(lived, { end, endedAt: Date.now() }));
  return lived;
}

/** The feed of a run that nobody begins but a process whose store is gone. */
export const STRAY_FEED = "stray.csv";

async function refusalOf({ runs }: Engine["store"]): Promise<string | undefined> {
  const stray = { id: "stray", source: "file", pool: POOL, feed: STRAY_FEED, identity: "", asOf: 0 } as const;
  try {
    await runs.begin(stray);
    return undefined;
  } catch (error) {
    return error instanceof StoreError ? error.kind : String(error);
  }
}
