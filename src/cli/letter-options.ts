/** The options of the commands on dead letters. */
import type { Command } from "commander";
import type { LetterRequest } from "../app/letters/letter-filter.ts";
import { LETTER_KINDS } from "../core/failure.ts";
import { usageError } from "./aws/usage-error.ts";
import { choice, moment, integer } from "./option-values.ts";

export function filterOptions(command: Command): Command {
  return command
    .option("--kind <kind>", `one of ${LETTER_KINDS.join(", ")}`, choice("--kind", LETTER_KINDS))
    .option("--pool <id>", "letters of this user pool, by id or by its name in poolsync.yaml")
    .option("--user <username>", "letters of this user")
    .option("--attribute <name>", "letters of this attribute")
    .option("--reason <word>", "letters of this reason")
    .option("--run <id>", "letters of what this run put")
    .option(
      "--since <time>",
      "buried at or after: ISO 8601 with a zone, or how long ago (30m, 12h, 7d)",
      moment(Date.now),
    )
    .option("--until <time>", "buried before", moment(Date.now))
    .option("--limit <number>", "so many at most, the oldest first", integer(1));
}

/** The filters that were given, as one would type them. */
export function filterWords(flags: LetterRequest): readonly string[] {
  const { kind, pool, user, attribute, reason, run, since, until, limit } = flags;
  const iso = (ms: number | undefined): string | undefined => (ms === undefined ? ms : new Date(ms).toISOString());
  const given = { kind, pool, user, attribute, reason, run, since: iso(since), until: iso(until), limit };
  return Object.entries(given).flatMap(([name, text]) => (text === undefined ? [] : [`--${name}`, String(text)]));
}

/** Letters are named by ids or by filters. */
export function demandNoFilter(ids: readonly string[], flags: LetterRequest): void {
  const [filter] = filterWords(flags);
  if (ids.length === 0 || filter === undefined) return;
  throw usageError(`Expected ids of dead letters or filters such as ${filter}, not both.`);
}
