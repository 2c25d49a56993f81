/** Pauses and cancels on Redis, while a worker of another process delivers. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { freePort } from "../chaos/redis-processes.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";
import { until } from "../support/condition.ts";
import { runFile, type TestProcess } from "../support/process.ts";
import { POOL, runCommand, type Said } from "./command-run.ts";
import { setDirectoryStage, type DirectoryStage } from "./directory-stage.ts";

/** So few that no guard looks at them. */
const ROWS = 90;
const REASON = "wrong export, asking HR";
const POOL_WORDS = ["--pool", POOL];
const failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }) });
const paused = z.object({ gate: z.string(), by: z.string(), reason: z.string(), users: z.number() });
const cancelledRun = z.object({ applied: z.number(), discarded: z.number(), inFlight: z.number() });

describe("a fleet", () => {
  let stage: DirectoryStage;
  let worker: TestProcess;
  let port: number;
  let environment: Readonly<Record<string, string>>;

  before(async () => {
    stage = await setDirectoryStage(ROWS + 10);
    environment = { ...stage.environment, POOLSYNC_KEY: Buffer.alloc(32, 5).toString("base64") };
    await writeFile(
      stage.at("poolsync.yaml"),
      "rate: 20\nkeepBefore: true\nguards: { changed: off, sameValue: off }\n",
    );
    const { POOLSYNC_KEY = "" } = environment;
    port = await freePort();
    worker = stage.start("workers/deliver.ts", { POOLSYNC_KEY, POOLSYNC_HEALTH_PORT: `${port}` });
    await until("the worker has started", () => worker.stderr().includes("worker started"));
  });
  after(() => stage.clear());

  const say = (...words: readonly string[]): Promise<Said> =>
    runCommand([...words, "--config", stage.at("poolsync.yaml")], { environment });
  const read = async (...words: readonly string[]): Promise<unknown> =>
    JSON.parse((await say(...words, "--json")).stdout);
  const flat = (text: string): string => text.replaceAll(/\s+/g, " ");
  const file = async (name: string, value: string, rows = ROWS): Promise<string> => {
    const lines = Array.from({ length: rows }, (_, nth) => `u${nth},${value}`);
    await writeFile(stage.at(name), `${["username,given_name", ...lines].join("\n")}\n`);
    return stage.at(name);
  };
  const sync = (path: string, ...words: readonly string[]): Promise<Said> =>
    say("sync", path, "--user-pool-id", POOL, "--data-dir", stage.at("sync"), ...words);
  const latest = async (): Promise<string> => {
    const { runs } = z.object({ runs: z.array(z.object({ run: z.string() })) }).parse(await read("runs", "list"));
    return runs[0]?.run ?? "";
  };
  const booksOf = async (run: string) =>
    z.object({ books: z.record(z.string(), z.number()), state: z.string() }).parse(await read("runs", "show", run));
  const readyz = async (): Promise<string> => {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).text();
  };
  const one = (...words: readonly string[]): string[] => [
    "admin-update-user-attributes",
    "--user-pool-id",
    POOL,
    "--username",
    `u${ROWS + 1}`,
    "--user-attributes",
    ...words,
  ];
  const own = (...words: readonly string[]): string[] => [
    "update-user-attributes",
    "--access-token",
    stage.emulator.mintAccessToken(POOL, `u${ROWS + 2}`, { expiresInSeconds: 600 }),
    "--user-attributes",
    ...words,
  ];
  const valueOf = (nth: number, name: string): string | undefined =>
    stage.emulator.pools.get(POOL)?.user(`u${nth}`)?.attributes[name];

  test("obeys a pause at once, says who and why, and lets all of it go on after a resume", async () => {
    // What is done before: a run to undo, a plan to apply, a letter to replay.
    assert.equal((await sync(await file("early.csv", "Early", 2))).code, EXIT.done);
    const early = await latest();
    const plan = stage.at("plan.psplan");
    const planned = await say("plan", await file("planned.csv", "Planned", 2), "--user-pool-id", POOL, "--out", plan);
    assert.equal(planned.code, EXIT.done, planned.stderr);
    stage.emulator.faults.add({
      operation: "AdminUpdateUserAttributes",
      error: "InvalidParameterException",
      attributes: ["zoneinfo"],
    });
    assert.equal((await say(...one("Name=zoneinfo,Value=Europe/Rome"))).code, EXIT.failed);
    stage.emulator.faults.clear();

    assert.equal((await sync(await file("wrong.csv", "Wrong"), "--detach")).code, EXIT.done);
    const wrong = await latest();
    const { updates } = stage;
    const begun = updates();
    await until("some of it is written", () => updates() - begun > 4);
    const said = await say("pause", ...POOL_WORDS, "--reason", REASON);
    const atPause = updates();
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.match(
      flat(said.stdout),
      new RegExp(
        `^Paused: pool ${POOL}\\. (Changes of \\d+ users are kept|Nothing is kept so far)\\. Let it go on with \`poolsync resume --pool ${POOL} --config \\S+\`\\. Where the file is wrong, discard what is left: \`poolsync runs cancel ${wrong} --config`,
      ),
    );
    await until("the worker's log says so", () => worker.stderr().includes('"paused"'));
    await sleep(1500);
    assert.ok(updates() - atPause <= 2, `${updates() - atPause} calls after the pause`);
    assert.match(worker.stderr(), new RegExp(`"gate":"pool:${POOL}","by":"[^"]+@[^"]+","reason":"${REASON}"`));
    assert.match(await readyz(), new RegExp(`^ready\npool ${POOL} is paused by .+@.+: ${REASON}\n$`));

    const { books } = await booksOf(wrong);
    const status = z.object({ pauses: z.array(paused) }).parse(await read("status"));
    assert.deepEqual(
      status.pauses.map(({ gate, reason, users }) => [gate, reason, users]),
      [[`pool:${POOL}`, REASON, books["pending"]]],
    );
    assert.match(
      flat((await say("status")).stdout),
      new RegExp(
        `Pool ${POOL} has been paused since [\\dTZ:.-]+ by .+@.+: ${REASON}\\. (Changes of \\d+ users are|Nothing is) kept`,
      ),
    );
    await assertRefused(early, plan);
    const again = await say("pause", ...POOL_WORDS, "--reason", "other");
    assert.deepEqual([again.code, again.stdout], [EXIT.failed, ""]);
    assert.match(flat(again.stderr), new RegExp(`has been paused since .* by .+@.+: ${REASON}\\.`));
    for (const words of [[], ["--feed", "hr"]]) {
      assert.equal(failed.parse(await read("resume", ...words)).error.kind, "not-paused");
    }

    // What is queued is kept, and what is to go nevertheless goes at once and alone.
    const keeps = new RegExp(
      `Pool ${POOL} has been paused since .* by .+@.+: ${REASON}\\. Let it go on with \`poolsync resume --pool ${POOL} .*\`\\. What is put is kept until then\\.`,
    );
    const queued = await say(...one("Name=zoneinfo,Value=Kept"), "--queue");
    assert.equal(queued.code, EXIT.done);
    assert.match(flat(queued.stderr), keeps);
    const detached = await sync(await file("later.csv", "Later", 3), "--detach");
    assert.equal(detached.code, EXIT.done);
    assert.match(flat(detached.stderr), keeps);
    const sent = updates();
    assert.equal((await say(...one("Name=nickname,Value=Now"), "--despite-pause")).code, EXIT.done);
    assert.equal((await say(...own("Name=nickname,Value=Now"), "--despite-pause")).code, EXIT.done);
    assert.deepEqual([valueOf(ROWS + 1, "nickname"), valueOf(ROWS + 2, "nickname")], ["Now", "Now"]);
    assert.equal(updates(), sent + 1, "the other goes by the user's token");
    assert.equal(valueOf(ROWS + 1, "zoneinfo"), undefined);

    const resumed = await say("resume", ...POOL_WORDS);
    assert.equal(resumed.code, EXIT.done, resumed.stderr);
    assert.match(
      flat(resumed.stdout),
      new RegExp(`^Resumed: pool ${POOL}\\. \\d+ users are due again: workers deliver them\\.\\s*$`),
    );
    await until("all of it is delivered", async () => (await booksOf(wrong)).books["pending"] === 0, 15_000);
    await until("what came later is, too", () => valueOf(2, "given_name") === "Later");
    await until("and the single one", () => valueOf(ROWS + 1, "zoneinfo") === "Kept");
    for (let nth = 0; nth < ROWS; nth++) assert.equal(valueOf(nth, "given_name"), nth < 3 ? "Later" : "Wrong");
    assert.equal(await readyz(), "ready\n");
    assert.match(worker.stderr(), /"resumed"/);
  });

  /** Nothing is put by what somebody would wait for. */
  async function assertRefused(early: string, plan: string): Promise<void> {
    const { received } = z.object({ books: z.object({ received: z.number() }) }).parse(await read("status")).books;
    const rows = await file("one.csv", "One", 1);
    const commands: readonly (readonly string[])[] = [
      ["sync", rows, "--user-pool-id", POOL, "--data-dir", stage.at("sync")],
      ["apply", plan],
      ["undo", early],
      ["dead", "replay"],
      one("Name=nickname,Value=No"),
      own("Name=nickname,Value=No"),
    ];
    for (const words of commands) {
      const said = await say(...words);
      assert.deepEqual([said.code, said.stdout], [EXIT.failed, ""], words.join(" "));
      assert.match(
        flat(said.stderr),
        new RegExp(
          `Pool ${POOL} has been paused since .* by .+@.+: ${REASON}\\. Let it go on with \`poolsync resume --pool ${POOL}`,
        ),
        words.join(" "),
      );
      const { error } = failed.parse(JSON.parse((await say(...words, "--json")).stdout));
      assert.equal(error.kind, "paused", words.join(" "));
    }
    // Without AWS credentials the call is made by the user's token alone.
    const back = exampleAws({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: stage.emulator.url,
    });
    try {
      const said = await say(...own("Name=nickname,Value=No"));
      assert.equal(said.code, EXIT.failed);
      assert.match(flat(said.stderr), new RegExp(`has been paused since .*: ${REASON}`));
      const sent = await say(...own("Name=locale,Value=it"), "--despite-pause");
      assert.equal(sent.code, EXIT.done, sent.stderr);
      assert.equal(valueOf(ROWS + 2, "locale"), "it");
    } finally {
      back();
    }
    const after = z.object({ books: z.object({ received: z.number() }) }).parse(await read("status")).books;
    assert.equal(after.received, received);
  }

  test("sends nothing more of a run that is cancelled, and the books come to what cancel said", async () => {
    const begun = stage.updates();
    assert.equal((await sync(await file("cancelled.csv", "Cancelled"), "--detach")).code, EXIT.done);
    const run = await latest();
    await until("some of it is written", () => stage.updates() - begun > 4);
    const { applied, discarded, inFlight } = cancelledRun.parse(await read("runs", "cancel", run));
    const atCancel = stage.updates();
    assert.equal(applied + discarded + inFlight, ROWS);
    await sleep(1500);
    assert.ok(stage.updates() - atCancel <= 2, `${stage.updates() - atCancel} calls after the cancel`);
    const { books, state } = await booksOf(run);
    assert.equal(state, "cancelled");
    assert.deepEqual([books["pending"], (books["applied"] ?? 0) + (books["discarded"] ?? 0)], [0, ROWS]);
    assert.ok((books["applied"] ?? 0) - applied <= inFlight, "but for calls in flight");
    assert.equal(stage.updates() - begun, books["applied"]);
    const late = failed.parse(await read("runs", "cancel", run));
    assert.equal(late.error.kind, "not-open");
  });

  test("cancels a sync that waits in another process, which says so", async () => {
    const path = await file("attached.csv", "Attached");
    const words = [
      "sync",
      path,
      "--user-pool-id",
      POOL,
      "--data-dir",
      stage.at("other"),
      "--config",
      stage.at("poolsync.yaml"),
    ];
    const running = runFile("src/cli/main.ts", words, {
      ...AWS_ENVIRONMENT,
      ...environment,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: stage.emulator.url,
    });
    const begun = stage.updates();
    await until("some of it is written", () => stage.updates() - begun > 4);
    const run = await latest();
    const said = await say("runs", "cancel", run);
    assert.match(
      flat(said.stdout),
      /is cancelled\. \d+ changes of it were written before,.* \d+ changes that were not written are discarded/,
    );
    assert.equal(await running.ended(), EXIT.failed, running.stderr());
    assert.match(flat(running.stderr()), new RegExp(`Run ${run} was cancelled\\. \\d+ changes of it were written`));
    const { books } = await booksOf(run);
    assert.equal(stage.updates() - begun, books["applied"]);
    assert.equal((books["applied"] ?? 0) + (books["discarded"] ?? 0), ROWS);
  });
});
