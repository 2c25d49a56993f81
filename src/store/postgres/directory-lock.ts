/**
 * The lock of a data directory: a Unix socket in it. A socket that can be connected to is a living process, which is
 * asked for its status, and given commands, over the same socket; the kernel ends it with the process, however that dies.
 *
 * The socket's name carries a number, `lock.7.sock`, and the highest number counts. A process that finds it dead makes
 * the next one, under another name first and then by a hard link, because a link never replaces what is there: of two
 * that race, one gets the number. A socket is thus never seen before somebody listens on it. The highest is never
 * removed, not even by its own process when it ends, so that the numbers only grow; a process that comes late with a
 * low number sees a higher one beside its own, and steps back.
 *
 * Who may wait asks for its turn on the same socket: it is told what the holder is, and stays connected. The end of the
 * connection, which the kernel brings about however the holder dies, is the sign to try again. Those who came later try
 * a little later.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, link, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { nextStep, sentence } from "../../core/sentence.ts";
import { StoreError } from "../store-error.ts";
import { parsed, wireOn, type Wire } from "./wire.ts";

export interface DirectoryLock {
  /** Sets the answer that {@link askHolder} gets from now on: anything that JSON can say. */
  answer(status: () => Promise<unknown>): void;
  /** Takes the commands that {@link commandHolder} sends from now on. */
  serve(onCommand: OnCommand): void;
  release(): Promise<void>;
}

/** Told what another process asks for, and talks with it from then on. It ends the connection. */
export type OnCommand = (request: unknown, wire: Wire) => void;

/** What has a directory: a command about one thing, one that runs feeds or replays, or a process that lives on. */
export type Holder = (typeof HOLDERS)[number];
const HOLDERS = ["command", "run", "process"] as const;

/** How a process takes a directory that another one has. */
export interface DirectoryTurn {
  /** What it will be to others. */
  readonly as: Holder;
  /** Which holders it waits for; any other is told at once, as `in-use`. */
  readonly waitsFor: readonly Holder[];
  /** How long it waits for each holder that comes before it. */
  readonly withinMs: number;
  /** Ends the waiting: its reason is thrown. */
  readonly signal: AbortSignal;
  /** Told once, when the waiting begins. */
  readonly onWait: () => void;
}

/** `sun_path` takes 107 bytes on Linux and 103 on macOS. */
const LONGEST_SOCKET_PATH = 103;
const LONGEST_NAME = "lock.0000000000.sock";
const STATUS_QUESTION = "status\n";
const TURN_QUESTION = "turn\n";
/** What is asked for follows, as JSON in the same line. */
const COMMAND = "command ";
const LONGEST_COMMAND = 1_000_000;
const ANSWER_TIMEOUT_MS = 5_000;
const ANOTHER_TRY_MS = 20;

/**
 * Takes the lock of a directory that exists, in turn where `turn` is given. Throws a StoreError `in-use` where another
 * process has it, and is not waited for or did not end in time.
 */
export async function lockDirectory(directory: string, turn?: DirectoryTurn): Promise<DirectoryLock> {
  const waiting = turn && startWaiting(directory, turn);
  return withShortPath(directory, async (short) => {
    for (;;) {
      turn?.signal.throwIfAborted();
      const highest = await highestNumber(directory);
      const holder = highest > 0 ? await reach(join(short, nameOf(highest))) : undefined;
      if (holder !== undefined) {
        if (waiting === undefined) {
          holder.destroy();
          throw inUse(directory);
        }
        await waiting.untilEnd(holder);
        continue;
      }
      const lock = await tryNumber(directory, short, highest + 1, turn?.as ?? "process");
      if (lock) return lock;
      await sleep(ANOTHER_TRY_MS);
    }
  });
}

/** The waiting of one process, for as many holders as come before it. */
function startWaiting(directory: string, { waitsFor, withinMs, signal, onWait }: DirectoryTurn) {
  let endsAt = performance.now() + withinMs;
  let isTold = false;

  /** Asks a holder for what it is, and waits until its connection ends. */
  async function untilEnd(holder: Socket): Promise<void> {
    const late = AbortSignal.timeout(Math.max(0, Math.ceil(endsAt - performance.now())));
    const end = AbortSignal.any([signal, late]);
    let said = "";
    let isRefused = false;
    const onEnd = (): void => void holder.destroy();
    end.addEventListener("abort", onEnd, { once: true });
    holder.setEncoding("utf8").on("data", (part) => {
      said += String(part);
      if (!said.endsWith("\n")) return;
      isRefused = !waitsFor.some((kind) => said.startsWith(`${kind} `));
      if (isRefused) holder.destroy();
      else if (!isTold) onWait();
      isTold = true;
    });
    // It ends the connection by ending itself, which may be an error here.
    holder.on("error", () => holder.destroy());
    const { promise, resolve } = Promise.withResolvers<void>();
    holder.once("close", () => resolve());
    holder.write(TURN_QUESTION);
    if (end.aborted) holder.destroy();
    await promise;
    end.removeEventListener("abort", onEnd);
    signal.throwIfAborted();
    if (isRefused) throw inUse(directory);
    if (late.aborted) throw inUse(directory, withinMs);
    const [, before] = said.split(" ");
    // Without an answer it was just ending.
    if (before !== undefined) endsAt = performance.now() + withinMs;
    await sleep(Number(before ?? 1) * ANOTHER_TRY_MS);
  }

  return { untilEnd };
}

/** Asks the process that has the directory for its status; undefined where nobody has it. */
export async function askHolder(directory: string): Promise<{ readonly status: unknown } | undefined> {
  return withShortPath(directory, async (short) => {
    const highest = await highestNumber(directory);
    if (highest === 0) return undefined;
    const socket = await reach(join(short, nameOf(highest)));
    if (!socket) return undefined;
    try {
      socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error(`No answer in ${ANSWER_TIMEOUT_MS} ms`)));
      socket.write(STATUS_QUESTION);
      let line = "";
      for await (const part of socket.setEncoding("utf8")) line += String(part);
      const status: unknown = JSON.parse(line);
      return { status };
    } catch (cause) {
      throw new StoreError(
        "in-use",
        `A process has the data directory ${directory} and does not say how it stands: try again, or end that process.`,
        { cause },
      );
    } finally {
      socket.destroy();
    }
  });
}

/**
 * Sends a request to the process that has the directory, to talk with it from then on; undefined where nobody has it.
 * One that takes no commands ends the connection without a word.
 */
export async function commandHolder(directory: string, request: unknown): Promise<Wire | undefined> {
  return withShortPath(directory, async (short) => {
    const highest = await highestNumber(directory);
    const socket = highest === 0 ? undefined : await reach(join(short, nameOf(highest)));
    socket?.setEncoding("utf8").write(`${COMMAND}${JSON.stringify(request)}\n`);
    return socket && wireOn(socket);
  });
}

async function tryNumber(
  directory: string,
  short: string,
  number: number,
  as: Holder,
): Promise<DirectoryLock | undefined> {
  let status: () => Promise<unknown> = async () => ({});
  /** Processes that wait for their turn. */
  const waiting = new Set<Socket>();
  const onTurn = (socket: Socket): void => {
    socket.setTimeout(0);
    socket.unref();
    socket.write(`${as} ${waiting.size}\n`);
    waiting.add(socket);
    socket.once("close", () => waiting.delete(socket));
  };
  let onCommand: OnCommand | undefined;
  const commanding = new Set<Socket>();
  const takeCommand = (socket: Socket, line: string, rest: string): void => {
    if (onCommand === undefined) return void socket.destroy();
    socket.setTimeout(0);
    commanding.add(socket);
    socket.once("close", () => commanding.delete(socket));
    onCommand(parsed(line), wireOn(socket, rest));
  };
  const server = createServer((socket) => answerOn(socket, { status: () => status(), onTurn, takeCommand }));
  const close = async (): Promise<void> => {
    const closed = closeServer(server);
    for (const socket of [...waiting, ...commanding]) socket.destroy();
    await closed;
  };
  server.unref();
  const draft = `lock.${randomBytes(4).toString("hex")}.new`;
  try {
    server.listen(join(short, draft));
    await once(server, "listening");
    // Whoever connects may have commands run.
    await chmod(join(directory, draft), 0o600);
    await link(join(directory, draft), join(directory, nameOf(number)));
  } catch (cause) {
    await closeServer(server);
    if (codeOf(cause) === "EEXIST") return undefined;
    throw new StoreError(
      "misconfigured",
      `The data directory ${directory} cannot be locked (${codeOf(cause) ?? "unknown"}): use --data-dir with a directory on a local disk that this user may write to.`,
      { cause },
    );
  } finally {
    await rm(join(directory, draft), { force: true });
  }
  if ((await highestNumber(directory)) !== number) {
    await close();
    await rm(join(directory, nameOf(number)), { force: true });
    return undefined;
  }
  for (const older of await numbers(directory)) {
    if (older < number) await rm(join(directory, nameOf(older)), { force: true });
  }
  return {
    answer(next) {
      status = next;
    },
    serve(next) {
      onCommand = next;
    },
    release: close,
  };
}

interface Answers {
  readonly status: () => Promise<unknown>;
  readonly onTurn: (socket: Socket) => void;
  /** `line`: the request; `rest`: what came behind it. */
  readonly takeCommand: (socket: Socket, line: string, rest: string) => void;
}

function answerOn(socket: Socket, { status, onTurn, takeCommand }: Answers): void {
  // A process that only looks whether the lock is taken hangs up at once, perhaps while it is being answered.
  socket.on("error", () => socket.destroy());
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  socket.setEncoding("utf8");
  let asked = "";
  const onData = (part: unknown): void => {
    asked += String(part);
    if (asked.startsWith(COMMAND)) {
      const end = asked.indexOf("\n");
      if (end < 0 && asked.length < LONGEST_COMMAND) return;
      socket.off("data", onData);
      if (end < 0) socket.destroy();
      else takeCommand(socket, asked.slice(COMMAND.length, end), asked.slice(end + 1));
      return;
    }
    if (![STATUS_QUESTION, TURN_QUESTION, COMMAND].some((question) => question.startsWith(asked))) socket.destroy();
    if (asked === TURN_QUESTION) onTurn(socket);
    if (asked !== STATUS_QUESTION) return;
    status().then(
      (status) => socket.end(`${JSON.stringify(status)}\n`),
      // No answer is an answer: the asker says that the process does not tell how it stands.
      () => socket.destroy(),
    );
  };
  socket.on("data", onData);
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, "close");
}

/** A connection to a living process; undefined where the socket's process has ended, or the socket is gone. */
async function reach(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    socket.destroy();
    const code = codeOf(error);
    if (code === "ECONNREFUSED" || code === "ENOENT") return undefined;
    throw new StoreError(
      "in-use",
      `Whether a process has the socket ${path} cannot be told (${code ?? "unknown"}): end the process that has it, or use another --data-dir.`,
      { cause: error },
    );
  }
}

function nameOf(number: number): string {
  return `lock.${number}.sock`;
}

async function numbers(directory: string): Promise<readonly number[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => /^lock\.(\d+)\.sock$/.exec(name)?.[1] ?? []).map(Number);
}

async function highestNumber(directory: string): Promise<number> {
  return Math.max(0, ...(await numbers(directory)));
}

/** A directory whose path is too long for a socket's is reached through a symbolic link, for the moment of the call. */
async function withShortPath<T>(directory: string, act: (short: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(join(directory, LONGEST_NAME)) <= LONGEST_SOCKET_PATH) return act(directory);
  const aside = await mkdtemp(join(tmpdir(), "poolsync-"));
  try {
    const short = join(aside, "d");
    await symlink(resolve(directory), short);
    return await act(short);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function inUse(directory: string, waitedMs?: number): StoreError {
  const waited = waitedMs === undefined ? "" : `, which did not end within ${waitedMs / 1000} seconds`;
  return new StoreError(
    "in-use",
    sentence`The data directory ${directory} is in use by another poolsync process${waited}: wait until it ends, or end it (an \`ingest\` or a worker with Ctrl-C or SIGTERM; what is not sent stays queued); ask it with ${nextStep("status")}, or use another --data-dir.`,
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
