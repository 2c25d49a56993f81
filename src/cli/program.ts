/** The command line as a function: arguments go in, an exit code comes out, and only `io` is printed to. */
import { Command, CommanderError } from "commander";
import { wantsStacks } from "../config/config.ts";
import { withoutTokens } from "../core/quoted.ts";
import { asTyped, type PassedFlags } from "./command-line.ts";
import { EXIT } from "../exit-codes.ts";
import { placesOf, reportFailure } from "./failure-report.ts";
import type { Context } from "./command.ts";
import { notingFiles, type ParameterFile } from "./aws/parameter-file.ts";
import { AppError } from "../app/app-error.ts";
import { isServed } from "./served-command.ts";
import { columnsOf, Screen, tell, type Io } from "./io.ts";
import { fitHelp, formatItem } from "./help-text.ts";
import { packageVersion } from "../version.ts";

type Add = (program: Command, context: Context) => void;

/** By name, in the order of the help. Each is loaded when it is wanted: all of them take as long as a short command. */
const COMMANDS: ReadonlyMap<string, () => Promise<Add>> = new Map([
  ["sync", async () => (await import("./commands/sync.ts")).addSync],
  ["plan", async () => (await import("./commands/plan.ts")).addPlan],
  ["apply", async () => (await import("./commands/apply.ts")).addApply],
  ["drift", async () => (await import("./commands/drift.ts")).addDrift],
  ["undo", async () => (await import("./commands/undo.ts")).addUndo],
  [
    "admin-update-user-attributes",
    async () => (await import("./commands/admin-update-user-attributes.ts")).addAdminUpdateUserAttributes,
  ],
  [
    "update-user-attributes",
    async () => (await import("./commands/update-user-attributes.ts")).addUpdateUserAttributes,
  ],
  ["dead", async () => (await import("./commands/dead.ts")).addDead],
  ["explain", async () => (await import("./commands/explain.ts")).addExplain],
  ["runs", async () => (await import("./commands/runs.ts")).addRuns],
  ["pause", async () => (await import("./commands/pause.ts")).addPause],
  ["resume", async () => (await import("./commands/pause.ts")).addResume],
  ["epoch", async () => (await import("./commands/epoch.ts")).addEpoch],
  ["status", async () => (await import("./commands/status.ts")).addStatus],
  ["damaged", async () => (await import("./commands/damaged.ts")).addDamaged],
  ["rekey", async () => (await import("./commands/rekey.ts")).addRekey],
  ["worker", async () => (await import("./commands/worker.ts")).addWorker],
  ["ingest", async () => (await import("./commands/ingest.ts")).addIngest],
  ["event", async () => (await import("./commands/event.ts")).addEvent],
  ["emulator", async () => (await import("./commands/emulator.ts")).addEmulator],
  ["demo", async () => (await import("./commands/demo.ts")).addDemo],
]);

/** Runs one command line, without the program's own name. Never rejects. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes("--json");
  let exitCode: number = EXIT.done;
  let flags: PassedFlags = {};
  let name = "";
  const files: ParameterFile[] = [];
  const context: Context = {
    io: { ...io, stdout: new Screen(io.stdout), readParameter: io.readParameter ?? notingFiles(files) },
    data: io.stdout,
    run,
    act:
      (action) =>
      async (...args) => {
        const command = args.at(-1);
        if (command instanceof Command) {
          flags = command.opts<PassedFlags>();
          name = nameOf(command);
        }
        if (io.holding !== undefined && !isServed({ argv, name, flags })) {
          throw new AppError(
            "in-use",
            "The process that has the data directory does not run this for others: stop it, and give the command again.",
          );
        }
        exitCode = await action(...args);
      },
  };
  const program = new Command("poolsync")
    .description("Keeps Amazon Cognito user pools in step with the systems that own people's data.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpCommand(true)
    // A terminal that wraps by itself does it within words.
    .configureHelp({ minWidthToWrap: 16, subcommandTerm: (command) => command.name(), formatItem })
    .exitOverride()
    .showHelpAfterError("(--help shows the options and examples)")
    .configureOutput({
      writeOut: (text) => void io.stdout.write(fitHelp(text, columnsOf(io.stdout))),
      writeErr: (text) => void (json ? undefined : io.stderr.write(withoutTokens(text))),
      getOutHelpWidth: () => columnsOf(io.stdout),
      getErrHelpWidth: () => columnsOf(io.stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync sync users.csv --user-pool-id eu-west-1_Example --verified mark
  $ poolsync dead list
  $ poolsync demo

Exit codes: 0 all applied; 1 failed; 2 finished, with dead letters or invalid
input; 3 a guard stopped it; 64 wrong usage or configuration; 130 interrupted.`,
    );
  if (io.calledAs !== undefined && io.calledAs !== "poolsync") {
    program.addHelpText("afterAll", `\nWhere it says poolsync, type: ${io.calledAs}`);
  }
  for (const load of isRequested(argv)) (await load())(program, context);
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (thrown) {
    let error: unknown = thrown;
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    if (reportFailure(error).kind === "in-use" && io.holding === undefined) {
      // Whoever has the directory may do it.
      const { runAtHolder } = await import("./run-at-holder.ts");
      const there = await runAtHolder(io, { argv, name, flags, files }).catch((failure: unknown) => ({ failure }));
      if (typeof there === "number") return there;
      if (there !== undefined) error = there.failure;
    }
    const report = reportFailure(error);
    const message = withoutTokens(asTyped(io, report.sentence, flags));
    if (json) {
      const { kind } = report;
      io.stdout.write(`${JSON.stringify({ error: { kind, message } }, undefined, 2)}\n`);
    } else if (!(error instanceof CommanderError)) {
      // Commander has told its own errors by now.
      tell(io, message);
    }
    if (wantsStacks(io.environment) && error instanceof Error) io.stderr.write(`${placesOf(error)}\n`);
    return report.exitCode;
  }
}

/** Its words, such as `dead list`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

/** The command that the line begins with, or all of them where it is to be told what there is; none for the version. */
function isRequested([name = ""]: readonly string[]): Iterable<() => Promise<Add>> {
  if (name === "--version" || name === "-V") return [];
  const named = COMMANDS.get(name);
  return named ? [named] : COMMANDS.values();
}
