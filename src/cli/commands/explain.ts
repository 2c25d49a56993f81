/** `poolsync explain`: one user's path, step by step. */
import type { Command } from "commander";
import { AppError, readEarly } from "../../app/app-error.ts";
import { openChosenPool, openClients, openConfiguredEngine } from "../../app/opening.ts";
import { explain } from "../../app/users/explain.ts";
import { choosePool } from "../../config/config.ts";
import { EXIT } from "../../exit-codes.ts";
import { withScope } from "../../lifecycle.ts";
import { exceptionText } from "../../app/users/reasons.ts";
import type { Sentence } from "../../core/sentence.ts";
import { explanationText } from "../../views/explanation.ts";
import { NOBODY, refusedText, severalHaveIt } from "../aws/refusal-text.ts";
import { usageError } from "../aws/usage-error.ts";
import type { Context } from "../command.ts";
import { asTyped } from "../command-line.ts";
import { columnsOf, type Io } from "../io.ts";
import { cognitoOptions, engineOptions, openConfig, type CognitoFlags } from "../opening.ts";

interface ExplainFlags extends CognitoFlags {
  readonly userPoolId?: string;
  readonly username?: string;
}

export function addExplain(program: Command, context: Context): void {
  const command = program
    .command("explain")
    .description("One user's path: what the pool has, what waits, what was written, and why the last one failed.")
    .option("--user-pool-id <id>", "the user pool, by id or by its name in poolsync.yaml (default: its only pool)")
    .option("--username <name>", "the user, by username or alias");
  engineOptions(cognitoOptions(command))
    .addHelpText(
      "after",
      "\nExamples:\n  $ poolsync explain --user-pool-id eu-west-1_Example --username jane\n\nValues are masked. The pool is read with ListUsers, which bills nobody.",
    )
    .action(context.act((flags: ExplainFlags) => run(context.io, flags)));
}

async function run(io: Io, flags: ExplainFlags): Promise<number> {
  const { username } = flags;
  const opened = await openConfig(io, flags);
  const { config, reads } = opened;
  const [onlyPool, another] = Object.keys(config.poolSettings);
  const userPoolId = flags.userPoolId ?? (another === undefined ? onlyPool : undefined);
  if (userPoolId === undefined || username === undefined) {
    throw usageError(
      "Expected --user-pool-id and --username: poolsync explain --user-pool-id eu-west-1_Example --username jane",
    );
  }
  const chosen = choosePool(config, userPoolId, flags);
  const signal = io.interrupts.drain;
  return withScope(async (scope) => {
    const engine = await openConfiguredEngine(config, scope, opened);
    const clients = await openClients(config, scope);
    const { concurrency } = config;
    const pool = await openChosenPool({ ...opened, concurrency, engine, clients, scope, signal }, chosen);
    const deps = { engine, pool, cognito: clients.of(chosen), reads, signal };
    const explained = await readEarly(signal, explain(deps, username));
    if (explained.is === "none") {
      const refused = refusedText({ ...NOBODY, operation: "ListUsers" });
      const waiting = explained.waiting.map((said) => asTyped(io, said, flags));
      throw new AppError(NOBODY.kind, [refused, ...explained.exceptions.map(exceptionText), ...waiting].join(" "));
    }
    if (explained.is === "many") throw severalHaveIt(explained.usernames);
    const { explanation } = explained;
    const say = (said: Sentence | string): string => asTyped(io, said, flags);
    if (flags.json === true) {
      const document = { ...explanation, because: explanation.because.map(say) };
      io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    } else io.stdout.write(explanationText(explanation, columnsOf(io.stdout), say));
    return EXIT.done;
  });
}
