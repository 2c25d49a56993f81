/** `poolsync demo`: the demonstration that a checkout has in demo/run.ts. */
import type { Command } from "commander";
import { AppError } from "../../app/app-error.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import { commandLine } from "../command-line.ts";
import { columnsOf, type Output } from "../io.ts";
import type { Context } from "../command.ts";

export function addDemo(program: Command, context: Context): void {
  program
    .command("demo")
    .description("See it work: an embedded engine, a stand-in for Cognito, 2,000 users and an HR export.")
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync demo\n\nEverything is on this machine and in a temporary directory, and gone afterwards.",
    )
    .action(context.act(() => demonstrate(context)));
}

async function demonstrate(context: Context): Promise<number> {
  const { io } = context;
  // By its address and not by name: nothing of src depends on the demonstration, and the package is without it.
  const address = new URL("../../../demo/run.ts", import.meta.url).href;
  let demo: unknown;
  try {
    demo = await import(address);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) throw cause;
    throw new AppError(
      "no-demo",
      sentence`The demonstration comes with poolsync's sources and not with the package. Clone the repository and run \`npm ci && npm run demo\` in it; or try your own file here: ${nextStep("emulator")} plays a user pool, and says how to sync into it.`,
      { cause },
    );
  }
  if (!isDemo(demo)) throw new TypeError("Expected demo/run.ts to export `demonstrate`");
  return demo.demonstrate({
    stdout: io.stdout,
    width: columnsOf(io.stdout),
    showsProgress: io.stderr.isTTY === true,
    drain: io.interrupts.drain,
    commandLine: (words) => commandLine(io, words),
    run(words, environment, ending) {
      const { drain, abort } = io.interrupts;
      const interrupts = { drain: ending === undefined ? drain : AbortSignal.any([drain, ending]), abort };
      return context.run(words, { ...io, environment, interrupts });
    },
  });
}

/** As demo/run.ts says it. */
interface Terminal {
  readonly stdout: Output;
  readonly width: number;
  readonly showsProgress: boolean;
  readonly drain: AbortSignal;
  readonly commandLine: (words: readonly string[]) => string;
  readonly run: (
    words: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    ending?: AbortSignal,
  ) => Promise<number>;
}

function isDemo(module: unknown): module is { demonstrate(terminal: Terminal): Promise<number> } {
  return (
    typeof module === "object" && module !== null && "demonstrate" in module && typeof module.demonstrate === "function"
  );
}
