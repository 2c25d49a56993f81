/** `poolsync pause` and `poolsync resume`: what was put is kept, and nothing of it is sent, until somebody lets it go on. */
import { hostname, userInfo } from "node:os";
import type { Command } from "commander";
import { gateName, gateOf, pause, resume, type PauseTarget } from "../../app/gates/pause.ts";
import { choosePool, type Config } from "../../config/config.ts";
import { counted } from "../../core/amounts.ts";
import type { Context } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { printEngine } from "../engine-command.ts";
import { columnsOf } from "../io.ts";
import { engineOptions, type EngineFlags } from "../opening.ts";
import { usage } from "../../app/feeds/open-feeds.ts";
import { indent } from "../../views/table.ts";

interface PauseFlags extends EngineFlags, PauseTarget {
  readonly reason?: string;
}

function targetOptions(command: Command): Command {
  return command
    .option("--pool <id>", "only this user pool, by id or by its name in poolsync.yaml")
    .option("--feed <name>", "only what this feed puts, or a file of this name");
}

export function addPause(program: Command, context: Context): void {
  const command = program
    .command("pause")
    .description("Send nothing more of a pool, a feed, or of everything, until `resume`. Changes are taken and kept.");
  engineOptions(targetOptions(command).requiredOption("--reason <text>", "why (required): others see it"))
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync pause --pool eu-west-1_Example --reason "wrong export, asking HR"
  $ poolsync pause --feed hr --reason "HR checks the file"
  $ poolsync pause --reason "incident 42"

Every process obeys at once; calls that are in flight end. Commands that would
write say who has paused it and why.`,
    )
    .action(context.act((flags: PauseFlags) => runPause(context, flags)));
}

export function addResume(program: Command, context: Context): void {
  const command = program.command("resume").description("Let go on what `pause` keeps.");
  engineOptions(targetOptions(command))
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync resume --pool eu-west-1_Example\n  $ poolsync resume --feed hr\n  $ poolsync resume",
    )
    .action(context.act((flags: PauseFlags) => runResume(context, flags)));
}

function runPause({ io }: Context, flags: PauseFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { config, log }) => {
    const target = targetOf(config, flags);
    const by = { by: `${userInfo().username}@${hostname()}`, reason: flags.reason ?? "" };
    const users = await pause(engine, log, target, by);
    if (flags.json === true) return `${JSON.stringify({ gate: gateOf(target), ...by, users })}\n`;
    const kept = `${counted(users, "user has", "users have")} something that is kept.`;
    const again = commandLine(io, ["resume", ...namesOf(flags)], flags);
    return indent(
      "",
      `Paused: ${gateName(gateOf(target))}. ${kept} Let it go on with \`${again}\`.`,
      columnsOf(io.stdout),
    );
  });
}

function runResume({ io }: Context, flags: PauseFlags): Promise<number> {
  return printEngine(io, flags, async (engine, { config, log }) => {
    const target = targetOf(config, flags);
    const users = await resume(engine, log, target);
    if (flags.json === true) return `${JSON.stringify({ gate: gateOf(target), users })}\n`;
    const again = `${counted(users, "user is", "users are")} due again`;
    const by =
      engine.kind === "redis"
        ? "a worker delivers what was kept"
        : "the next sync with --leftovers delivers what was kept";
    return indent("", `${gateName(gateOf(target))} goes on: ${again}; ${by}.`, columnsOf(io.stdout));
  });
}

function targetOf(config: Config, { pool, feed }: PauseFlags): PauseTarget {
  if (pool !== undefined && feed !== undefined) throw usage("--feed", "Expected --pool or --feed, got both");
  return { pool: pool === undefined ? undefined : choosePool(config, pool).id, feed };
}

function namesOf({ pool, feed }: PauseFlags): string[] {
  if (pool !== undefined) return ["--pool", pool];
  return feed === undefined ? [] : ["--feed", feed];
}
