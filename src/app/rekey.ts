/** The keys of a namespace are wrapped by another POOLSYNC_KEY, while its processes go on. */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/config-error.ts";
import { defined } from "../core/defined.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import { withScope } from "../lifecycle.ts";
import { openStore } from "../queues/engine.ts";
import { rewrapKeys, type Rewrapped } from "../store/namespace-keys.ts";
import { AppError } from "./app-error.ts";
import type { Opened } from "./opening.ts";

export type Rekeyed = Exclude<Rewrapped, { readonly is: "never used" }>;

/** Throws a ConfigError where no key is set, and an AppError `no-keys` where nobody has used the namespace yet. */
export async function rekey({ config, log, say }: Opened): Promise<Rekeyed> {
  const { key, previousKey } = config;
  if (key === undefined) {
    const message = "Expected the new key, 32 bytes in base64; `openssl rand -base64 32` makes one";
    throw new ConfigError([{ path: "POOLSYNC_KEY", message }]);
  }
  return withScope(async (scope) => {
    const { store } = scope.defer(await openStore({ ...config, log, ...defined({ say }) }), (opened) => opened.close());
    const done = await rewrapKeys(store, { key, previousKey });
    if (done.is !== "never used") return done;
    throw new AppError("no-keys", neverUsed(config));
  });
}

export function neverUsed({ redisUrl, namespace, dataDir }: Config) {
  return redisUrl === undefined
    ? sentence`There are no keys yet in ${dataDir}: nobody has used it. Its first use with POOLSYNC_KEY makes them; or give the right ${nextStep("rekey", "--data-dir", "DIRECTORY")}.`
    : `There are no keys yet in the namespace ${namespace}: nobody has used it. Its first use with POOLSYNC_KEY makes them; or set the right POOLSYNC_NAMESPACE.`;
}
