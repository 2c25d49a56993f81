/** What the scene of events needs: servers in processes of their own, and genuine requests for them. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openRedisStore } from "../src/store/redis/redis-store.ts";
import { GUARDS_OFF } from "../test/chaos/run-settings.ts";
import { type BenchStage, openStage, POOL } from "./stage.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE_MS = 60_000;
const KEY = Buffer.from(SECRET.replace("whsec_", ""), "base64");

/** One feed, whose people are named by username. */
export const CONFIG = `${GUARDS_OFF}
pools: { people: { id: ${POOL} } }
feeds:
  crm:
    pool: people
    username: user
    version: at
    attributes: { given_name: first, nickname: nick }
    events: { scheme: standard-webhooks, secret: CRM_SECRET }
`;

export async function openIngestStage(emulator: readonly string[], say: (line: string) => void): Promise<BenchStage> {
  const stage = await openStage(emulator, say);
  await writeFile(stage.env["POOLSYNC_CONFIG"] ?? "", CONFIG);
  return stage;
}

/** What `ingest` and workers are told; the log of the former as it is in use. */
export function envOf(stage: BenchStage, rate: number): Readonly<Record<string, string>> {
  const own = { REDIS_URL: stage.redisUrl, POOLSYNC_RATE: String(rate), POOLSYNC_INGEST_PORT: "0" };
  return { ...stage.env, ...own, NODE_OPTIONS: "--max-semi-space-size=16" };
}
export const LOGGING = { POOLSYNC_LOG_LEVEL: "info" };
/** In a heap this small what is kept by mistake shows soon; in a large one much lies until it is worth collecting. */
export const SMALL_HEAP = { NODE_OPTIONS: "--max-old-space-size=64 --max-semi-space-size=8" };

/** Waits until the inbox is empty; answers how many events are left in it when they have stopped becoming fewer. */
export async function drained({ redisUrl, namespace }: BenchStage): Promise<number> {
  const store = await openRedisStore({ url: redisUrl, namespace });
  try {
    let [fewest, deadline] = [Infinity, 0];
    for (;;) {
      const { waiting, ahead, taken } = await store.inbox.counts();
      const left = waiting + ahead + taken;
      if (left < fewest) [fewest, deadline] = [left, performance.now() + PATIENCE_MS];
      if (left === 0 || performance.now() > deadline) return left;
      await sleep(500);
    }
  } finally {
    await store.close();
  }
}

export interface Server {
  readonly child: ChildProcess;
  readonly port: number;
  /** What it holds in memory now, in MiB; NaN off Linux. */
  memoryMiB(): Promise<number>;
  /** The most that it held since it was started. */
  peakMiB(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts a file of the project that takes events. Its log goes to a file, as that of a service. */
export async function startServer(
  stage: BenchStage,
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<Server> {
  const path = join(stage.directory, `${randomUUID()}.log`);
  const fd = openSync(path, "w");
  const child = spawn(process.execPath, [new URL(`../${file}`, import.meta.url).pathname], {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env, CRM_SECRET: SECRET },
    stdio: ["ignore", "ignore", fd],
  });
  closeSync(fd);
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await Promise.race([ended, sleep(15_000, undefined, { ref: false })]);
    child.kill("SIGKILL");
    await ended;
  };
  for (;;) {
    const log = await readFile(path, "utf8");
    const port = /"port":(\d+).*"msg":"events are taken"|"msg":"events are taken","port":(\d+)/.exec(log);
    if (port !== null) {
      const mib = async (what: "VmRSS" | "VmHWM"): Promise<number> => {
        const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
        return Number(new RegExp(`${what}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
      };
      return {
        child,
        port: Number(port[1] ?? port[2]),
        memoryMiB: () => mib("VmRSS"),
        peakMiB: () => mib("VmHWM"),
        stop,
      };
    }
    if (child.exitCode !== null) throw new Error(`${file} did not start: ${log}`);
    await sleep(50);
  }
}

/** A signed request about a user, whole as it goes over the wire: about 250 bytes of body. */
export function eventRequest(username: string, nick: string): Buffer {
  return signedRequest(recordOf(username, nick));
}

/** A record about a user, as a sender has it. */
export function recordOf(username: string, nick: string): object {
  return {
    user: username,
    first: "Given",
    nick,
    at: new Date().toISOString(),
    type: "user.updated",
    source: "https://hr.example.com/people/1138",
    actor: { name: "nightly job", ip: "192.0.2.17" },
    trace: randomUUID(),
  };
}

export function signedRequest(content: object): Buffer {
  const body = JSON.stringify(content);
  const [id, time] = [randomUUID(), String(Math.floor(Date.now() / 1000))];
  const signature = createHmac("sha256", KEY).update(`${id}.${time}.${body}`).digest("base64");
  return Buffer.from(
    `POST /events/crm HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nwebhook-id: ${id}\r\n` +
      `webhook-timestamp: ${time}\r\nwebhook-signature: v1,${signature}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
