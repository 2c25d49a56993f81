import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createCognitoClients } from "../../src/cognito/client.ts";
import { createControlPlane } from "../../src/cognito/control-plane.ts";
import { readPoolProfile } from "../../src/cognito/pool-profile.ts";
import { SlotTooLate, type SlotRequest } from "../../src/cognito/slot.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";

const POOLS = 50;
const CALLS_IN_FLIGHT = 4;

describe("the turns in which pools are read", () => {
  test("fifty pools that are opened at once see no throttle, also by two profiles", async (t) => {
    t.after(exampleAws());
    const emulator = await startEmulator({});
    t.after(() => emulator.close());
    const ids = Array.from({ length: POOLS }, (_, index) => `eu-west-1_Pool${index}`);
    for (const id of ids) emulator.pools.add({ id });
    const clients = createCognitoClients({ concurrency: 10 });
    t.after(() => clients.close());
    const target = { endpoint: emulator.url, region: "eu-west-1" };
    const reading = ids.map((id, index) =>
      readPoolProfile(clients.of(index % 2 === 0 ? target : { ...target, keysOfEnvironment: true }), id),
    );
    const profiles = await Promise.all(reading);
    assert.deepEqual(
      profiles.map(({ id }) => id),
      ids,
    );
    assert.deepEqual(emulator.counters.categories.UserPoolRead, { calls: POOLS, throttled: 0 });
  });

  function plane(t: TestContext) {
    const made = createControlPlane();
    t.after(() => made.close());
    return { acquire: (request: SlotRequest) => made.acquire(request) };
  }

  test("a few calls are in flight at most, and the most urgent is next", async (t) => {
    const { acquire } = plane(t);
    const out = await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, () => acquire({ priority: 0 })));
    const had: string[] = [];
    const wait = async (name: string, priority: number): Promise<void> => {
      const turn = await acquire({ priority });
      had.push(name);
      turn.done();
    };
    const both = [wait("later", 9), wait("sooner", 0)];
    // Both wait by the time that a third has waited in vain.
    await assert.rejects(acquire({ priority: 9, deadlineMs: 50 }), SlotTooLate);
    assert.deepEqual(had, []);
    out[0]?.done();
    await Promise.all(both);
    assert.deepEqual(had, ["sooner", "later"]);
    for (const turn of out) turn.done();
  });

  test("who waits too long, or is stopped, is told so, and holds up nobody", async (t) => {
    const { acquire } = plane(t);
    const out = await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, () => acquire({ priority: 0 })));
    await assert.rejects(acquire({ priority: 0, deadlineMs: 1 }), SlotTooLate);
    const stop = new AbortController();
    const stopped = assert.rejects(acquire({ priority: 0, signal: stop.signal }), /stopped/);
    stop.abort(new Error("stopped"));
    await stopped;
    await assert.rejects(acquire({ priority: 0, signal: stop.signal }), /stopped/);
    const next = acquire({ priority: 0 });
    for (const turn of out) turn.done();
    (await next).done();
  });
});
