import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { createSqsQueue, loadSqs, QueueError, type QueueMessage, type SqsQueue } from "../../src/cognito/sqs-queue.ts";
import { startPoller, type Poller, type PollerTiming } from "../../src/ingest/queue-poller.ts";
import { openScope } from "../../src/lifecycle.ts";
import { createLog } from "../../src/log.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { linesOf } from "./process-stage.ts";
import { openSqsStage } from "./sqs-stage.ts";

const LONG_POLL_MS = 5;
const QUICK: PollerTiming = { handSeconds: 30, holdEveryMs: 20, firstWaitMs: 10, longestWaitMs: 40, endMs: 50 };

/** A queue, and pollers of it whose inbox is a list. */
async function pollerStage(t: TestContext) {
  const scope = openScope();
  t.after(() => scope.close());
  scope.defer(exampleAws(), (restore) => restore());
  const directory = scope.defer(await temporaryDirectory(), (made) => made.remove());
  const path = join(directory.path, "log");
  const fd = scope.defer(openSync(path, "w"), closeSync);
  const sqs = await openSqsStage(scope);
  const kept: string[][] = [];
  let answer: "kept" | "full" | "unavailable" | "never" = "kept";
  const sdk = await loadSqs();
  assert.ok(sdk);
  const target = { region: "eu-west-1", endpoint: new URL(sqs.url).origin };
  const drain = new AbortController();
  const abort = new AbortController();
  let asked = 0;
  const poll = (timing: Partial<PollerTiming> = {}, most = Infinity, queue?: SqsQueue) =>
    scope.defer(
      startPoller({
        feed: "crm",
        queue: queue ?? createSqsQueue(sdk, { url: sqs.url, target }),
        async keep(messages: readonly QueueMessage[]) {
          asked += 1;
          if (answer === "never") return new Promise<never>(() => undefined);
          if (answer !== "kept") return answer;
          if (messages.length > most) return "full";
          kept.push(messages.map(({ body }) => body));
          return "kept";
        },
        log: createLog("info", fd),
        signal: drain.signal,
        abort: abort.signal,
        timing: { ...QUICK, ...timing },
      }),
      (poller) => poller.close(),
    );
  const lines = (message: string) => linesOf(readFileSync(path, "utf8")).filter(({ msg }) => msg === message);
  return {
    sqs,
    poll,
    queue: () => scope.defer(createSqsQueue(sdk, { url: sqs.url, target }), (queue) => queue.close()),
    drain: () => drain.abort(),
    abort: () => abort.abort(),
    asked: () => asked,
    kept: () => kept.flat().toSorted(),
    batches: () => kept.map((batch) => batch.length),
    say: (what: typeof answer) => void (answer = what),
    /** The lines with this message, without their time. */
    lines: (message: string) =>
      lines(message).map((line) =>
        Object.fromEntries(Object.entries(line).filter(([name]) => !/^(time|level|msg)$/.test(name))),
      ),
    log: () => readFileSync(path, "utf8"),
    empty: () =>
      until("nothing is left in the queue", async () => {
        const { ready, inHand } = await sqs.lying();
        return ready + inHand === 0;
      }),
  };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`);

describe("a poller of a queue", () => {
  test("has a batch kept in one step, and deletes then what is kept", async (t) => {
    const stage = await pollerStage(t);
    await stage.sqs.send(...numbers(10));
    const poller = stage.poll();
    await stage.empty();
    assert.deepEqual([stage.kept(), stage.batches()], [numbers(10), [10]]);
    assert.equal(poller.note, undefined);
    await stage.sqs.send("later");
    await until("what comes later is kept", () => stage.kept().includes("later"));
    assert.ok(stage.sqs.count("ReceiveMessage") < 10, "it waits for messages");
  });

  test("receives nothing while the inbox is full, and holds what it has in hand", async (t) => {
    const stage = await pollerStage(t);
    stage.say("full");
    await stage.sqs.send("a", "b");
    const poller = stage.poll();
    await until("it says so", () => poller.note !== undefined);
    const note = "feed crm leaves its events in the queue: the inbox is full";
    assert.deepEqual([poller.note, poller.isInTrouble], [note, false]);
    const held = stage.sqs.count("ChangeMessageVisibilityBatch");
    await until("it holds them on", () => stage.sqs.count("ChangeMessageVisibilityBatch") > held + 2);
    assert.equal(stage.sqs.count("ReceiveMessage"), 1);
    assert.deepEqual([stage.sqs.count("DeleteMessageBatch"), await stage.sqs.lying()], [0, { ready: 0, inHand: 2 }]);
    stage.say("kept");
    await stage.empty();
    assert.deepEqual(stage.kept(), ["a", "b"]);
    assert.deepEqual([poller.note, stage.lines("queue waits, the inbox is full")], [undefined, [{ feed: "crm" }]]);
  });

  test("takes in parts what the inbox never takes at once", async (t) => {
    const stage = await pollerStage(t);
    await stage.sqs.send(...numbers(10));
    stage.poll({}, 3);
    await stage.empty();
    assert.deepEqual([stage.kept(), Math.max(...stage.batches())], [numbers(10), 3]);
  });

  test("gives back at once what is not kept when it ends, and receives no more", async (t) => {
    const stage = await pollerStage(t);
    stage.say("unavailable");
    await stage.sqs.send("a", "b");
    const poller = stage.poll();
    await until("it has them in hand", () => poller.note !== undefined);
    assert.match(poller.note ?? "", /the store did not take the messages/);
    stage.drain();
    await poller.close();
    assert.deepEqual(await stage.sqs.lying(), { ready: 2, inHand: 0 });
  });
});

describe("a poller of a queue that ends", () => {
  /** How long closing took. */
  async function closed(poller: Poller): Promise<number> {
    const began = performance.now();
    await poller.close();
    return performance.now() - began;
  }

  for (const operation of ["ChangeMessageVisibilityBatch", "DeleteMessageBatch"]) {
    test(`does not wait long for an SQS that does not answer ${operation}`, async (t) => {
      const stage = await pollerStage(t);
      stage.sqs.fail(operation, { is: "silent" });
      if (operation !== "DeleteMessageBatch") stage.say("full");
      await stage.sqs.send("a");
      const poller = stage.poll();
      await until("it waits for an answer", () => stage.sqs.count(operation) > 0);
      stage.drain();
      assert.ok((await closed(poller)) < 10_000);
    });
  }

  test(
    "does not wait long for a store that is away, and gives back what it has in hand",
    { timeout: 60_000 },
    async (t) => {
      const stage = await pollerStage(t);
      stage.say("never");
      await stage.sqs.send("a");
      const poller = stage.poll();
      await until("the store is asked", () => stage.asked() > 0);
      await closed(poller);
      assert.deepEqual(await stage.sqs.lying(), { ready: 1, inHand: 0 });
      assert.deepEqual(stage.lines("queue cannot be polled"), []);
    },
  );

  test("waits for nothing any more once it is told again", { timeout: 60_000 }, async (t) => {
    const stage = await pollerStage(t);
    stage.say("never");
    stage.sqs.fail("ChangeMessageVisibilityBatch", { is: "silent" });
    await stage.sqs.send("a");
    const poller = stage.poll({ endMs: 600_000 });
    await until("the store is asked", () => stage.asked() > 0);
    stage.drain();
    const closing = closed(poller);
    stage.abort();
    assert.ok((await closing) < 10_000);
  });
});

describe("a poller of a queue, where SQS is at fault", () => {
  test("reads what failed of a batch that was answered: it is deleted again, or comes again", async (t) => {
    const stage = await pollerStage(t);
    stage.sqs.fail("DeleteMessageBatch", { is: "failed", code: "InternalError", senderFault: false }, 1);
    await stage.sqs.send("a");
    stage.poll({ handSeconds: 1 });
    await stage.empty();
    assert.deepEqual([stage.kept(), stage.lines("messages come again")], [["a"], []]);

    stage.sqs.fail("DeleteMessageBatch", { is: "failed", code: "ReceiptHandleIsInvalid", senderFault: true }, 1);
    await stage.sqs.send("b");
    await stage.empty();
    assert.deepEqual(stage.kept(), ["a", "b", "b"]);
    assert.deepEqual(stage.lines("messages come again"), [
      { feed: "crm", step: "delete", messages: 1, codes: ["ReceiptHandleIsInvalid"] },
    ]);
  });

  test("lets go of what is not in its hand any more", async (t) => {
    const stage = await pollerStage(t);
    stage.say("full");
    stage.sqs.fail("ChangeMessageVisibilityBatch", { is: "failed", code: "InternalError", senderFault: false }, 2);
    await stage.sqs.send("a");
    stage.poll({ handSeconds: 1 });
    await until("it holds it on", () => stage.sqs.count("ChangeMessageVisibilityBatch") > 3);
    assert.deepEqual(stage.lines("messages come again"), []);
    stage.sqs.fail("ChangeMessageVisibilityBatch", { is: "failed", code: "MessageNotInflight", senderFault: true });
    await until("it is told", () => stage.lines("messages come again").length > 0);
    assert.deepEqual(stage.lines("messages come again")[0], {
      feed: "crm",
      step: "hold",
      messages: 1,
      codes: ["MessageNotInflight"],
    });
    stage.sqs.heal();
    stage.say("kept");
    await stage.empty();
    assert.deepEqual(stage.kept(), ["a"]);
  });

  const refused = [
    ["credentials that are refused", "UnrecognizedClientException", 403, /credentials of the process/],
    ["an identity that may not receive", "AccessDeniedException", 400, /sqs:ReceiveMessage, sqs:DeleteMessage/],
  ] as const;
  for (const [what, name, status, advice] of refused) {
    test(`says once that it gets nothing with ${what}, asks ever more rarely, and says once when that is over`, async (t) => {
      const stage = await pollerStage(t);
      stage.sqs.fail("ReceiveMessage", { is: "refused", name, status });
      await stage.sqs.send("a");
      const poller = stage.poll();
      await until("it has asked often", () => stage.sqs.count("ReceiveMessage") > 5);
      assert.ok(poller.isInTrouble);
      assert.match(poller.note ?? "", new RegExp(`^feed crm gets no events of its queue: ${name}: `));
      assert.match(poller.note ?? "", advice);
      stage.sqs.heal();
      await stage.empty();
      assert.equal(poller.note, undefined);
      const [begun, ...more] = stage.lines("queue cannot be polled");
      assert.deepEqual([begun?.["step"], more], ["receive", []]);
      assert.deepEqual(stage.lines("queue is polled again"), [{ feed: "crm" }]);
      assert.ok(!stage.log().includes("Ana"), "what SQS says is in no log");
    });
  }

  test("goes on where the queue was gone and is there again", async (t) => {
    const stage = await pollerStage(t);
    await stage.sqs.deleteQueue();
    const poller = stage.poll();
    await until("it says so", () => poller.note !== undefined);
    assert.match(poller.note ?? "", /check the queue's URL$/);
    await stage.sqs.createQueue();
    await stage.sqs.send("a");
    await stage.empty();
    assert.deepEqual([stage.kept(), poller.note], [["a"], undefined]);
  });

  test("says that it may not delete until it may, and keeps what comes again", async (t) => {
    const stage = await pollerStage(t);
    stage.sqs.fail("DeleteMessageBatch", { is: "refused", name: "AccessDeniedException" }, 2);
    await stage.sqs.send("a");
    const poller = stage.poll({ handSeconds: 1 });
    await until("it says so", () => poller.note !== undefined);
    await stage.empty();
    await until("it says that it is over", () => poller.note === undefined);
    assert.deepEqual(stage.kept(), ["a", "a", "a"]);
    assert.deepEqual(
      stage.lines("queue cannot be polled").map(({ step }) => step),
      ["delete"],
    );
  });

  test("has, with another poller, what one had in hand that died, and all of which the receipt was lost", async (t) => {
    const stage = await pollerStage(t);
    await stage.sqs.send(...numbers(40));
    const dead = await stage.queue().receive({ waitSeconds: 1, handSeconds: 1 }, new AbortController().signal);
    assert.equal(dead.length, 10);
    stage.sqs.fail("DeleteMessageBatch", { is: "failed", code: "ReceiptHandleIsInvalid", senderFault: true }, 2);
    stage.sqs.fail("DeleteMessageBatch", { is: "refused", name: "ServiceUnavailable", status: 503 }, 4);
    stage.poll({ handSeconds: 1 });
    stage.poll({ handSeconds: 1 });
    await stage.empty();
    const kept = stage.kept();
    assert.deepEqual([...new Set(kept)], numbers(40).toSorted());
    assert.ok(kept.length > 40, "what was not deleted came again");
  });

  test("is over with a trouble once a batch is kept and deleted, whatever it was", async (t) => {
    const stage = await pollerStage(t);
    stage.say("full");
    stage.sqs.fail("ChangeMessageVisibilityBatch", { is: "refused", name: "AccessDeniedException" });
    await stage.sqs.send("a");
    const poller = stage.poll();
    await until("it could not hold it on", () => poller.isInTrouble);
    stage.say("kept");
    await stage.empty();
    await until("it is over", () => poller.note === undefined);
    assert.deepEqual(stage.lines("queue is polled again"), [{ feed: "crm" }]);
  });

  test("is over with a trouble once nothing comes again of what it had in hand", async (t) => {
    const stage = await pollerStage(t);
    /** A queue that has lost what it was asked to delete; an empty one is waited for, as by a long poll. */
    const forgetful = () => {
      const lying: QueueMessage[] = [{ messageId: "m", receipt: "r", body: "a", sentAtMs: undefined }];
      let rounds = 0;
      const queue: SqsQueue = {
        async receive() {
          rounds += 1;
          if (lying.length === 0) await setTimeout(LONG_POLL_MS);
          return lying.splice(0);
        },
        remove: () => Promise.reject(new QueueError("TimeoutError", "check the network")),
        hold: () => Promise.resolve([]),
        close: () => undefined,
      };
      return { queue, rounds: () => rounds };
    };
    const { queue, rounds } = forgetful();
    const held = stage.poll({ handSeconds: 3_600 }, Infinity, queue);
    await until("it could not delete it, and has looked some times", () => held.isInTrouble && rounds() > 5);
    assert.ok(held.isInTrouble, "the message may come again");
    const over = stage.poll({ handSeconds: 0.3 }, Infinity, forgetful().queue);
    await until("the message is not deleted", () => stage.lines("queue cannot be polled").length === 2);
    await until("it would have come again", () => !over.isInTrouble);
    assert.deepEqual([stage.lines("queue cannot be polled").length, held.isInTrouble], [2, true]);
  });

  test("loses nothing where connections are reset", async (t) => {
    const stage = await pollerStage(t);
    for (const operation of ["ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"]) {
      stage.sqs.fail(operation, { is: "reset" }, 2);
    }
    await stage.sqs.send(...numbers(20));
    stage.poll();
    await stage.empty();
    assert.deepEqual(stage.kept(), numbers(20).toSorted());
    assert.deepEqual(stage.lines("queue cannot be polled"), []);
  });
});
