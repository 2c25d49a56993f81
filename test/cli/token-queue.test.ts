import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, setStage, type Said, type Stage } from "./command-run.ts";

const KEY = randomBytes(32).toString("base64");
const CODES = z.object({
  CodeDeliveryDetailsList: z.array(z.object({ AttributeName: z.string(), DeliveryMedium: z.string() })),
});

describe("a user's own change, where POOLSYNC_KEY is set", () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage(4);
  });
  beforeEach(() => stage.emulator.faults.clear());
  after(() => stage.clear());

  const token = (username: string, expiresInSeconds = 600): string =>
    stage.emulator.mintAccessToken(POOL, username, { expiresInSeconds });
  const inData = (words: readonly string[]): Promise<Said> =>
    runCommand([...words, "--data-dir", stage.at("data")], { environment: { POOLSYNC_KEY: KEY } });
  const { url, namespace } = testRedis();
  const onRedis = (words: readonly string[]): Promise<Said> =>
    runCommand(words, { environment: { POOLSYNC_KEY: KEY, REDIS_URL: url, POOLSYNC_NAMESPACE: namespace } });
  const own = (of: string, ...words: readonly string[]): Promise<Said> =>
    onRedis(["update-user-attributes", "--access-token", of, ...words]);
  const written = (): unknown[] =>
    stage.emulator.log.writes.map(({ operation, username, attributes }) => [operation, username, attributes]);

  /** Every file of the data directory, as it is on the disk. */
  async function onDisk(): Promise<string> {
    const files = await readdir(stage.at("data"), { recursive: true, withFileTypes: true });
    const texts = files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name)));
    return (await Promise.all(texts)).map((bytes) => bytes.toString("latin1")).join("\n");
  }

  test("is queued with its token sealed, and the next command for the user makes it", async () => {
    const secret = token("u0");
    const said = await inData([
      "update-user-attributes",
      "--access-token",
      secret,
      "--user-attributes",
      "Name=nickname,Value=Dan",
      "--queue",
    ]);
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.match(said.stdout, /"Queued": \[\n +"nickname"/);
    assert.deepEqual(written(), []);
    const disk = await onDisk();
    assert.ok(disk.length > 100_000);
    for (const part of secret.split(".").filter((item) => item.length > 20)) assert.equal(disk.includes(part), false);
    const admin = ["admin-update-user-attributes", "--user-pool-id", POOL, "--username", "u0"];
    const next = await inData([...admin, "--user-attributes", "Name=locale,Value=en"]);
    assert.equal(next.code, EXIT.done, next.stderr);
    assert.deepEqual(written(), [
      ["UpdateUserAttributes", "u0", { nickname: "Dan" }],
      ["AdminUpdateUserAttributes", "u0", { locale: "en" }],
    ]);
  });

  test("that is waited for goes through the queue, and tells where codes were sent", async () => {
    const words = ["--user-attributes", "Name=nickname,Value=Ann", "Name=given_name,Value=Old"];
    const said = await own(token("u1"), ...words, "--json");
    assert.equal(said.code, EXIT.done, said.stderr);
    assert.deepEqual(JSON.parse(said.stdout), {
      attributes: [
        { name: "nickname", outcome: "applied" },
        { name: "given_name", outcome: "applied" },
      ],
    });
    const again = await own(token("u1"), ...words, "--json");
    assert.equal(again.stdout, said.stdout, "what somebody asks for is sent");

    const codes = "eu-west-1_Codes";
    stage.emulator.pools.add({ id: codes, autoVerified: ["email"] }).addUser({ username: "eve" });
    const eve = stage.emulator.mintAccessToken(codes, "eve", { expiresInSeconds: 600 });
    const sent = await own(eve, "--user-attributes", "Name=email,Value=eve@example.com");
    const [delivery] = CODES.parse(JSON.parse(sent.stdout)).CodeDeliveryDetailsList;
    assert.deepEqual([delivery?.AttributeName, delivery?.DeliveryMedium], ["email", "EMAIL"]);
    assert.doesNotMatch(sent.stdout, /eve@example/);
  });

  test("is not queued once its token has ended, and sent it is refused in Cognito's words", async () => {
    const queued = await own(token("u1", -1), "--user-attributes", "Name=nickname,Value=Dan", "--queue");
    assert.deepEqual(
      [queued.code, queued.stderr],
      [
        EXIT.failed,
        "Nothing was queued. The token has ended: sign in again, and make the change with the new token.\n",
      ],
    );
    const waited = await own(token("u1", -1), "--user-attributes", "Name=nickname,Value=Dan");
    assert.equal(
      waited.stderr,
      "An error occurred (NotAuthorizedException) when calling the UpdateUserAttributes operation: Access Token has expired\nThe token has ended: sign in again, and make the change with the new token.\n",
    );
  });

  test("that is refused is a letter that cannot be replayed, until a newer one takes its place", async () => {
    stage.emulator.faults.add({
      operation: "UpdateUserAttributes",
      error: "NotAuthorizedException",
      message: "Access Token has expired",
    });
    const said = await own(token("u2"), "--user-attributes", "Name=nickname,Value=Dan");
    assert.equal(said.code, EXIT.failed);
    assert.match(
      said.stderr,
      /^An error occurred \(NotAuthorizedException\)[^]*sign in again[^]*\(token-expired\): poolsync dead show/,
    );
    assert.doesNotMatch(said.stderr, /eyJ|Dan|replay/);
    stage.emulator.faults.clear();

    const dry = await onRedis(["dead", "replay", "--kind", "token-expired", "--dry-run", "--json"]);
    assert.deepEqual(JSON.parse(dry.stdout), {
      dryRun: true,
      letters: 0,
      people: 0,
      byKind: {},
      notReplayable: 1,
      events: 0,
    });
    const replay = await onRedis(["dead", "replay"]);
    assert.equal(replay.code, EXIT.partial);
    assert.match(
      replay.stdout,
      /^1 letter is of a user's own change, whose token is gone, and cannot be replayed: make the change again/,
    );
    assert.match((await onRedis(["dead", "list"])).stdout, /poolsync dead discard --kind token-expired/);
    const [, id = ""] = /dead show ([0-9a-f]{32})/.exec(said.stderr) ?? [];
    const shown = await onRedis(["dead", "show", id]);
    assert.match(shown.stdout, /^call +UpdateUserAttributes$/m);
    assert.match(shown.stdout, /^advice +The token has ended: sign in again/m);
    assert.doesNotMatch(shown.stdout, /eyJ|replay/);
    assert.match((await onRedis(["dead", "export"])).stderr, /1 letter of a user's own change is left out/);

    assert.equal((await own(token("u2"), "--user-attributes", "Name=nickname,Value=Newer")).code, EXIT.done);
    const ended = await onRedis(["dead", "replay", "--json"]);
    assert.equal(ended.code, EXIT.done, ended.stderr);
    assert.match(ended.stdout, /"notReplayable": 0/);
    assert.match((await onRedis(["dead", "list"])).stdout, /^No dead letters/);
    const status = await onRedis(["status", "--verify", "--json"]);
    assert.equal(status.code, EXIT.done, status.stdout);
  });

  test("is not sent past an engine", async () => {
    const said = await own(token("u3"), "--user-attributes", "Name=nickname,Value=Dan", "--now");
    assert.equal(said.code, EXIT.guarded);
    assert.match(said.stderr, /Leave --now out/);
  });

  test("is looked at with --dry-run, where credentials are", async () => {
    const said = await own(token("u3"), "--user-attributes", "Name=given_name,Value=New", "--dry-run", "--json");
    assert.deepEqual(JSON.parse(said.stdout), {
      changes: [{ attribute: "given_name", would: "change", message: false }],
    });
  });

  test("is made at once without credentials, and neither queued nor looked at", async () => {
    const back = exampleAws({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: stage.emulator.url,
    });
    try {
      const words = ["--user-attributes", "Name=nickname,Value=Alone"];
      const said = await own(token("u3"), ...words);
      assert.deepEqual(said, { code: EXIT.done, stdout: "", stderr: "" });
      assert.equal(stage.emulator.pools.get(POOL)?.user("u3")?.attributes["nickname"], "Alone");
      const queued = await own(token("u3"), ...words, "--queue");
      assert.match(queued.stderr, /^--queue reads the pool's schema first, which a user's token may not: it needs AWS/);
      const looked = await own(token("u3"), ...words, "--dry-run");
      assert.match(looked.stderr, /^--dry-run reads what is there with ListUsers, which a user's token may not/);
    } finally {
      back();
    }
  });
});
