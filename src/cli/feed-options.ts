/** The options of commands that read feeds, and of those that hold a plan against its guards. */
import type { Command } from "commander";
import type { FeedsRequest } from "../app/feeds/open-feeds.ts";
import { VERIFIED } from "../core/unit.ts";
import { BASELINES } from "../plan/baseline.ts";
import type { CognitoFlags } from "./opening.ts";
import { choice, integer, several } from "./option-values.ts";

export interface FeedsFlags extends CognitoFlags, Omit<FeedsRequest, "files"> {
  readonly approve?: readonly string[];
}

export function feedOptions(command: Command): Command {
  return command
    .argument("[files...]", "CSV, NDJSON or JSON, also .gz; `-` is standard input")
    .option("--user-pool-id <id>", "the user pool, by id or by its name in poolsync.yaml")
    .option("--feed <name>", "take file, pool and mapping from this feed of poolsync.yaml")
    .option("--records <expression>", "where the records are in a JSON file, in JMESPath, such as employees[*]")
    .option("--delimiter <char>", "what stands between the columns of a CSV: one character, or tab")
    .option("--header-line <number>", "the line of a CSV with the names of its columns", integer(1))
    .option("--header-after <text>", "the names of a CSV's columns come after the first line that holds this")
    .option("--comment <text>", "lines of a CSV that begin so are left out")
    .option("--footer <text>", "a row of a CSV that begins so ends its table")
    .option("--username-column <column>", "the column that names the user (default: username)")
    .option(
      "--verified <what>",
      "a changed e-mail or phone number: mark it verified, ask the person, or keep the flag",
      choice("--verified", VERIFIED),
    )
    .option(
      "--as-of <time>",
      "when the values were true: ISO 8601 with a zone, or epoch (default: the file's modification time)",
    )
    .option("--ignore-unknown", "ignore columns that are no attribute of the pool")
    .option("--encoding <label>", "of the file, where it is neither UTF-8 nor UTF-16 with a BOM")
    .option(
      "--duplicates <what>",
      "of rows that disagree about one user at one time: refuse all, or let the last stand (default: refuse)",
      choice("--duplicates", ["last", "refuse"]),
    )
    .option(
      "--normalize <form>",
      "write values in this form of Unicode (default: as the file has them)",
      choice("--normalize", ["nfc"]),
    )
    .option(
      "--rubble <what>",
      "what spreadsheets leave behind, such as #REF! or 1.2E+15: refuse it, or off (default: refuse)",
      choice("--rubble", ["refuse", "off"]),
    )
    .option("--blank <word>", "a word that means nothing, such as NULL or -; may be repeated", several);
}

/** Of the commands that hold a plan against its guards. */
export function planOptions(command: Command): Command {
  return command
    .option(
      "--baseline <what>",
      "compare with the live pool, with the ledger of what was written last, or with none (default: live)",
      choice("--baseline", BASELINES),
    )
    .option("--approve <plan>", "go on with this plan although it breaks guards; may be repeated", several);
}
