/** The keys of a namespace are wrapped by another POOLSYNC_KEY, while its processes go on. */
import type { Config } from "../config/config.ts";
import { ConfigError } from "../config/config-error.ts";
import { defined } from "../core/defined.ts";
import { nextStep, sentence } from "../core/sentence.ts";
import { withScope } from "../lifecycle.ts";
import { createKeyring } from "../store/keyring.ts";
import { rewrapKeys, type Rewrapped } from "../store/namespace-keys.ts";
import { sealEverything } from "../store/sealing.ts";
import { AppError } from "./app-error.ts";
import type { Opened } from "./opening.ts";

export type Rekeyed = Extract<Rewrapped, { readonly is: "wrapped" | "done before" }>;

/**
 * Seals first what a version before format 3 kept in clear. Throws a ConfigError where no key is set, and an AppError
 * `no-keys` where nobody has used the namespace yet; rejects with the signal's reason.
 */
export async function rekey({ config, log, say }: Opened, signal: AbortSignal): Promise<Rekeyed> {
  const { key, previousKey } = config;
  if (key === undefined) {
    const message = "Expected the new key, 32 bytes in base64; `openssl rand -base64 32` makes one";
    throw new ConfigError([{ path: "POOLSYNC_KEY", message }]);
  }
  const { openStore } = await import("../queues/engine.ts");
  return withScope(async (scope) => {
    const { store } = scope.defer(await openStore({ ...config, log, ...defined({ say }) }), (opened) => opened.close());
    for (;;) {
      const done = await rewrapKeys(store, { key, previousKey });
      if (done.is === "never used") throw new AppError("no-keys", neverUsed(config, "rekey"));
      if (done.is !== "not sealed") return done;
      const keyring = createKeyring({
        identity: store.identity,
        keys: done.keys,
        encrypts: false,
        isSealed: () => false,
      });
      await sealEverything({ store, keyring, wrapping: {}, log, signal });
      signal.throwIfAborted();
    }
  });
}

/** `words`: the command that was given. */
export function neverUsed({ redisUrl, namespace, dataDir }: Config, ...words: readonly string[]) {
  return redisUrl === undefined
    ? sentence`There are no keys yet in ${dataDir}: nobody has used it. Its first use with POOLSYNC_KEY makes them; or give the right ${nextStep(...words, "--data-dir", "DIRECTORY")}.`
    : `There are no keys yet in the namespace ${namespace}: nobody has used it. Its first use with POOLSYNC_KEY makes them; or set the right POOLSYNC_NAMESPACE.`;
}
