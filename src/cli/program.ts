/** The command line as a function: arguments go in, an exit code comes out, and only `io` is printed to. */
import { Command, CommanderError } from "commander";
import { wantsStacks } from "../config.ts";
import { addAdminUpdateUserAttributes } from "./commands/admin-update-user-attributes.ts";
import { addApply } from "./commands/apply.ts";
import { addDead } from "./commands/dead.ts";
import { addDemo } from "./commands/demo.ts";
import { addDrift } from "./commands/drift.ts";
import { addEmulator } from "./commands/emulator.ts";
import { addPlan } from "./commands/plan.ts";
import { addExplain } from "./commands/explain.ts";
import { addRuns } from "./commands/runs.ts";
import { addStatus } from "./commands/status.ts";
import { addSync } from "./commands/sync.ts";
import { addUndo } from "./commands/undo.ts";
import { addUpdateUserAttributes } from "./commands/update-user-attributes.ts";
import { addWorker } from "./commands/worker.ts";
import { asCalled, type CarriedFlags } from "./command-line.ts";
import { EXIT } from "./exit-codes.ts";
import { reportFailure } from "./failure-report.ts";
import { columnsOf, tell, type Io } from "./io.ts";
import { packageVersion } from "./version.ts";

/** What a command is given to be added to the program. */
export interface Context {
  readonly io: Io;
  /** Wraps a command's action: the number it resolves to is the exit code. */
  act<A extends readonly unknown[]>(action: (...args: A) => Promise<number>): (...args: A) => Promise<void>;
}

/** Runs one command line, without the program's own name. Never rejects. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes("--json");
  let exitCode: number = EXIT.done;
  let flags: CarriedFlags = {};
  const context: Context = {
    io,
    act:
      (action) =>
      async (...args) => {
        const command = args.at(-1);
        if (command instanceof Command) flags = command.opts<CarriedFlags>();
        exitCode = await action(...args);
      },
  };
  const program = new Command("poolsync")
    .description("Keeps Amazon Cognito user pools in step with the systems that own people's data.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpCommand(true)
    // Narrower than commander thinks fit to wrap, but a terminal that wraps by itself does it within words.
    .configureHelp({ minWidthToWrap: 16, subcommandTerm: (command) => command.name() })
    .exitOverride()
    .showHelpAfterError("(--help shows the options and examples)")
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void (json ? undefined : io.stderr.write(text)),
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
  for (const add of [
    addSync,
    addPlan,
    addApply,
    addDrift,
    addUndo,
    addAdminUpdateUserAttributes,
    addUpdateUserAttributes,
    addDead,
    addExplain,
    addRuns,
    addStatus,
    addWorker,
    addEmulator,
    addDemo,
  ])
    add(program, context);
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const report = reportFailure(error);
    const message = asCalled(io, report.message, flags);
    if (json) {
      const { kind } = report;
      io.stdout.write(`${JSON.stringify({ error: { kind, message } }, undefined, 2)}\n`);
    } else if (!(error instanceof CommanderError)) {
      // Commander has told its own errors by now.
      tell(io, message);
    }
    if (wantsStacks(io.environment) && error instanceof Error) io.stderr.write(`${error.stack ?? ""}\n`);
    return report.exitCode;
  }
}
