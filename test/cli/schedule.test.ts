/** A feed's schedule: its next time, a run now, and a pause. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import { until } from "../support/condition.ts";
import { runCommand, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

let stage: DirectoryStage;
before(async () => {
  stage = await setDirectoryStage(2);
});
after(() => stage.clear());

test("a feed runs when it is told to, and not by its schedule while that is paused", async () => {
  const { at, configure, directoryHere, environment, exported, runs } = stage;
  await configure(`file: ${at("hr.csv")}, schedule: { every: 1h }`);
  await exported((nth) => `u${nth},New`);
  const say = async (...words: readonly string[]): Promise<Said> => {
    const said = await runCommand([...words, "--config", at("poolsync.yaml")], { environment });
    return { ...said, stdout: said.stdout.replaceAll(/\s+/g, " "), stderr: said.stderr.replaceAll(/\s+/g, " ") };
  };
  const early = await say("runs", "start", "hr");
  assert.equal(early.code, EXIT.failed);
  assert.match(early.stderr, /Expected a feed that has a schedule in this namespace, got `hr` \(none has\)/);
  const mistyped = await say("pause", "--schedule", "rh", "--reason", "why");
  assert.equal(mistyped.code, EXIT.usage);
  assert.match(mistyped.stderr, /got `rh` \(there are: hr\)/);

  const paused = await say("pause", "--schedule", "hr", "--reason", "HR moves its server");
  assert.equal(paused.code, EXIT.done, paused.stderr);
  assert.match(paused.stdout, /Paused: the schedule of feed hr\. Its times are left out; what it has put goes on\./);
  const worker = directoryHere();
  await until("its time is left out", () => worker.stderr().includes("feed left out, its schedule is paused"));
  const refused = await say("runs", "start", "hr");
  assert.equal(refused.code, EXIT.failed);
  assert.match(refused.stderr, /The schedule of feed hr has been paused since .*`poolsync resume --schedule hr/);
  assert.match((await say("status")).stdout, /By schedule run next: hr \(paused\)\./);

  const resumed = await say("resume", "--schedule", "hr");
  assert.match(resumed.stdout, /Resumed: the schedule of feed hr\. It runs at its next time\./);
  assert.match((await say("status")).stdout, /By schedule run next: hr at \d{4}-.*Z\./);
  assert.deepEqual(await runs(), []);
  const started = await say("runs", "start", "hr");
  assert.match(started.stdout, /Feed hr is to run now: a directory worker carries it out\./);
  await until("it runs", async () => (await runs()).length === 1);
  assert.doesNotMatch(started.stdout, /was cancelled/);
  const [wrong] = await runs();
  assert.equal((await say("runs", "cancel", wrong?.run ?? "")).code, EXIT.done);
  const left = await say("runs", "start", "hr");
  assert.match(left.stdout, new RegExp(`Its last run, ${wrong?.run}, was cancelled: where the content is the same`));
});
