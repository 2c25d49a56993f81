/** `poolsync explain`: one user's path, step by step. */
import type { Command } from "commander";
import { choosePool } from "../../config/config.ts";
import { isAliasAttribute } from "../../core/alias-claims.ts";
import { questionsOf } from "../../core/identifier.ts";
import { withOwned } from "../../lifecycle.ts";
import type { Pool } from "../../delivery/pool.ts";
import type { NameHint } from "../../delivery/user-names.ts";
import { directRunId } from "../../store/runs.ts";
import { NOBODY, refusedText, severalHaveIt } from "../aws/telling.ts";
import { usageError } from "../aws/usage-error.ts";
import { EXIT } from "../exit-codes.ts";
import { explain, type Explanation } from "../../app/users/explanation.ts";
import { CommandError, readEarly } from "../../app/app-error.ts";
import { columnsOf, type Io } from "../io.ts";
import {
  cognitoOptions,
  engineOptions,
  openChosenPool,
  openClients,
  openConfig,
  openEngineOf,
  type CognitoFlags,
} from "../../app/opening.ts";
import type { Context } from "../program.ts";
import { indent, table } from "../../views/table.ts";

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
  const { config, log, reads } = await openConfig(io, flags);
  const [onlyPool, another] = Object.keys(config.poolSettings);
  const userPoolId = flags.userPoolId ?? (another === undefined ? onlyPool : undefined);
  if (userPoolId === undefined || username === undefined) {
    throw usageError(
      "Expected --user-pool-id and --username: poolsync explain --user-pool-id eu-west-1_Example --username jane",
    );
  }
  const chosen = choosePool(config, userPoolId, flags);
  return withOwned(async (own) => {
    const engine = await openEngineOf(config, own, { log, io });
    const clients = openClients(config, own);
    const signal = io.interrupts.drain;
    const pool = await openChosenPool({ config, log, engine, clients, own, io, reads, signal }, chosen);
    const before = await hintOf(pool, username);
    const named = await readEarly(signal, pool.names.whose(username, undefined, signal));
    if (named.is === "none") throw new CommandError(NOBODY.kind, refusedText({ ...NOBODY, operation: "ListUsers" }));
    if (named.is === "many") throw severalHaveIt(named.usernames);
    const cognito = clients.of(chosen);
    const means = { engine, cognito, profile: pool.profile, reads, signal };
    const explanation = await readEarly(signal, explain(means, named, before));
    if (flags.json === true) io.stdout.write(`${JSON.stringify(explanation, undefined, 2)}\n`);
    else io.stdout.write(text(explanation, columnsOf(io.stdout)));
    return EXIT.done;
  });
}

/** Whose the name was when it was asked before, where it is one that passes on. */
async function hintOf({ names, profile }: Pool, text: string): Promise<NameHint | undefined> {
  for (const attribute of questionsOf(profile, text)) {
    const hint = isAliasAttribute(attribute) ? await names.hint({ attribute, value: text }) : undefined;
    if (hint !== undefined) return hint;
  }
  return undefined;
}

/** Which question led to the user, and whom the same name led to before. */
function foundText({ by, at, before }: Explanation["found"]): string {
  const asked = `Found by ${by === "username" ? "the username" : by}, asked ${seconds(at)}.`;
  if (before === undefined) return asked;
  return `${asked} ${before.at === undefined ? "Before" : `At ${seconds(before.at)}`} it was ${before.username}'s.`;
}

function text(explanation: Explanation, width: number): string {
  const { pool, user, username, found, listed, pending, ledger, letters, aliases, next, because } = explanation;
  const part = (title: string, body: string, none: string): string =>
    `\n${title}\n${body === "" ? `  ${none}\n` : body}`;
  const note = ({ known, changedSince, formerAccount }: Explanation["ledger"][number]): string =>
    formerAccount === true
      ? "of the account before"
      : !known
        ? "may have been written, or was found there"
        : changedSince === true
          ? "the pool holds another"
          : "";
  const isSure = ledger.every((unit) => note(unit) === "");
  const people = pool.signIn.length === 0 ? "the username" : `the username, ${pool.signIn.join(", ")}`;
  return [
    indent("", `${username} in ${pool.id} (${pool.region}), known as ${user}`, width),
    indent("", foundText(found), width),
    indent("", `People sign in with ${people}; case ${pool.ignoresCase ? "does not count" : "counts"}.`, width),
    part(
      "The pool has",
      table(
        [
          { title: "ATTRIBUTE", shrinks: true },
          { title: "VALUE", shrinks: true },
        ],
        Object.entries(listed?.attributes ?? {}),
        width,
      ),
      "The user is not listed.",
    ),
    part(
      "Waiting",
      table(
        [
          { title: "ATTRIBUTE", shrinks: true },
          { title: "VALUE", shrinks: true },
          { title: "VERSION" },
          { title: "RUN", shrinks: true },
          { title: "WOULD", shrinks: true },
        ],
        pending.map(({ attribute, value, version, run: of, would }) => {
          // The standing run of this very pool: its name says nothing more.
          return [attribute, value, seconds(version), of === directRunId(pool.id) ? "direct" : of, would];
        }),
        width,
      ),
      "Nothing.",
    ),
    part(
      "Written or found last",
      table(
        [{ title: "ATTRIBUTE", shrinks: true }, { title: "VERSION" }, ...(isSure ? [] : [{ title: "NOTE" }])],
        ledger.map((unit) => [unit.attribute, seconds(unit.version), note(unit)]),
        width,
      ),
      "Nothing.",
    ),
    part(
      "Dead letters",
      table(
        [
          { title: "LETTER" },
          { title: "ATTRIBUTE", shrinks: true },
          { title: "KIND" },
          { title: "REASON", shrinks: true },
        ],
        letters.map(({ id, attribute, kind, reason }) => [id, attribute, kind, reason]),
        width,
      ),
      "None.",
    ),
    ...(aliases.length === 0
      ? []
      : [
          part(
            "Who has what is wanted",
            table(
              [{ title: "ATTRIBUTE" }, { title: "VALUE", shrinks: true }, { title: "OWNER", shrinks: true }],
              aliases.map(({ attribute, value, owners }) => [attribute, value, owners.join(", ") || "nobody"]),
              width,
            ),
            "",
          ),
        ]),
    ...(pending.length === 0
      ? []
      : [
          part(
            "The next delivery would send",
            next.map((call) => indent("  ", callText(call), width)).join(""),
            "Nothing.",
          ),
        ]),
    "\n",
    ...because.map((sentence) => indent("", sentence, width)),
  ].join("");
}

function callText({ operation, attributes, metadata = {} }: Explanation["next"][number]): string {
  const pairs = (texts: Readonly<Record<string, string>>): string =>
    Object.entries(texts)
      .map(([name, text]) => `${name}=${text === "" ? "(deleted)" : text}`)
      .join(", ");
  const beside = Object.keys(metadata).length === 0 ? "" : `, with metadata ${pairs(metadata)}`;
  return `${operation}: ${pairs(attributes)}${beside}`;
}

function seconds(version: string): string {
  return version.replace(/\.\d+Z$/, "Z");
}
