/**
 * The demonstration: an embedded engine and a stand-in for Cognito in one process. It prints the commands as a user
 * would type them, and runs those very commands.
 */
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { EXIT } from "../src/exit-codes.ts";
import { indent } from "../src/views/table.ts";
import { startEmulator, type Emulator } from "../src/emulator/emulator.ts";
import { withScope } from "../src/lifecycle.ts";
import { freePort, laterExport, readiness, sendWebhook, until, WEBHOOK_SECRET, type Webhook } from "./hr-system.ts";
import { hrExport, SEED_CUSTOM_ATTRIBUTES, SEED_USERS, seedUsers } from "./seed.ts";

const POOL = "eu-west-1_Example";
/** AWS allows 25; then this would take a few minutes. */
const CALLS_PER_SECOND = 100;
/** How often it is told how far a command is, where no progress bar is shown. */
const TELL_EVERY_MS = 3_000;
const NEWCOMERS = 8;
/** People of the second export, and writes of them until the sync is interrupted. */
const [MOVED, INTERRUPTED_AFTER] = [150, 30];
const EVENTS_WITHIN_MS = 60_000;
const HOUR_MS = 3_600_000;
/** The user of the single webhooks, the first and the number of those of a flood, and as many as the guard lets through. */
const [CHANGED, FLOODED, FLOOD, PEOPLE] = ["emp0007", 200, 30, 20];

/** What poolsync and the SDK of this process find: the documented example credentials, and none of the user's own settings. */
const AWS_SETTINGS = {
  AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_SESSION_TOKEN: undefined,
  AWS_PROFILE: undefined,
  AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: undefined,
};

/** Where the demonstration types its commands: the terminal of the command that runs it. */
export interface Terminal {
  readonly stdout: Writable;
  readonly width: number;
  /** True where commands show progress bars. */
  readonly showsProgress: boolean;
  /** Aborts with the first signal. */
  readonly drain: AbortSignal;
  /** A command as one would type it. */
  commandLine(words: readonly string[]): string;
  /** Runs it, until `ending` aborts where it lives on. Answers its exit code. */
  run(
    words: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    ending?: AbortSignal,
  ): Promise<number>;
}

/** Runs the demonstration. Leaves nothing behind, also when it is interrupted. */
export async function demonstrate(terminal: Terminal): Promise<number> {
  return withScope(async (scope) => {
    const emulator = scope.defer(await openPool(), (opened) => opened.close());
    const directory = scope.defer(await mkdtemp(join(tmpdir(), "poolsync-demo-")), (path) =>
      rm(path, { recursive: true, force: true }),
    );
    await copyFile(new URL("poolsync.yaml", import.meta.url), join(directory, "poolsync.yaml"));
    const exported = await readFile(new URL("hr-export.csv", import.meta.url), "utf8");
    await writeFile(join(directory, "hr-export.csv"), exported);
    await writeFile(join(directory, "hr-export-2.csv"), laterExport(exported, MOVED));
    const endpoint = { AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url };
    scope.defer(setEnvironment({ ...AWS_SETTINGS, ...endpoint }), (restore) => restore());
    const before = process.cwd();
    process.chdir(directory);
    scope.defer(before, (path) => process.chdir(path));

    const say = (text: string): void => void terminal.stdout.write(`${indent("", text, terminal.width)}\n`);
    const environment = {
      ...AWS_SETTINGS,
      ...endpoint,
      POOLSYNC_DATA_DIR: join(directory, "data"),
      POOLSYNC_RATE: String(CALLS_PER_SECOND),
      POOLSYNC_LIST_RATE: String(CALLS_PER_SECOND),
      POOLSYNC_LOG_LEVEL: "silent",
      NO_COLOR: process.env["NO_COLOR"],
      PORTAL_SECRET: WEBHOOK_SECRET,
    };
    const type = async (words: readonly string[], ending?: AbortSignal): Promise<number> => {
      if (terminal.drain.aborted) return EXIT.interrupted;
      terminal.stdout.write(`$ ${terminal.commandLine(words)}\n`);
      const stopTelling = terminal.showsProgress ? undefined : tellCalls(emulator, terminal.stdout);
      const code = await terminal.run(words, environment, ending);
      stopTelling?.();
      terminal.stdout.write("\n");
      return code;
    };

    say(
      `A user pool of ${SEED_USERS.toLocaleString("en-US")} users, played by a stand-in for Cognito on this machine, and an HR export of 900 rows. The stand-in allows ${CALLS_PER_SECOND} updates a second, where AWS allows 25, so that nobody waits for a quota here. All of it is in ${directory} and gone afterwards.`,
    );
    terminal.stdout.write(`$ export AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=${emulator.url}\n`);
    terminal.stdout.write(`$ export POOLSYNC_RATE=${CALLS_PER_SECOND}\n`);
    /** Has a command interrupted once so many more users were written. Answers its exit code. */
    const interrupt = async (words: readonly string[], calls: number): Promise<number> => {
      const ending = new AbortController();
      const updates = () => emulator.counters.categories.UserUpdate.calls;
      const before = updates();
      const running = type(words, ending.signal).finally(() => ending.abort());
      await until(() => updates() >= before + calls, ending.signal).catch(() => undefined);
      ending.abort();
      return running;
    };
    /** Has `ingest` go on with what was interrupted and take events, and ends it. Answers its exit code. */
    const takeEvents = async (): Promise<number> => {
      if (terminal.drain.aborted) return EXIT.interrupted;
      const port = await freePort();
      const ending = new AbortController();
      const ended = new AbortController();
      const running = type(["ingest", "--port", String(port)], ending.signal).finally(() => ended.abort());
      try {
        const within = AbortSignal.any([ended.signal, AbortSignal.timeout(EVENTS_WITHIN_MS)]);
        await until(async () => (await readiness(port))?.status === 200, within);
        const nicknameOf = (username: string) => emulator.pools.get(POOL)?.user(username)?.attributes["nickname"];
        const send = (webhook: Webhook) => sendWebhook(port, "portal", webhook);
        const bodyOf = (user: string, nickname: string): string => JSON.stringify({ user, nickname });
        const genuine = bodyOf(CHANGED, "Sunny");
        const mallory = bodyOf(CHANGED, "Mallory");
        for (const [what, webhook] of [
          [`${genuine}, signed`, { id: "msg_1", body: genuine }],
          [`${mallory} under the same signature`, { id: "msg_1", body: mallory, signed: genuine }],
          ["One that was signed an hour ago", { id: "msg_2", body: genuine, agoMs: HOUR_MS }],
          ["One that is signed, and cannot be read", { id: "msg_3", body: "nickname=Sunny" }],
        ] as const) {
          const { status, text } = await send(webhook);
          say(`  ${what}: ${status} ${text}.`);
        }
        await until(() => nicknameOf(CHANGED) === "Sunny", within);
        say(
          `  The pool has the first, and nothing of the others. Then ${FLOOD} people change at once, by as many webhooks; more than ${PEOPLE} within 10 minutes wait for somebody's approval (\`guards.events\`):`,
        );
        const flooded = Array.from({ length: FLOOD }, (_, nth) => `emp0${FLOODED + nth}`);
        for (const user of flooded) await send({ id: `msg_${user}`, body: bodyOf(user, `Nick of ${user}`) });
        const written = () => flooded.filter((user) => nicknameOf(user) !== undefined).length;
        let run: string | undefined;
        await until(async () => {
          [run] = /\br-\S+/.exec((await readiness(port))?.text ?? "") ?? [];
          // The one before them counts as well.
          return run !== undefined && written() === PEOPLE - 1;
        }, within);
        for (const words of [
          ["runs", "show", run ?? ""],
          ["runs", "approve", run ?? ""],
        ]) {
          const code = await type(words);
          if (code !== EXIT.done) return code;
        }
        await until(() => written() === FLOOD, within);
        say(`  All ${FLOOD} are written.\n`);
      } catch (error) {
        // Where it has ended its exit code says it; whoever is interrupted finds it gone before it has said so.
        if (!ended.signal.aborted && !terminal.drain.aborted) throw error;
      } finally {
        ending.abort();
        await running;
      }
      return terminal.drain.aborted ? EXIT.interrupted : running;
    };
    const steps: readonly {
      readonly before?: () => void;
      readonly run: () => Promise<number>;
      readonly codes: readonly number[];
    }[] = [
      { run: () => type(["sync", "--feed", "hr"]), codes: [EXIT.partial] },
      {
        before: () => say("What could not be written waits as dead letters, by kind:"),
        run: () => type(["dead", "list"]),
        codes: [EXIT.done],
      },
      {
        before: () => {
          createNewcomers(emulator);
          say(
            `One cause is mended: somebody creates the ${NEWCOMERS} newcomers in the pool. Their letters, one for each attribute of each of them, are replayed:`,
          );
        },
        run: () => type(["dead", "replay", "--kind", "user-not-found"]),
        codes: [EXIT.done],
      },
      {
        before: () =>
          say(
            `On the next day ${MOVED} people of the export have moved. Somebody presses Ctrl-C while they are written:`,
          ),
        run: () => interrupt(["sync", "hr-export-2.csv", "--feed", "hr"], INTERRUPTED_AFTER),
        codes: [EXIT.done, EXIT.partial, EXIT.interrupted],
      },
      {
        before: () =>
          say(
            "Another system sends each change as it happens, as a webhook. Without Redis `ingest` delivers too: what was interrupted, and events, side by side:",
          ),
        run: takeEvents,
        codes: [EXIT.done],
      },
      {
        before: () => say("And everything is recounted against the books:"),
        run: () => type(["status", "--verify"]),
        codes: [EXIT.done],
      },
    ];
    for (const step of steps) {
      step.before?.();
      const code = await step.run();
      if (terminal.drain.aborted) {
        say(
          "That is what a sync of your own says. The pool of this demonstration was made up, and all of it is gone now.",
        );
        return EXIT.interrupted;
      }
      if (!step.codes.includes(code)) return code === EXIT.done ? EXIT.failed : code;
    }
    const { UserUpdate, UserList } = emulator.counters.categories;
    say(
      `Of the values of the files and the webhooks (received) those that are applied were written, unchanged ones were in the pool already, superseded ones gave way to a newer row of the same user, and invalid ones do not fit the pool and are in the report with line and reason. Each is in one of these, so the books balance. It took ${UserUpdate.calls.toLocaleString("en-US")} calls of AdminUpdateUserAttributes: what changes of one user goes in one; and ${UserList.calls.toLocaleString("en-US")} of ListUsers: the pool is read once, 60 users a call, and what it showed serves the writes for a minute. Next:`,
    );
    terminal.stdout.write(`$ ${terminal.commandLine(["sync", "--help"])}\n`);
    return EXIT.done;
  });
}

/** Tells how many calls the stand-in has answered, again and again until what is returned is called. */
function tellCalls(emulator: Emulator, stdout: Writable): () => void {
  const begunAt = performance.now();
  const timer = setInterval(() => {
    const { UserUpdate, UserList } = emulator.counters.categories;
    const seconds = Math.round((performance.now() - begunAt) / 1000);
    const soFar = `${UserList.calls} reads and ${UserUpdate.calls} updates of users so far`;
    stdout.write(`  … ${seconds}s: ${UserList.calls === 0 ? "the embedded engine starts" : soFar}\n`);
  }, TELL_EVERY_MS);
  return () => clearInterval(timer);
}

/** A pool whose people sign in with their username or e-mail address, and which refuses an address that is taken. */
async function openPool(): Promise<Emulator> {
  const emulator = await startEmulator({
    quotas: { UserUpdate: CALLS_PER_SECOND * 1.25, UserList: CALLS_PER_SECOND * 1.25 },
    latencyMs: [5, 15],
  });
  const pool = emulator.pools.add({
    id: POOL,
    schema: SEED_CUSTOM_ATTRIBUTES.map((attribute) => ({ ...attribute })),
    aliasAttributes: ["email"],
  });
  const users = seedUsers();
  for (const user of users) pool.addUser(user);
  // Pools differ in whether they refuse an address that is another user's; this one is made to.
  const owner = users.at(-1)?.attributes["email"];
  const wanted =
    owner === undefined
      ? undefined
      : hrExport()
          .split("\n")
          .find((row) => row.includes(owner));
  const username = wanted?.split(",", 1)[0];
  if (username !== undefined) {
    emulator.faults.add({ operation: "AdminUpdateUserAttributes", username, times: 1, error: "AliasExistsException" });
  }
  return emulator;
}

/** The people in the export who are not in the pool yet. */
function createNewcomers(emulator: Emulator): void {
  for (let number = 1; number <= NEWCOMERS; number++) {
    emulator.pools.get(POOL)?.addUser({ username: `emp${SEED_USERS + number}`, attributes: {} });
  }
}

/** Sets variables of this process; the function that it gives puts them back. */
function setEnvironment(settings: Readonly<Record<string, string | undefined>>): () => void {
  const before = Object.keys(settings).map((name) => [name, process.env[name]] as const);
  const set = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(settings)) set(name, value);
  return () => {
    for (const [name, value] of before) set(name, value);
  };
}
