import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { openPoolsync } from "../../src/index.ts";
import { openScope } from "../../src/lifecycle.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { until } from "../support/condition.ts";
import { POOL } from "../support/pool-stage.ts";
import { linesOf, portIn, setIngestStage } from "./process-stage.ts";
import { openSqsStage } from "./sqs-stage.ts";

const AT = "2026-01-31T18:42:00Z";
const EARLIER = "2026-01-31T18:41:59Z";

const bridge = (detail: unknown, source = "com.example.hr", time = AT): string =>
  JSON.stringify({ version: "0", id: randomUUID(), "detail-type": "Changed", source, time, detail });
const change = (values: object): object => ({
  ChangeEventHeader: {
    entityName: "Contact",
    recordIds: ["0035g00000AbCdEAAV"],
    changeType: "UPDATE",
    changedFields: Object.keys(values),
    nulledFields: [],
    commitTimestamp: Date.parse(AT),
    sequenceNumber: 1,
  },
  ...values,
});

async function readyz(port: number): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { status: response.status, text: await response.text() };
}

describe("the process that takes events, from a queue", () => {
  test("has what each envelope says reach its user, and counts once what two processes and a function are given", async (t) => {
    const scope = openScope();
    t.after(() => scope.close());
    const sqs = await openSqsStage(scope);
    const feed = `{ pool: ${POOL}, username: user, attributes: { given_name: first }, events: { sqs: "${sqs.url}" } }`;
    const stage = await setIngestStage(t, "redis", {}, `feeds: { crm: ${feed} }\n`);
    const person = (number: number, first: string) => ({ user: `u${number}`, first });
    // What SNS puts there wakes nobody who waits already.
    await sqs.publish(JSON.stringify(person(2, "Cy")));
    const [one, other] = [stage.ingestHere(), stage.ingestHere()];
    stage.deliverHere();
    const health = await portIn(one.log);
    const engine = scope.defer(await openEngine({ ...stage.place, dataDir: "/nonexistent" }), (opened) =>
      opened.close(),
    );
    const plain = JSON.stringify(person(0, "Ana"));
    const sent = [
      plain,
      bridge(person(1, "Bo")),
      JSON.stringify({ specversion: "1.0", type: "t", source: "/hr", id: "c-1", time: AT, data: person(3, "Di") }),
      bridge({ payload: change(person(4, "Eli")), schemaId: "s" }, "aws.partner/salesforce.com/00D/0YL"),
      bridge(change(person(5, "Flo")), "aws.partner/appflow/salesforce.com/123456789012/contacts"),
      // The later of these is older.
      bridge(person(6, "Gus")),
      bridge(person(6, "Hal"), "com.example.hr", EARLIER),
      "no JSON",
    ];
    await sqs.send(...sent);
    const names = ["Ana", "Bo", "Cy", "Di", "Eli", "Flo", "Gus"];
    await until("all of them are written", () =>
      names.every((name, number) => stage.nameOf(`u${number}`, "given_name") === name),
    );
    await until("nothing is left in the queue", async () => {
      const { ready, inHand } = await sqs.lying();
      return ready + inHand === 0;
    });
    await until("what cannot be read is parked", async () => (await engine.store.inbox.counts()).parked.entries === 1);

    // What a function is invoked with, that has been polled before, and what has not.
    const poolsync = await openPoolsync({ ...stage.place, logLevel: "silent" });
    scope.defer(poolsync, (opened) => opened.close());
    const record = (messageId: string, body: string) => {
      const attributes = { SentTimestamp: String(Date.now()), ApproximateReceiveCount: "1" };
      return { messageId, receiptHandle: "r", body, attributes, eventSource: "aws:sqs" };
    };
    const event = { Records: [record("m-1", sent[1] ?? ""), record("m-2", JSON.stringify(person(7, "Ida")))] };
    assert.deepEqual(await poolsync.handleSqsEvent(event, { feed: "crm" }), { batchItemFailures: [] });
    await until("it is written", () => stage.nameOf("u7", "given_name") === "Ida");
    const full = { feed: "crm", inboxEntries: 0 };
    const failed = { batchItemFailures: [{ itemIdentifier: "m-3" }] };
    assert.deepEqual(await poolsync.handleSqsEvent({ Records: [record("m-3", "{}")] }, full), failed);
    // What is known already needs no room.
    assert.deepEqual(await poolsync.handleSqsEvent(event, full), { batchItemFailures: [] });
    await assert.rejects(poolsync.handleSqsEvent({ source: "aws.events" }, full), /Amazon SQS invokes a function/);
    await assert.rejects(poolsync.handleSqsEvent(event, { feed: "" }), /Expected `feed`/);
    const runs = (await engine.store.runs.list(10)).filter(({ source }) => source === "events");
    const books = await Promise.all(runs.map(({ id }) => engine.store.runs.books(id)));
    assert.equal(
      books.reduce((sum, { received }) => sum + received, 0),
      9,
    );

    assert.deepEqual(await readyz(health), { status: 200, text: "ready\n" });
    sqs.fail("ReceiveMessage", { is: "refused", name: "UnrecognizedClientException", status: 403 });
    // Each ends the wait of one of them.
    await sqs.send(plain);
    await until("it is deleted", async () => (await sqs.lying()).ready === 0);
    await sqs.send(plain);
    await until("it is not ready", async () => (await readyz(health)).status === 503);
    const said = /^not ready\nfeed crm gets no events of its queue: UnrecognizedClientException: check the credentials/;
    assert.match((await readyz(health)).text, said);
    sqs.heal();
    await until("it is ready again", async () => (await readyz(health)).status === 200);
    await Promise.all([one.stop(), other.stop()]);
    const log = one.log() + other.log();
    assert.doesNotMatch(log, /Ana|Hal|u\d"/);
    assert.deepEqual(
      linesOf(log).filter(({ level }) => level === "error" || level === "fatal"),
      [],
    );
    assert.equal(linesOf(one.log()).filter(({ msg }) => msg === "queue cannot be polled").length, 1);
  });
});
