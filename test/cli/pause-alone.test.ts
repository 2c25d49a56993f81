/** What `pause` and `resume` take, refuse and answer, where one process has the data directory. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { openEngine } from "../../src/queues/engine.ts";
import { onePool, POOL, runCommand, type Said } from "./command-run.ts";

const document = z.object({ by: z.string(), reason: z.string() });
const failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });

async function setAlone(t: TestContext) {
  const { pool, directory } = await onePool(t);
  for (const nth of [0, 1]) pool.addUser({ username: `u${nth}` });
  const config = join(directory, "poolsync.yaml");
  await writeFile(config, `pools: { staff: { id: ${POOL} } }\n`);
  const dataDir = join(directory, "data");
  const say = (...words: readonly string[]): Promise<Said> =>
    runCommand([...words, "--config", config, "--data-dir", dataDir]);
  const queue = (username: string): Promise<Said> => {
    const user = ["--user-pool-id", POOL, "--username", username, "--user-attributes", "Name=nickname,Value=Ann"];
    return say("admin-update-user-attributes", ...user, "--queue");
  };
  return { dataDir, say, queue };
}

const flat = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

test("a pause wants a reason that says something, and shows the line to type", async (t) => {
  const { say } = await setAlone(t);
  for (const reason of [[], ["--reason", ""], ["--reason", " \t\u200b "]]) {
    const { code, stdout, stderr } = await say("pause", "--pool", "staff", ...reason);
    assert.deepEqual([code, stdout], [EXIT.usage, ""]);
    assert.match(
      flat(stderr),
      /^Expected --reason with a few words that others will read: `poolsync pause --pool staff --reason 'HR checks the file'/,
    );
  }
});

test("a pool that cannot be one is told of the option that named it", async (t) => {
  const { say } = await setAlone(t);
  for (const words of [["pause", "--reason", "why"], ["resume"]]) {
    for (const pool of ["nope", ""]) {
      const { code, stderr } = await say(...words, "--pool", pool);
      assert.equal(code, EXIT.usage);
      assert.match(flat(stderr), /--pool: Expected the id of a user pool.*pools of poolsync.yaml \(staff\)/);
      assert.doesNotMatch(stderr, /user-pool-id/);
    }
  }
});

test("a reason is shown as it is stored: in one line, of whole characters", async (t) => {
  const { say } = await setAlone(t);
  const { stdout } = await say("pause", "--pool", "staff", "--reason", ` a\n${"\u{1f600}".repeat(600)}`, "--json");
  const { by, reason } = document.parse(JSON.parse(stdout));
  assert.equal(reason, `a<U+000A>${"\u{1f600}".repeat(491)}`);
  const { pauses } = z.object({ pauses: z.array(document) }).parse(JSON.parse((await say("status", "--json")).stdout));
  assert.deepEqual(pauses, [{ by, reason }]);
});

test("a resume says what is due again, and where there is none, what is paused instead", async (t) => {
  const { say, queue } = await setAlone(t);
  const refused = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout } = await say("resume", ...words, "--json");
    assert.equal(code, EXIT.failed);
    const { kind, message } = failed.parse(JSON.parse(stdout)).error;
    assert.equal(kind, "not-paused");
    return message;
  };
  assert.equal(await refused(), "There is no pause of everything: nothing is paused.");
  assert.equal(flat((await say("pause", "--pool", "staff", "--reason", "why")).stderr), "");
  assert.match(
    await refused(),
    /^There is no pause of everything; paused is: pool eu-west-1_Example\. Let it go on with `poolsync resume --pool eu-west-1_Example /,
  );
  const idle = await say("resume", "--pool", "staff");
  assert.equal(flat(idle.stdout), "Resumed: pool eu-west-1_Example. Nothing was kept.");

  await say("pause", "--pool", "staff", "--reason", "why");
  await say("pause", "--feed", "direct", "--reason", "why");
  assert.match(
    await refused(),
    /paused is: (pool eu-west-1_Example, feed direct|feed direct, pool eu-west-1_Example)\. See `poolsync status /,
  );
  for (const user of ["u0", "u1"]) {
    const { code, stderr } = await queue(user);
    assert.equal(code, EXIT.done, stderr);
    assert.match(
      flat(stderr),
      /has been paused since .*: why\. Let it go on with .* What is put is kept until then\.$/,
    );
  }
  const first = await say("resume", "--pool", "staff");
  assert.equal(
    flat(first.stdout),
    "Resumed: pool eu-west-1_Example. What it kept stays kept, for this is paused as well: feed direct.",
  );
  await say("pause", "--pool", "staff", "--reason", "why");
  assert.equal(
    flat((await say("resume", "--pool", "staff")).stdout),
    "Resumed: pool eu-west-1_Example. Nothing was kept by it. What others keep stays kept, also where this said the same at an earlier time: feed direct (2 users).",
  );
  const last = await say("resume", "--feed", "direct");
  assert.match(
    flat(last.stdout),
    /^Resumed: feed direct\. 2 users are due again: give the same sync again, any sync with --leftovers, or start `poolsync ingest --config \S+ --data-dir \S+` where they came by events\.$/,
  );
});

test("explain tells what keeps a user's change, with the command as one would type it", async (t) => {
  const { say, queue } = await setAlone(t);
  await say("pause", "--pool", "staff", "--reason", "why");
  await queue("u0");
  const kept =
    /Let it go on with `poolsync resume --pool eu-west-1_Example --config \S+ --data-dir \S+`\. Until then 1 change of this user is kept\. `nickname` waits as \S+, put by a single change, as of \S+\.$/;
  const user = ["explain", "--user-pool-id", POOL, "--username", "u0"];
  assert.match(flat((await say(...user)).stdout), kept);
  const { because } = z
    .object({ because: z.array(z.string()) })
    .parse(JSON.parse((await say(...user, "--json")).stdout));
  assert.match(because.join(" "), kept);
});

test("what stops another process says to press Ctrl-C in that one first", async (t) => {
  const { dataDir, say } = await setAlone(t);
  const engine = await openEngine({ dataDir, namespace: "test" });
  t.after(() => engine.close());
  for (const words of [["pause", "--reason", "why"], ["resume"], ["runs", "cancel", "r-1"]]) {
    const { code, stderr } = await say(...words);
    assert.equal(code, EXIT.failed, stderr);
    assert.match(
      flat(stderr),
      /^Another poolsync process has the data directory \S+: press Ctrl-C in it first \(what is not sent stays queued\), then give this command again\.$/,
    );
  }
});
