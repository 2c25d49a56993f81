/** The options of the commands on dead letters and parked events. */
import type { Command } from "commander";
import { EVENT_KIND, type DeadRequest } from "../app/letters/dead-filter.ts";
import { LETTER_KINDS } from "../core/failure.ts";
import { usageError } from "./aws/usage-error.ts";
import { choice, moment, integer } from "./option-values.ts";

/** Filters of letters, and where events are meant as well, of these. */
export function filterOptions(command: Command, { events = true } = {}): Command {
  const kinds = events ? [...LETTER_KINDS, EVENT_KIND] : LETTER_KINDS;
  const when = events ? "buried, or come, " : "buried ";
  command
    .option("--kind <kind>", `one of ${kinds.join(", ")}`, choice("--kind", kinds))
    .option("--pool <id>", "letters of this user pool, by id or by its name in poolsync.yaml")
    .option("--user <username>", "letters of this user")
    .option("--attribute <name>", "letters of this attribute")
    .option(
      "--reason <word>",
      "letters of this reason; of events unreadable, no-column, no-feed, nobody, several or ahead",
    )
    .option("--run <id>", "letters of what this run put");
  if (events) command.option("--feed <name>", `with --kind ${EVENT_KIND}: events of this feed`);
  return command
    .option(
      "--since <time>",
      `${when}at or after: ISO 8601 with a zone, or how long ago (30m, 12h, 7d)`,
      moment(Date.now),
    )
    .option("--until <time>", `${when}before`, moment(Date.now))
    .option("--limit <number>", "so many at most, the oldest first", integer(1));
}

/** The filters that were given, as one would type them. */
export function filterWords(flags: DeadRequest): readonly string[] {
  const { kind, pool, user, attribute, reason, run, feed, since, until, limit } = flags;
  const iso = (ms: number | undefined): string | undefined => (ms === undefined ? ms : new Date(ms).toISOString());
  const given = { kind, pool, user, attribute, reason, run, feed, since: iso(since), until: iso(until), limit };
  return Object.entries(given).flatMap(([name, text]) => (text === undefined ? [] : [`--${name}`, String(text)]));
}

/** Letters are named by ids or by filters, and only events are of a feed. */
export function demandFilter(ids: readonly string[], flags: DeadRequest): void {
  const [filter] = filterWords(flags);
  if (ids.length > 0 && filter !== undefined) {
    throw usageError(`Expected ids of dead letters or filters such as ${filter}, not both.`);
  }
  if (flags.feed === undefined || flags.kind === EVENT_KIND) return;
  throw usageError(`Expected --kind ${EVENT_KIND} with --feed: letters are found by --run or --pool.`);
}
