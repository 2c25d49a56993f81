/** The options of the commands on dead letters. */
import type { Command } from "commander";
import { LETTER_KINDS } from "../core/failure.ts";
import { choice, moment, integer } from "./option-values.ts";

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
    .option("--limit <number>", "so many at most, the oldest first", integer(1));
}
