/** The filter that the commands on dead letters share. */
import type { Command } from "commander";
import { namedPool, type Config } from "../../config/config.ts";
import { LETTER_KINDS } from "../../core/failure.ts";
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { choice, moment, whole } from "../../cli/option-values.ts";

export interface FilterFlags {
  readonly kind?: string;
  readonly pool?: string;
  readonly user?: string;
  readonly attribute?: string;
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
}

export function filterOptions(command: Command): Command {
  return command
    .option("--kind <kind>", `one of ${LETTER_KINDS.join(", ")}`, choice("--kind", LETTER_KINDS))
    .option("--pool <id>", "letters of this user pool, by id or by its name in poolsync.yaml")
    .option("--user <username>", "letters of this user")
    .option("--attribute <name>", "letters of this attribute")
    .option(
      "--since <time>",
      "buried at or after: ISO 8601 with a zone, or how long ago (30m, 12h, 7d)",
      moment(Date.now),
    )
    .option("--until <time>", "buried before", moment(Date.now))
    .option("--limit <number>", "so many at most, the oldest first", whole(1));
}

/**
 * The filters that the flags mean: one a user where a username is in several pools, none where nobody has letters by
 * that name. The letters themselves are looked through, so that no call to Cognito is needed.
 */
export async function filtersOf(engine: Engine, config: Config, flags: FilterFlags): Promise<readonly LetterFilter[]> {
  const { kind, attribute, since, until, user } = flags;
  const pool = flags.pool === undefined ? undefined : namedPool(config, flags.pool, "--pool").id;
  const filter: LetterFilter = {
    ...(pool === undefined ? {} : { pool }),
    ...(kind === undefined ? {} : { kind }),
    ...(attribute === undefined ? {} : { unit: attribute }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
  if (user === undefined) return [filter];
  const wanted = user.toLowerCase();
  const exact = new Set<string>();
  const alike = new Set<string>();
  for await (const letter of engine.store.letters.list(filter)) {
    const username = engine.keyring.open(letter.username);
    if (username === user || letter.user === user) exact.add(letter.user);
    else if (username.toLowerCase() === wanted) alike.add(letter.user);
  }
  return [...(exact.size > 0 ? exact : alike)].map((key) => ({ ...filter, user: key }));
}
