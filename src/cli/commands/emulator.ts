/** `poolsync emulator`: a stand-in for Cognito on this machine. */
import { readFile } from "node:fs/promises";
import { InvalidArgumentError, type Command } from "commander";
import { z } from "zod";
import { startEmulator, type Emulator } from "../../emulator/emulator.ts";
import { POOL_DEFINITION, USER_SEED, type UserSeed } from "../../emulator/pool-definition.ts";
import { CATEGORIES, type Category, type Quotas } from "../../emulator/quota.ts";
import { parseSpan } from "../../core/span.ts";
import { aborted, withOwned } from "../../lifecycle.ts";
import { commandLine } from "../command-line.ts";
import { EXIT } from "../../exit-codes.ts";
import { AppError } from "../../app/app-error.ts";
import { columnsOf } from "../io.ts";
import { whole } from "../option-values.ts";
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

const seedFile = z.strictObject({
  pool: POOL_DEFINITION.optional(),
  users: z.array(USER_SEED),
});

export function addEmulator(program: Command, context: Context): void {
  program
    .command("emulator")
    .description("Stand in for Cognito's user-pool API on this machine, with its quotas and checks.")
    .option("--port <port>", `listen on this port (default: ${PORT}; 0 takes any that is free)`, whole(0))
    .option("--host <address>", "listen at this address (default: 127.0.0.1; whoever reaches another one may write)")
    .option("--pool-id <id>", `id of the user pool (default: ${POOL_ID})`)
    .option("--users <number>", `make up so many users, user00001 and so on (default: ${USERS})`, whole(0))
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
  return withOwned(async (own) => {
    const emulator = own(await start(flags), (opened) => opened.close());
    const users = seed?.users ?? Array.from({ length: flags.users ?? USERS }, (_, index) => inventUser(index + 1));
    let poolId: string;
    try {
      const pool = emulator.pools.add({
        schema: [{ name: "cost_center" }, { name: "department" }],
        ...seed?.pool,
        id: flags.poolId ?? seed?.pool?.id ?? POOL_ID,
      });
      // A list shows at once whom the pool begins with, however far it lags.
      const createdAt = Date.now() - (flags.listLag ?? 0);
      for (const user of users) pool.addUser({ createdAt, ...user });
      poolId = pool.id;
    } catch (cause) {
      // What the emulator says of a definition or a seed names no person but the one who was made up for it.
      throw new AppError("seed", cause instanceof Error ? cause.message : "The pool cannot be made.", {
        cause,
        category: "usage",
      });
    }
    const endpoint = emulator.url;
    if (flags.json === true) {
      io.stdout.write(`${JSON.stringify({ endpoint, userPoolId: poolId, users: users.length }, undefined, 2)}\n`);
    } else {
      const sync = commandLine(io, [
        "sync",
        "users.csv",
        "--user-pool-id",
        poolId,
        "--verified",
        "mark",
        "--endpoint-url",
        endpoint,
      ]);
      io.stdout.write(
        [
          indent(
            "",
            `Cognito's stand-in listens at ${endpoint}, with ${counted(users.length, "user")} in pool ${poolId}.`,
            columnsOf(io.stdout),
          ),
          "Any credentials are taken, for instance AWS's documented example:\n\n",
          "  export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\n",
          "  export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
          `  ${sync}\n\n`,
          "Ctrl-C ends it, and everything in it is gone.\n",
        ].join(""),
      );
    }
    await aborted(io.interrupts.drain);
    return EXIT.done;
  });
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

async function readSeed(path: string): Promise<z.infer<typeof seedFile>> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new AppError("seed", `Expected a JSON file that can be read at \`${path}\`.`, {
      cause,
      category: "usage",
    });
  }
  const parsed = seedFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue?.path.map(String).join(".") ?? "";
  throw new AppError("seed", `\`${path}\` is no seed file${at === "" ? "" : `, at ${at}`}: ${issue?.message ?? ""}`, {
    category: "usage",
  });
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

function quota(value: string, before: Quotas | undefined): Quotas {
  if (value === "unmetered") return "unmetered";
  const [, name, number] = /^(\w+)=(\d+(?:\.\d+)?)$/.exec(value) ?? [];
  const category: Category | undefined = CATEGORIES.find((each) => each === name);
  if (category === undefined || Number(number) <= 0) {
    throw new InvalidArgumentError(
      `Expected \`unmetered\`, or a category and a number above 0, such as ${CATEGORIES[0] ?? ""}=100.`,
    );
  }
  return { ...(typeof before === "object" ? before : {}), [category]: Number(number) };
}

function seconds(value: string): number {
  const number = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : 0;
  if (number <= 0) throw new InvalidArgumentError("Expected seconds above 0, such as 0.2.");
  return number;
}

function latency(value: string): number | readonly [number, number] {
  const [, least, most] = /^(\d+)(?:-(\d+))?$/.exec(value) ?? [];
  if (least === undefined || (most !== undefined && Number(most) < Number(least))) {
    throw new InvalidArgumentError("Expected milliseconds, such as 20 or 10-40.");
  }
  return most === undefined ? Number(least) : [Number(least), Number(most)];
}

function lag(value: string): number {
  const [, ms] = /^(\d{1,9})ms$/.exec(value) ?? [];
  const lagMs = ms === undefined ? parseSpan(value) : Number(ms);
  if (lagMs === undefined) throw new InvalidArgumentError("Expected a span of time such as 500ms, 2s or 5m.");
  return lagMs;
}
