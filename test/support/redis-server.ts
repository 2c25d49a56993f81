import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { GenericContainer, getContainerRuntimeClient, Wait } from "testcontainers";

/** A Redis for one run of the tests. */
export interface ProvidedRedis {
  readonly url: string;
  /** Where it came from, for a person to read. */
  readonly origin: string;
  /** False for a Redis that others may use too. */
  readonly ours: boolean;
  /** Stops what was started for it; a Redis that was there before goes on. */
  stop(): Promise<void>;
}

/** What may be asked for, and whether a package may be installed. */
export interface RedisWishes {
  readonly url: string | undefined;
  readonly image: string | undefined;
  readonly install: boolean;
  readonly say: (line: string) => void;
}

const DEFAULT_IMAGE = "redis:8-alpine";
const READY = "Ready to accept connections";
const RUNTIME_ANSWER_MS = 3_000;
const START_MS = 30_000;
const PULL_AND_START_MS = 120_000;
const PORT_ATTEMPTS = 5;

// Nothing is evicted: an evicting Redis loses jobs. It writes the file whose absence is reported, without waiting for the
// disk, and never writes it anew.
const SETTINGS = [
  "--save",
  "",
  "--maxmemory-policy",
  "noeviction",
  "--appendonly",
  "yes",
  "--appendfsync",
  "no",
  "--auto-aof-rewrite-percentage",
  "0",
];

/**
 * A real Redis, the first of: one that is named, a container where a runtime answers, `redis-server` from the PATH,
 * Debian's package where it may be installed. Throws with the remedies where there is none.
 */
export async function provideRedis(request: RedisWishes): Promise<ProvidedRedis> {
  if (request.url !== undefined && request.url !== "") {
    return { url: request.url, origin: "POOLSYNC_TEST_REDIS_URL", ours: false, stop: () => Promise.resolve() };
  }
  const contained = (await containerRuntimeAnswers()) ? await startContainer(request) : undefined;
  if (contained) return contained;
  if (serverOnPath()) return await startServer("redis-server on the PATH");
  if (request.install && process.getuid?.() === 0) {
    installServer(request.say);
    return await startServer("Debian's redis-server, which was just installed");
  }
  throw new Error(
    "Expected a Redis to test with, found none. Do one of these: start Docker or Podman; install redis-server " +
      "(`apt-get install redis-server`, `brew install redis`); as root on Debian or Ubuntu run " +
      "`npm test -- --install`; or set POOLSYNC_TEST_REDIS_URL, such as redis://127.0.0.1:6379.",
  );
}

async function containerRuntimeAnswers(): Promise<boolean> {
  const answer = getContainerRuntimeClient().then(
    () => true,
    // No runtime is the usual case on a small machine, and the next source of a Redis is tried.
    () => false,
  );
  return await Promise.race([answer, wait(RUNTIME_ANSWER_MS, false, { ref: false })]);
}

async function startContainer({ image: wanted, say }: RedisWishes): Promise<ProvidedRedis | undefined> {
  const image = wanted || DEFAULT_IMAGE;
  try {
    const starting = new GenericContainer(image)
      .withCommand(["redis-server", "--protected-mode", "no", ...SETTINGS])
      .withExposedPorts(6379)
      // The line is awaited and not the port, since an image without a shell cannot be asked from within.
      .withWaitStrategy(Wait.forLogMessage(READY))
      .withStartupTimeout(PULL_AND_START_MS)
      .start();
    // Pulling knows no time-out of its own.
    const container = await Promise.race([starting, wait(PULL_AND_START_MS, undefined, { ref: false })]);
    if (container === undefined) throw new Error(`it took more than ${PULL_AND_START_MS / 1_000} s`);
    return {
      url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
      origin: `a container of ${image}`,
      ours: true,
      stop: async () => void (await container.stop()),
    };
  } catch (cause) {
    if (image !== DEFAULT_IMAGE) {
      throw new Error(
        `Expected the image \`${image}\` of POOLSYNC_TEST_REDIS_IMAGE to start and print "${READY}": look at the ` +
          "cause below, or unset it.",
        { cause },
      );
    }
    // Such as a machine that reaches no image registry. It may have a redis-server all the same.
    say(`No container of ${image} (${cause instanceof Error ? cause.message : String(cause)}).`);
    return undefined;
  }
}

function serverOnPath(): boolean {
  return spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
}

function installServer(say: (line: string) => void): void {
  say("Installing Debian's redis-server with apt-get.");
  const run = (...args: string[]): void => {
    // RUNLEVEL=1 keeps the package from starting a service of its own.
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
    const { status, error, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
    if (status === 0) return;
    throw new Error(
      `Expected \`apt-get ${args.join(" ")}\` to succeed: install redis-server by hand, or set ` +
        `POOLSYNC_TEST_REDIS_URL.\n${stderr ?? ""}`,
      { cause: error },
    );
  };
  run("update", "-qq");
  run("install", "-y", "-qq", "--no-install-recommends", "redis-server");
}

async function startServer(origin: string): Promise<ProvidedRedis> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-redis-"));
  let problem = "";
  // Between looking for a free port and taking it somebody else may take it.
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    const port = await freePort();
    const server = spawn(
      "redis-server",
      ["--bind", "127.0.0.1", "--port", String(port), "--dir", directory, ...SETTINGS],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const ended = once(server, "exit");
    const log: string[] = [];
    const lines = createInterface({ input: server.stdout });
    const ready = new Promise<boolean>((resolve) => {
      lines.on("line", (line) => {
        if (line.includes(READY)) resolve(true);
        else if (log.length < 50) log.push(line);
      });
    });
    if (await Promise.race([ready, ended.then(() => false), wait(START_MS, false, { ref: false })])) {
      const stop = async (): Promise<void> => {
        server.kill();
        await ended;
        await rm(directory, { recursive: true, force: true });
      };
      return { url: `redis://127.0.0.1:${port}`, origin, ours: true, stop };
    }
    server.kill("SIGKILL");
    problem = log.join("\n");
    if (!problem.includes("Address already in use")) break;
  }
  await rm(directory, { recursive: true, force: true });
  throw new Error(
    `Expected redis-server to print "${READY}": start one by hand and set POOLSYNC_TEST_REDIS_URL.\n${problem}`,
  );
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  listener.close();
  await once(listener, "close");
  if (address === null || typeof address === "string") throw new Error("Expected a listener to have a port.");
  return address.port;
}
