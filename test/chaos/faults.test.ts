/** Faults meet only who is there, and a chaos run that is given up half way leaves no process behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { withScope } from "../../src/lifecycle.ts";
import { until } from "../support/condition.ts";
import { openChildren, type Child, type Children } from "./children.ts";
import { startFaults, type FaultMeans } from "./faults.ts";
import { createModel } from "./model.ts";
import type { Fault, PlannedFault } from "./plan.ts";
import { freePort, openRedisProcesses, redisVersion } from "./redis-processes.ts";
import { createTally } from "./report.ts";
import { startSentinelFleet } from "./sentinel-fleet.ts";
import { startService, type Service } from "./service.ts";

const noServer = redisVersion() === "none" ? "there is no redis-server on the PATH" : false;

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-given-up-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test("a process is not started once the others were closed", async (t) => {
  const children = openChildren(await directoryOf(t));
  t.after(() => children.close());
  await children.close();
  const spec = { name: "late", file: "test/chaos/emulator.ts", args: [], env: {} };
  assert.throws(() => children.start(spec), /Expected late to be started before/);
  assert.equal(children.all.size, 0);
});

test("a Redis is not started again once the others were closed", { skip: noServer }, async (t) => {
  const processes = openRedisProcesses(await directoryOf(t));
  t.after(() => processes.close());
  const server = await processes.start("redis-0", await freePort(), []);
  await server.kill();
  await processes.close();
  await assert.rejects(server.startAgain(), /Expected redis-0 to be started before/);
  await assert.rejects(server.ask((client) => client.ping()));
});

/** Longer than a test may take. */
const FOR_EVER_MS = 3_600_000;

/** What faults of the emulator alone need. None of them may fail. */
function meansOf(service: Service, faults: readonly PlannedFault[], forMs = FOR_EVER_MS): FaultMeans {
  return {
    plan: { seed: 1, engine: "embedded", forMs, faults, others: [], handovers: [], gateActs: [] },
    tally: createTally(),
    model: createModel(),
    service,
    links: {},
    victims: {},
    orderReplay: async () => {},
    twinFeed: () => false,
    say: (line) => assert.fail(line),
  };
}

/** Tells of every life that is started. */
function recorded(children: Children): { readonly children: Children; readonly lives: readonly Child[] } {
  const lives: Child[] = [];
  const start: Children["start"] = (spec) => {
    const life = children.start(spec);
    lives.push(life);
    return life;
  };
  return { children: { ...children, start }, lives };
}

test("a run that is given up while the emulator is killed leaves no life of it", async (t) => {
  const directory = await directoryOf(t);
  let lives: readonly Child[] = [];
  const killed: Fault = { kind: "kill", victim: { of: "emulator", index: 0 }, backInMs: FOR_EVER_MS };
  const givenUp = withScope(async (scope) => {
    const opened = recorded(scope.defer(openChildren(directory), (children) => children.close()));
    lives = opened.lives;
    const service = await startService(opened.children, directory, ["ann"]);
    const next: Fault = { kind: "suspend", victim: { of: "emulator", index: 0 }, forMs: FOR_EVER_MS };
    const deps = meansOf(service, [
      { atMs: 0, fault: killed },
      { atMs: FOR_EVER_MS, fault: next },
    ]);
    scope.defer(startFaults(deps), (faults) => faults.stop());
    await until("the emulator is killed", () => !service.child.alive);
    throw new Error("the run is given up");
  });
  await assert.rejects(givenUp, /the run is given up/);
  assert.deepEqual(
    lives.filter(({ alive }) => alive),
    [],
  );
});

test("the wait of a killed emulator does not begin it again once all were closed", async (t) => {
  const directory = await directoryOf(t);
  const { children, lives } = recorded(openChildren(directory));
  t.after(() => children.close());
  const service = await startService(children, directory, ["ann"]);
  const undo = await service.kill();
  assert.equal(await service.kill(), undefined, "it is dead already");
  await children.close();
  await assert.rejects(async () => undo?.(), /Expected emulator to be started before/);
  assert.equal(lives.length, 1);
});

test("faults that were stopped end what lasts, and begin nothing more", async (t) => {
  const directory = await directoryOf(t);
  const children = openChildren(directory);
  t.after(() => children.close());
  const service = await startService(children, directory, ["ann"]);
  const held: Fault = { kind: "suspend", victim: { of: "emulator", index: 0 }, forMs: FOR_EVER_MS };
  const deps = meansOf(service, [
    { atMs: 0, fault: held },
    { atMs: FOR_EVER_MS, fault: held },
  ]);
  const faults = startFaults(deps);
  await until("the emulator is suspended", () => service.child.suspended);
  await faults.stop();
  assert.equal(service.child.suspended, false);
  assert.equal(faults.over(), false);
  assert.deepEqual(deps.tally.counts, {});
  await assert.rejects(faults.ended(), { name: "AbortError" });
  await assert.rejects(
    faults.whileRedisIsUp(async () => {}),
    { name: "AbortError" },
  );
});

test("an emulator that is dead is neither killed nor suspended", async (t) => {
  const directory = await directoryOf(t);
  const children = openChildren(directory);
  t.after(() => children.close());
  const service = await startService(children, directory, ["ann"]);
  await service.kill();
  const victim = { of: "emulator", index: 0 } as const;
  const deps = meansOf(
    service,
    [
      { atMs: 0, fault: { kind: "suspend", victim, forMs: 1 } },
      { atMs: 0, fault: { kind: "kill", victim, backInMs: 1 } },
    ],
    1,
  );
  const faults = startFaults(deps);
  t.after(() => faults.stop());
  await faults.ended();
  assert.deepEqual(deps.tally.counts, { "suspend emulator, in vain": 1, "kill emulator, in vain": 1 });
});

test("an emulator that is killed while it answers with a fault begins again with it, or without it where that ended", async (t) => {
  const directory = await directoryOf(t);
  const children = openChildren(directory);
  t.after(() => children.close());
  const service = await startService(children, directory, ["ann"]);
  const rules = async (): Promise<string> =>
    JSON.stringify(await (await fetch(`http://127.0.0.1:${service.port}/_emulator/faults`)).json());
  const ended = await service.suffer("throttled", 1);
  const undo = await service.kill();
  await service.suffer("pool-gone", 1);
  await ended();
  await undo?.();
  const answered = await rules();
  assert.match(answered, /ResourceNotFoundException/);
  assert.doesNotMatch(answered, /TooManyRequestsException/);
});

test("a Sentinel fleet that fails while it starts leaves no server and no Sentinel", { skip: noServer }, async (t) => {
  const directory = await directoryOf(t);
  // Where the second Sentinel wants its directory there is a file.
  await writeFile(join(directory, "sentinel-1"), "");
  const nobody = { random: Math.random, lost: () => assert.fail(), changed: () => assert.fail() };
  await assert.rejects(
    withScope((scope) => startSentinelFleet(scope, directory, nobody)),
    { code: "EEXIST" },
  );
  for (const name of ["redis-0", "redis-1", "redis-2", "sentinel-0"]) {
    const port = Number(/^port (\d+)/m.exec(await readFile(join(directory, name, "redis.conf"), "utf8"))?.[1]);
    const socket = connect(port, "127.0.0.1");
    await assert.rejects(once(socket, "connect"), { code: "ECONNREFUSED" }, `${name} is gone`);
  }
});
