/** Dead letters that mend themselves: looked at by the scan of a plan, and replayed by the sync that follows. */
import type { Config } from "../../config/config.ts";
import { HEALING_KINDS, openHealing, type Healing } from "../../plan/healing.ts";
import type { Engine } from "../../queues/engine.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { Letter } from "../../core/letter.ts";

/** True where the letters of a feed's runs, or of a file's that is no feed, may heal. */
function heals({ feeds, heal }: Pick<Config, "feeds" | "heal">, feed: string): boolean {
  return (Object.hasOwn(feeds, feed) ? feeds[feed]?.heal : undefined) ?? heal;
}

/** What a scan of the pool is to look at; undefined where nothing may heal. */
export async function healingOf(config: Config, { store, keyring }: Engine, pool: Pool): Promise<Healing | undefined> {
  if (!config.heal && !Object.values(config.feeds).some(({ heal }) => heal)) return undefined;
  /** By run. A letter whose run is forgotten is of no feed that is known. */
  const known = new Map<string, boolean>();
  async function mayHeal({ run }: Letter): Promise<boolean> {
    const isHealing = known.get(run) ?? heals(config, (await store.runs.get(run))?.feed ?? "");
    known.set(run, isHealing);
    return isHealing;
  }
  async function* letters() {
    for (const kind of HEALING_KINDS) {
      for await (const letter of store.letters.list({ pool: pool.profile.id, kind })) {
        if (await mayHeal(letter)) yield letter;
      }
    }
  }
  return openHealing(pool.profile, keyring, letters());
}
