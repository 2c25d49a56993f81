/** The whole process that takes events, in this process: with a pool at an emulator, and on Redis a worker beside it. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { z } from "zod";
import { runDeliveryWorker } from "../../src/app/workers/delivery-worker.ts";
import type { WorkerDeps } from "../../src/app/workers/worker-process.ts";
import { run } from "../../src/cli/program.ts";
import { serveCommands } from "../../src/cli/serve-commands.ts";
import { readConfig } from "../../src/config/config.ts";
import { runIngest } from "../../src/ingest/run-ingest.ts";
import { openScope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { AWS_ENVIRONMENT } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { addUsers, openOnePool, POOL } from "../support/pool-stage.ts";
import { runFile, type TestProcess } from "../support/process.ts";
import { testRedis } from "../support/redis.ts";

export const SECRETS = {
  CRM_SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  BAMBOO_SECRET: "123b929362d51613054f71e5e5d4bf2c",
  HMAC_SECRET: "hmac's",
  TOKEN: "the-token",
};

const who = `pool: ${POOL}, username: user`;
const FEEDS = `feeds:
  crm: { ${who}, attributes: { given_name: first }, version: at, events: { scheme: standard-webhooks, secret: CRM_SECRET } }
  tool: { ${who}, attributes: { family_name: last }, events: { scheme: hmac, secret: HMAC_SECRET, header: X-Sig, version: at } }
  bot: { ${who}, attributes: { nickname: nick }, events: { scheme: bearer, secret: TOKEN, version: at } }
  hr:
    pool: ${POOL}
    username: Employee ID
    attributes: { middle_name: Middle Name }
    events:
      scheme: bamboohr
      secret: BAMBOO_SECRET
      records: "employees[*]"
      username: "fields.Employee #.value"
      attributes: { middle_name: "fields.Middle name.value" }
`;

const Line = z.looseObject({ msg: z.string() });
const Listening = z.object({ msg: z.literal("events are taken"), port: z.number() });

/** The port at which a process says in its log that it takes events. */
export async function portIn(log: () => string): Promise<number> {
  const found = (): number | undefined => {
    if (log().includes('"level":"fatal"')) throw new Error(`Expected a process that takes events: ${log()}`);
    return linesOf(log()).flatMap((line) => Listening.safeParse(line).data?.port ?? [])[0];
  };
  await until("events are taken", () => found() !== undefined);
  return found() ?? 0;
}

export function linesOf(log: string): z.infer<typeof Line>[] {
  return log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Line.parse(JSON.parse(line)));
}

/** A process of ours, within this one. */
export interface RunningHere {
  readonly log: () => string;
  /** The first signal; rejects with what ended it, where something did. */
  stop(): Promise<void>;
  /** The second. */
  insist(): void;
}

/** A pool with the users `u0` to `u9`, whose given name is `Old`, and feeds with events for it. */
export async function setIngestStage(
  t: TestContext,
  engine: "redis" | "embedded",
  more: Readonly<Record<string, string>> = {},
  feeds = FEEDS,
) {
  const scope = openScope();
  t.after(() => scope.close());
  const { emulator, pool, directory } = await openOnePool(scope);
  addUsers(pool, 10);
  const at = (name: string): string => join(directory, name);
  await writeFile(at("poolsync.yaml"), feeds);
  if (engine === "embedded") putMadeDirectory(at("data"));
  const redis = engine === "redis" ? testRedis() : undefined;
  const where: Readonly<Record<string, string>> = redis
    ? { REDIS_URL: redis.url, POOLSYNC_NAMESPACE: redis.namespace, POOLSYNC_DATA_DIR: at("none") }
    : { POOLSYNC_DATA_DIR: at("data") };
  const environment = {
    ...AWS_ENVIRONMENT,
    ...SECRETS,
    ...where,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
    POOLSYNC_CONFIG: at("poolsync.yaml"),
    POOLSYNC_INGEST_PORT: "0",
    POOLSYNC_POOLS: POOL,
    ...more,
  };
  let started = 0;

  function startHere(run: (deps: WorkerDeps) => Promise<void>): RunningHere {
    const drain = new AbortController();
    const abort = new AbortController();
    const path = at(`here-${started++}.log`);
    const fd = openSync(path, "a");
    const ended = (async () => {
      try {
        const config = await readConfig({}, environment);
        const interrupts = { drain: drain.signal, abort: abort.signal };
        await run({ config, log: createLog("info", fd), interrupts });
      } catch (error) {
        // As the entry of a process does.
        createLog("info", fd).fatal({ err: error }, "it failed");
        throw error;
      } finally {
        closeSync(fd);
      }
    })();
    // Whoever stops it is told.
    ended.catch(() => undefined);
    const stop = (): Promise<void> => {
      drain.abort();
      return ended;
    };
    const insist = (): void => abort.abort();
    return scope.defer({ log: () => readFileSync(path, "utf8"), stop, insist }, stop);
  }

  return {
    emulator,
    directory,
    environment,
    /** Of its Redis. */
    place: { redisUrl: redis?.url ?? "", namespace: redis?.namespace ?? "" },
    ingestHere: (): RunningHere =>
      startHere((deps) =>
        runIngest({
          ...deps,
          environment,
          serve: async (holding) => serveCommands(holding, (argv, io) => run(argv, { ...io, holding, environment })),
        }),
      ),
    deliverHere: (): RunningHere => startHere(runDeliveryWorker),
    /** A process to be killed. */
    startIngest: (): TestProcess =>
      scope.defer(runFile("workers/ingest.ts", [], environment), (child) => child.kill("SIGKILL")),
    nameOf: (user: string, attribute: string): string | undefined => pool.user(user)?.attributes[attribute],
  };
}
