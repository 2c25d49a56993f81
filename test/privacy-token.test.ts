import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { createCognitoClient } from "../src/cognito/client.ts";
import { createLog } from "../src/log.ts";
import { openEngine } from "../src/queues/engine.ts";
import { openPool } from "../src/delivery/pool.ts";
import { createProducer } from "../src/delivery/producer.ts";
import { PRIORITY } from "../src/queues/wake-ups.ts";
import { callOptionsOf } from "../src/store/keyring.ts";
import { openLetter } from "../src/store/sealed-unit.ts";
import { AWS_ENVIRONMENT, exampleAws } from "./support/aws-environment.ts";
import { until } from "./support/condition.ts";
import { text } from "./support/delivery-stage.ts";
import { assertNoNeedle, username, VALUE, value } from "./support/needles.ts";
import { runFile } from "./support/process.ts";
import { quoting, REFUSALS, startQuotingEmulator } from "./support/quoting-emulator.ts";
import { dumpRedis } from "./support/redis-dump.ts";
import { testRedis } from "./support/redis.ts";

const KEY = randomBytes(32);
const OWN = "UpdateUserAttributes";

/** Users' own changes: the token is looked for as well, in whatever becomes of them. */
describe("nobody's token shows", () => {
  let restore: (() => void) | undefined;
  before(() => {
    restore = exampleAws();
  });
  after(() => restore?.());

  test("in what workers log, in Redis, or on the command line, whatever Cognito says", async (t) => {
    const { url, namespace } = testRedis();
    const emulator = await startQuotingEmulator(t);
    const pool = emulator.pools.get(REFUSALS);
    assert.ok(pool);
    emulator.faults.clear();
    const fates = ["NotAuthorizedException", "ForbiddenException", "CodeMismatchException", "ended", "told", "applied"];
    for (const fate of fates) pool.addUser({ username: username(`own.${fate}`) });
    /** What nobody signed may end in anything. */
    const tokenOf = (fate: string): string => {
      const expiresInSeconds = fate === "ended" ? -1 : 600;
      const token = emulator.mintAccessToken(REFUSALS, username(`own.${fate}`), { expiresInSeconds });
      return token.replace(/[^.]*$/, VALUE);
    };
    for (const fate of fates.slice(0, 3)) {
      const message = `${quoting(fate)} with ${tokenOf(fate)}`;
      emulator.faults.add({ operation: OWN, username: username(`own.${fate}`), error: fate, message });
    }
    const told = `Access Token has expired: ${tokenOf("told")}`;
    emulator.faults.add({
      operation: OWN,
      username: username("own.told"),
      error: "NotAuthorizedException",
      message: told,
    });
    const engine = await openEngine({ redisUrl: url, namespace, dataDir: "", key: KEY });
    t.after(() => engine.close());
    const log = createLog("silent");
    const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 1 });
    const opened = await openPool({
      engine,
      cognito,
      pool: REFUSALS,
      ratePerSecond: 100,
      listsPerSecond: 25,
      concurrency: 1,
      log,
    });
    const run = await engine.store.runs.direct(REFUSALS);
    const producer = createProducer({ engine, profile: opened.profile, run: run.id, priority: PRIORITY.direct });
    const changes = fates.map((fate) => ({
      username: username(`own.${fate}`),
      units: [text("given_name", value(fate))],
      callOptions: { token: tokenOf(fate), clientMetadata: { [VALUE]: VALUE } },
    }));
    await producer.put(changes, { invalid: 0, rows: { read: changes.length, faulty: 0 } });
    await opened.close();
    cognito.close();
    const waiting = await dumpRedis(url, namespace);

    const env = {
      ...AWS_ENVIRONMENT,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url,
      REDIS_URL: url,
      POOLSYNC_NAMESPACE: namespace,
      POOLSYNC_POOLS: REFUSALS,
      POOLSYNC_LOG_LEVEL: "trace",
      POOLSYNC_KEY: KEY.toString("base64"),
    };
    const worker = runFile("workers/deliver.ts", [], env);
    t.after(() => worker.kill("SIGKILL"));
    await until("all are settled", async () => (await engine.store.runs.books()).pending === 0);
    await worker.kill("SIGTERM");
    await worker.ended();
    assertNoNeedle(worker.stdout() + worker.stderr(), "a worker's output");
    const letters = [];
    for await (const letter of engine.store.letters.list({})) letters.push(letter);
    assert.deepEqual(letters.map(({ kind }) => kind).toSorted(), [
      "invalid-value",
      "not-authorized",
      "not-authorized",
      "token-expired",
      "token-expired",
    ]);
    for (const letter of letters) {
      assert.equal(callOptionsOf(openLetter(engine.keyring, letter)?.body ?? "{}").token, "");
    }
    for (const dump of [waiting, await dumpRedis(url, namespace)]) {
      assert.ok(dump.size > 5);
      for (const [name, content] of dump) assertNoNeedle(name + content, name);
    }

    const words = fates.map((fate) => {
      const said = ["update-user-attributes", "--access-token", tokenOf(fate), "--user-attributes"];
      return [...said, `Name=given_name,Value=${value(fate)}`];
    });
    const lines = [
      ...words,
      ...words.map((line) => [...line, "--queue"]),
      ...words.map((line) => [...line, "--dry-run"]),
      [...(words[0] ?? []), "--client-metadata", `{"${VALUE}":`],
      ["dead", "list"],
      ["dead", "list", "--json"],
      ...letters.map(({ id }) => ["dead", "show", id]),
      ["dead", "replay", "--dry-run"],
      ["explain", "--user-pool-id", REFUSALS, "--username", username("own.told")],
    ];
    const commands = runFile("test/support/command-lines.ts", [JSON.stringify(lines)], env);
    assert.equal(await commands.ended(), 0);
    // The name of what a trigger was given is no value: whoever names it after one sees it.
    const printed = (commands.stdout() + commands.stderr()).replaceAll(`${VALUE}=`, "").replaceAll(`"${VALUE}": "`, "");
    assertNoNeedle(printed, "the command line", "show usernames");
    assert.match(printed, /token-expired/);
  });

  test("in a store that has no key to seal it with: it is not put there", async (t) => {
    const { url, namespace } = testRedis();
    const emulator = await startQuotingEmulator(t);
    const engine = await openEngine({ redisUrl: url, namespace, dataDir: "" });
    t.after(() => engine.close());
    const cognito = createCognitoClient({ endpoint: emulator.url, region: "eu-west-1", concurrency: 1 });
    const log = createLog("silent");
    const pool = await openPool({
      engine,
      cognito,
      pool: REFUSALS,
      ratePerSecond: 100,
      listsPerSecond: 25,
      concurrency: 1,
      log,
    });
    t.after(async () => {
      await pool.close();
      cognito.close();
    });
    const change = {
      username: "jane",
      units: [text("given_name", value("x"))],
      callOptions: { token: `a.b.${VALUE}` },
    };
    await assert.rejects(pool.direct().submit(change, { wake: true }), /POOLSYNC_KEY to be set: a user's token is not/);
    for (const [name, content] of await dumpRedis(url, namespace)) assertNoNeedle(name + content, name);
  });
});
