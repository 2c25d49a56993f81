/** `poolsync emulator`: a stand-in for Cognito on this machine. */
import type { Command } from "commander";
import { startEmulator, type Emulator } from "../../emulator/emulator.ts";
import type { UserSeed } from "../../emulator/pool-definition.ts";
import { CATEGORIES, type Quotas } from "../../emulator/quota.ts";
import { lag, latency, quota, readSeed, seconds } from "../emulator-options.ts";
import { aborted, withScope } from "../../lifecycle.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { AppError } from "../../app/app-error.ts";
import { columnsOf, type Io } from "../io.ts";
import { integer } from "../option-values.ts";
import type { Context } from "../command.ts";
import { counted } from "../../core/amounts.ts";
import { indent } from "../../views/table.ts";

interface EmulatorFlags {
  readonly port?: number;
  readonly host?: string;
  readonly poolId?: string;
  readonly users?: number;
  readonly seedFile?: string;
  readonly rate?: Quotas;
  readonly burst?: number;
  readonly latency?: number | readonly [number, number];
  readonly listLag?: number;
  readonly json?: boolean;
}

const PORT = 9229;
const POOL_ID = "eu-west-1_Example";
const USERS = 100;

export function addEmulator(program: Command, context: Context): void {
  program
    .command("emulator")
    .description("Stand in for Cognito's user-pool API on this machine, with its quotas and checks.")
    .option("--port <port>", `listen on this port (default: ${PORT}; 0 takes any that is free)`, integer(0))
    .option("--host <address>", "listen at this address (default: 127.0.0.1; whoever reaches another one may write)")
    .option("--pool-id <id>", `id of the user pool (default: ${POOL_ID})`)
    .option("--users <number>", `make up so many users, user00001 and so on (default: ${USERS})`, integer(0))
    .option("--seed-file <file>", 'JSON: { "pool": { "schema": […] }, "users": [{ "username", "attributes" }] }')
    .option(
      "--rate <category=number>",
      `calls a second of a category (${CATEGORIES.join(", ")}), or \`unmetered\`; may be repeated`,
      quota,
    )
    .option("--burst <seconds>", "a bucket holds the calls of so many seconds, and one at least (default: 1)", seconds)
    .option("--latency <ms>", "from a call's arrival to its answer: 20, or 10-40 (default: 0)", latency)
    .option(
      "--list-lag <duration>",
      "ListUsers answers from what the pool was so long ago: 500ms, 2s (default: 0)",
      lag,
    )
    .option("--json", "print the endpoint and the pool as one JSON document on stdout")
    .addHelpText(
      "after",
      `
Examples:
  $ poolsync emulator --users 2000
  $ poolsync emulator --port 0 --rate UserUpdate=100 --latency 10-40`,
    )
    .action(context.act((flags: EmulatorFlags) => serve(context, flags)));
}

async function serve({ io }: Context, flags: EmulatorFlags): Promise<number> {
  const seed = flags.seedFile === undefined ? undefined : await readSeed(flags.seedFile);
  return withScope(async (scope) => {
    const emulator = scope.defer(await start(flags), (opened) => opened.close());
    const { id, users } = fill(emulator, flags, seed);
    const { url: endpoint } = emulator;
    if (flags.json === true) {
      io.stdout.write(`${JSON.stringify({ endpoint, userPoolId: id, users }, undefined, 2)}\n`);
    } else io.stdout.write(welcome(io, endpoint, id, users));
    await aborted(io.interrupts.drain);
    return EXIT.done;
  });
}

/** Makes the pool and its users. Throws an AppError `seed` for a definition that cannot be. */
function fill(
  emulator: Emulator,
  flags: EmulatorFlags,
  seed: Awaited<ReturnType<typeof readSeed>> | undefined,
): { readonly id: string; readonly users: number } {
  const users = seed?.users ?? Array.from({ length: flags.users ?? USERS }, (_, index) => inventUser(index + 1));
  try {
    const pool = emulator.pools.add({
      schema: [{ name: "cost_center" }, { name: "department" }],
      ...seed?.pool,
      id: flags.poolId ?? seed?.pool?.id ?? POOL_ID,
    });
    // A list shows at once whom the pool begins with, however far it lags.
    const createdAt = Date.now() - (flags.listLag ?? 0);
    for (const user of users) pool.addUser({ createdAt, ...user });
    return { id: pool.id, users: users.length };
  } catch (cause) {
    // What the emulator says of a definition or a seed names no person but the one who was made up for it.
    throw new AppError("seed", cause instanceof Error ? cause.message : "The pool cannot be made.", {
      cause,
      category: "usage",
    });
  }
}

function welcome(io: Io, endpoint: string, pool: string, users: number): string {
  const words = ["sync", "users.csv", "--user-pool-id", pool, "--verified", "mark", "--endpoint-url", endpoint];
  const listens = `Cognito's stand-in listens at ${endpoint}, with ${counted(users, "user")} in pool ${pool}.`;
  return [
    indent("", listens, columnsOf(io.stdout)),
    "Any credentials are taken, for instance AWS's documented example:\n\n",
    "  export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n",
    "  export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
    `  ${commandLine(io, words)}\n\n`,
    "Ctrl-C ends it, and everything in it is gone.\n",
  ].join("");
}

async function start({
  port = PORT,
  host,
  rate,
  burst,
  latency: latencyMs,
  listLag,
}: EmulatorFlags): Promise<Emulator> {
  try {
    return await startEmulator({
      port,
      ...(host === undefined ? {} : { host }),
      ...(rate === undefined ? {} : { quotas: rate }),
      ...(burst === undefined ? {} : { burstSeconds: burst }),
      ...(latencyMs === undefined ? {} : { latencyMs }),
      ...(listLag === undefined ? {} : { listLagMs: listLag }),
    });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    const why = code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened at (${code})`;
    throw new AppError("port", `Port ${port} ${why}: give another one with --port, or 0 for any that is free.`, {
      cause,
    });
  }
}

function inventUser(number: number): UserSeed {
  const username = `user${String(number).padStart(5, "0")}`;
  return {
    username,
    attributes: {
      given_name: "Given",
      family_name: `Family ${number}`,
      email: `${username}@example.com`,
      email_verified: "true",
    },
  };
}
