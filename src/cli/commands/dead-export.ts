/** `poolsync dead export`: dead letters as NDJSON that `poolsync sync -` reads back after somebody has edited it. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Command } from "commander";
import { isLostPerson } from "../../core/failure.ts";
import type { Letter } from "../../core/letter.ts";
import { flagOf } from "../../core/unit.ts";
import { withOwned } from "../../lifecycle.ts";
import { mannerOf, valueOf, type Keyring } from "../../store/keyring.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { AppError } from "../../app/app-error.ts";
import { tell } from "../io.ts";
import { filtersOf, type LetterRequest } from "../../app/letters/letter-filter.ts";
import { filterOptions } from "../letter-options.ts";
import { groupLetters, lettersOf } from "../../app/letters/letter-groups.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";
import { openConfiguredEngine } from "../../app/opening.ts";
import type { Context } from "../command.ts";
import { count, counted } from "../../core/amounts.ts";

interface ExportFlags extends EngineFlags, LetterRequest {
  readonly showValues?: boolean;
  readonly out?: string;
}

export function addExport(dead: Command, context: Context): void {
  engineOptions(
    filterOptions(
      dead.command("export").description("Write dead letters as NDJSON, one a line, for `poolsync sync -`."),
    )
      .option("--show-values", "with the values; without it they are null, which changes nothing")
      .option("--out <file>", "a new file that only you may read (default: standard output)"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync dead export --kind invalid-value --show-values --out mend.ndjson
  $ poolsync sync mend.ndjson --user-pool-id eu-west-1_Example`,
    )
    .action(context.act((flags: ExportFlags) => exportLetters(context, flags)));
}

/** What a line cannot say, and how many letters of it there were. */
interface Left {
  cleared: number;
  kept: number;
  flags: number;
  metadata: number;
  own: number;
  passedOn: number;
}

async function exportLetters({ io, data }: Context, flags: ExportFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  if (flags.json === true && flags.out === undefined) {
    throw new AppError("usage", "Expected --out with --json: the letters themselves are not one JSON document.", {
      category: "usage",
    });
  }
  return withOwned(async (own) => {
    const engine = await openConfiguredEngine(opened.config, own, opened);
    const filters = await filtersOf(engine, opened.config, flags);
    const pools = [...new Set((await groupLetters(engine, filters, flags.limit)).map(({ pool }) => pool))];
    const [pool, another] = pools;
    if (another !== undefined) {
      throw new AppError(
        "several-pools",
        `These letters are of several user pools, and a file is synced into one: give --pool (there are: ${pools.join(", ")}).`,
        {
          category: "usage",
        },
      );
    }
    const left: Left = { cleared: 0, kept: 0, flags: 0, metadata: 0, own: 0, passedOn: 0 };
    let letters = 0;
    const shown = flags.showValues === true ? data : io.stdout;
    const target: Writable = flags.out === undefined ? shown : await newFile(flags.out);
    for await (const letter of lettersOf(engine, filters, flags.limit)) {
      const row = rowOf(letter, engine.keyring, flags.showValues === true, left);
      if (row === undefined) continue;
      letters += 1;
      if (!target.write(`${JSON.stringify(row)}\n`)) await once(target, "drain");
    }
    if (flags.out !== undefined) {
      target.end();
      await finished(target);
    }
    const say = (sentence: string): void => tell(io, sentence);
    if (flags.json === true) {
      io.stdout.write(
        `${JSON.stringify({ letters, out: flags.out, pool, leftOut: left.flags + left.own + left.passedOn }, undefined, 2)}\n`,
      );
    } else if (pool !== undefined) {
      const verified = left.kept > 0 ? ["--verified", "keep"] : [];
      const back = commandLine(io, ["sync", flags.out ?? "-", "--user-pool-id", pool, ...verified], flags);
      say(`${counted(letters, "letter")} written. Once edited: ${back}; then discard them here.`);
    }
    if (left.cleared > 0)
      say(
        `${count(left.cleared)} of them clear a value: a blank is read back as nothing, unless a feed of poolsync.yaml says \`onBlank: clear\`.`,
      );
    if (left.flags > 0)
      say(`${count(left.flags)} letters that only set a verified flag are left out: replay or discard them.`);
    if (left.own > 0)
      say(
        `${counted(left.own, "letter of a user's own change is", "letters of users' own changes are")} left out: make such changes again with update-user-attributes and a new token.`,
      );
    if (left.passedOn > 0)
      say(
        `${counted(left.passedOn, "letter is", "letters are")} left out whose account is gone, or whose person was named by what is not theirs any more: make such changes anew, by the username of whoever is meant.`,
      );
    if (left.metadata > 0)
      say(
        `${count(left.metadata)} of them were sent with client metadata, which a file does not carry: replay keeps it.`,
      );
    return EXIT.done;
  });
}

async function newFile(path: string): Promise<Writable> {
  const file = createWriteStream(path, { flags: "wx", mode: 0o600 });
  try {
    await once(file, "open");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    const why = code === "EEXIST" ? "is there already" : `cannot be written (${code})`;
    throw new AppError("out", `\`${path}\` ${why}: give another path with --out.`, { cause });
  }
  return file;
}

/** One letter as a record whose columns are attributes; undefined where it cannot be said so. */
function rowOf(
  letter: Letter,
  keyring: Keyring,
  show: boolean,
  left: Left,
): Record<string, string | boolean | null> | undefined {
  const { unit, reason } = letter;
  // A file says the username, and that is of who had the name before, or of a new account.
  if (isLostPerson(reason)) {
    left.passedOn += 1;
    return undefined;
  }
  const username = keyring.open(letter.username);
  const body = keyring.open(letter.body);
  const value = valueOf(body);
  if (value.kind === "as-is") {
    left.flags += 1;
    return undefined;
  }
  const { clientMetadata, token } = mannerOf(body);
  // A file is synced in an administrator's right, and the user's reaches no further than the token.
  if (token !== undefined) {
    left.own += 1;
    return undefined;
  }
  if (clientMetadata !== undefined) left.metadata += 1;
  if (value.kind === "clear") {
    left.cleared += 1;
    return { username, [unit]: "" };
  }
  const row: Record<string, string | boolean | null> = { username, [unit]: show ? value.text : null };
  const flag = flagOf(unit);
  if (flag === undefined) return row;
  // The flag column says `mark` or `ask`; `keep` is said for the whole sync.
  if (value.verified === "keep") left.kept += 1;
  else row[flag] = value.verified === "mark";
  return row;
}
