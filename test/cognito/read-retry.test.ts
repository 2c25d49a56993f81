import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { refusalOf, type Refusal } from "../../src/cognito/fault.ts";
import { createQuotaGovernor } from "../../src/cognito/quota-governor.ts";
import { retryRead, type ReadCall, type Reads, type WaitingRead } from "../../src/cognito/read-retry.ts";
import { createPace } from "../../src/store/postgres/pace.ts";

type Answer = { readonly ok: true; readonly text: string } | Refusal;

const answered: Answer = { ok: true, text: "there" };
const refused = (name: string, status = 400): Refusal => refusalOf({ name, $metadata: { httpStatusCode: status } });
const LASTING: Reads = { withinMs: 400 };

function call(reads: Reads, more: Partial<ReadCall> = {}): ReadCall {
  return { operation: "ListUsers", pool: "eu-west-1_Example", reads, random: () => 0, ...more };
}

/** Answers these in turn, and the last of them for ever. */
function script(...answers: readonly Answer[]) {
  let calls = 0;
  return {
    read: async (): Promise<Answer> => {
      calls += 1;
      // Nothing in life answers without a turn of the loop.
      await turnOfTheLoop();
      return answers[Math.min(calls, answers.length) - 1] ?? answered;
    },
    calls: () => calls,
  };
}

/** A call that is never answered, but ends with its signal. */
async function hang(signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(refusalOf({ name: "AbortError" }, signal)), { once: true });
  });
}

async function paced(use: (governor: ReturnType<typeof createQuotaGovernor>, rate: () => Promise<number>) => unknown) {
  const pace = createPace(() => performance.timeOrigin + performance.now());
  const governor = createQuotaGovernor({ pace, bucket: "lists", ceilingPerSecond: 1000, concurrency: 1 });
  try {
    await use(governor, async () => (await pace.view("lists", 1000)).ratePerSecond);
  } finally {
    await governor.close();
  }
}

// Most wait between two tries, and none for another.
describe("a read of a pool", { concurrency: true }, () => {
  for (const [name, status] of [
    ["TooManyRequestsException", 400],
    ["ThrottlingException", 400],
    ["InternalErrorException", 500],
    ["Unknown", 503],
    ["SomethingNew", 400],
  ] as const) {
    test(`is tried again after ${name} (${status})`, async () => {
      const { read, calls } = script(refused(name, status), answered);
      assert.deepEqual(await retryRead(call({ withinMs: 30_000 }), read), answered);
      assert.equal(calls(), 2);
    });
  }

  for (const name of [
    "AccessDeniedException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
    "InvalidParameterException",
    "CredentialsProviderError",
  ]) {
    test(`is answered at once with ${name}`, async () => {
      const { read, calls } = script(refused(name));
      const said = await retryRead(call({ withinMs: Infinity }), read);
      assert.ok(!said.ok && said.name === name);
      assert.equal(said.triedMs, undefined);
      assert.equal(calls(), 1);
    });
  }

  test("that fails for all of its time is refused as the last try was, and the advice says how long that was", async () => {
    const { read, calls } = script(refused("InternalErrorException", 500), refused("TooManyRequestsException"));
    // So long that a machine which stands still for a moment has time for the third try.
    const said = await retryRead(call({ withinMs: 1_200 }, { random: () => 0.1 }), read);
    assert.ok(!said.ok);
    assert.equal(said.name, "TooManyRequestsException");
    assert.match(said.failure.advice, /^It was tried for 1 second\. Others are spending/);
    assert.ok(said.triedMs !== undefined && said.triedMs > 0);
    assert.ok(calls() > 2);
  });

  test("is cut when its time is up, and then what was said before counts", async () => {
    const first = await retryRead(call({ withinMs: 50 }), hang);
    assert.ok(!first.ok && first.failure.kind === "timed-out");
    let calls = 0;
    const second = await retryRead(call(LASTING), async (signal) => {
      calls += 1;
      return calls === 1 ? refused("TooManyRequestsException") : hang(signal);
    });
    assert.ok(!second.ok && second.failure.kind === "throttled");
  });

  test("that may take for ever tells what it waits for, and ends with its signal, for the signal's reason", async () => {
    const told: WaitingRead[] = [];
    const end = new AbortController();
    const reason = new Error("stopped");
    const onWait = (waiting: WaitingRead): void => {
      told.push(waiting);
      if (told.length === 5) end.abort(reason);
    };
    const { read } = script(refused("Unknown", 503));
    const waiting = call({ withinMs: Infinity, onWait }, { signal: end.signal, random: Math.random });
    await assert.rejects(retryRead(waiting, read), reason);
    assert.equal(told.length, 5);
    for (const { operation, pool, kind } of told) {
      assert.deepEqual([operation, pool, kind], ["ListUsers", "eu-west-1_Example", "internal-error"]);
    }
    const cut = new AbortController();
    const hanging = retryRead(call({ withinMs: Infinity }, { signal: cut.signal }), hang);
    cut.abort(reason);
    await assert.rejects(hanging, reason);
    await assert.rejects(retryRead(call(LASTING, { signal: cut.signal }), read), reason);
  });

  test("that throws what is no refusal is not tried again", async () => {
    let calls = 0;
    const broken = async (): Promise<Answer> => {
      calls += 1;
      throw new RangeError("broken");
    };
    await assert.rejects(retryRead(call(LASTING), broken), RangeError);
    assert.equal(calls, 1);
  });

  test("slows the pace down where it is throttled, and has its own time for that", async () => {
    await paced(async (governor, rate) => {
      const pace = { governor, priority: 9 };
      const passing = script(refused("TooManyRequestsException"), answered);
      assert.deepEqual(await retryRead(call({ withinMs: 10_000 }, { pace }), passing.read), answered);
      assert.ok((await rate()) < 1000);
      const lasting = await retryRead(call(LASTING, { pace }), script(refused("TooManyRequestsException")).read);
      assert.ok(!lasting.ok && lasting.failure.kind === "throttled" && lasting.triedMs !== undefined);
    });
  });

  test("is spared the throttles where its pace is to: each begins its time anew", async () => {
    await paced(async (governor) => {
      const throttle = refused("TooManyRequestsException");
      const { read, calls } = script(throttle, throttle, throttle, throttle, answered);
      const pace = { governor, priority: 9, sparesThrottles: true };
      // Four rests of the pace are longer.
      assert.deepEqual(await retryRead(call(LASTING, { pace }), read), answered);
      assert.equal(calls(), 5);
      const lasting = await retryRead(call(LASTING, { pace }), script(refused("InternalErrorException", 500)).read);
      assert.ok(!lasting.ok && lasting.triedMs !== undefined);
    });
  });

  test("is tried once after another of its command was tried in vain, until one is answered", async () => {
    const reads = { ...LASTING, patience: { spent: false } };
    const failing = script(refused("Unknown", 503));
    assert.ok(!(await retryRead(call(reads), failing.read)).ok);
    const before = failing.calls();
    const next = await retryRead(call(reads), failing.read);
    assert.equal(failing.calls(), before + 1);
    assert.ok(!next.ok);
    assert.doesNotMatch(next.failure.advice, /tried for/);
    await retryRead(call(reads), script(answered).read);
    const again = script(refused("Unknown", 503), answered);
    assert.deepEqual(await retryRead(call(reads), again.read), answered);
  });
});
