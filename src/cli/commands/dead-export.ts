/** `poolsync dead export`: dead letters as NDJSON that `poolsync sync -` reads back after somebody has edited it. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Command } from "commander";
import { AppError } from "../../app/app-error.ts";
import { exportLetters, poolOfLetters } from "../../app/letters/export-letters.ts";
import { filtersOf, type LetterRequest } from "../../app/letters/letter-filter.ts";
import { openEngineToLook } from "../../app/opening.ts";
import { counted } from "../../core/amounts.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope } from "../../lifecycle.ts";
import { leftOutSentences } from "../../views/letter-export.ts";
import { usageError } from "../aws/usage-error.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { tell } from "../io.ts";
import { filterOptions } from "../letter-options.ts";
import { engineOptions, openConfig, type EngineFlags } from "../opening.ts";

interface ExportFlags extends EngineFlags, LetterRequest {
  readonly showValues?: boolean;
  readonly out?: string;
}

export function addExport(dead: Command, context: Context): void {
  engineOptions(
    filterOptions(
      dead.command("export").description("Write dead letters as NDJSON, one a line, for `poolsync sync -`."),
      { events: false },
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
    .action(context.act((flags: ExportFlags) => writeLetters(context, flags)));
}

async function writeLetters({ io, data }: Context, flags: ExportFlags): Promise<number> {
  const opened = await openConfig(io, flags);
  if (flags.json === true && flags.out === undefined) {
    throw usageError("Expected --out with --json: the letters themselves are not one JSON document.");
  }
  const showValues = flags.showValues === true;
  return withScope(async (scope) => {
    const engine = await openEngineToLook(opened.config, scope, opened);
    const filters = await filtersOf(engine, opened.config, flags);
    const request = { filters, limit: flags.limit, showValues };
    const pool = await poolOfLetters(engine, request);
    const shown = showValues ? data : io.stdout;
    const target: Writable = flags.out === undefined ? shown : await newFile(flags.out);
    const { letters, left } = await exportLetters(engine, request, async (record) => {
      if (!target.write(`${JSON.stringify(record)}\n`)) await once(target, "drain");
    });
    if (flags.out !== undefined) {
      target.end();
      await finished(target);
    }
    if (flags.json === true) {
      const leftOut = left.flags + left.own + left.passedOn + left.altered;
      io.stdout.write(`${JSON.stringify({ letters, out: flags.out, pool, leftOut }, undefined, 2)}\n`);
    } else if (pool !== undefined) {
      const verified = left.kept > 0 ? ["--verified", "keep"] : [];
      const back = commandLine(io, ["sync", flags.out ?? "-", "--user-pool-id", pool, ...verified], flags);
      tell(io, `${counted(letters, "letter")} written. Once edited: ${back}; then discard them here.`);
    }
    for (const sentence of leftOutSentences(left)) tell(io, sentence);
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
