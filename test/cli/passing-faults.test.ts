import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import type { FaultRule } from "../../src/emulator/faults.ts";
import { until } from "../support/condition.ts";
import { testRedis } from "../support/redis.ts";
import { POOL, runCommand, setStage, type RunOptions, type Said, type Stage } from "./command-run.ts";

const USERS = 6;
const KEY = Buffer.alloc(32, 7).toString("base64");
const READS = ["DescribeUserPool", "ListUsers"] as const;
type Operation = (typeof READS)[number];

const FAULTS: readonly FaultRule["error"][] = [
  "TooManyRequestsException",
  { kind: "hang" },
  "InternalErrorException",
  { kind: "http", status: 503 },
  { kind: "reset" },
];
/** Of them before each answer, so that a command meets each of some, and each is met by some command. */
const AT_ONCE = 3;

const PARTLY = new Set(["dead replay", "apply", "sync without a scan"]);

describe("a fault of a read", () => {
  let stage: Stage;
  before(async () => {
    stage = await setStage(USERS, {}, false);
    const { emulator, at } = stage;
    const emails = emulator.pools.add({ id: "eu-west-1_Emails", usernameAttributes: ["email"] });
    for (const username of ["a@example.com", "b@example.com"]) emails.addUser({ username });
    await writeFile(at("keeping.yaml"), "keepBefore: true\n");
    await writeFile(at("plain.yaml"), "keepBefore: false\n");
    await writeFile(at("users.csv"), `username,given_name\n${names("New").join("\n")}\n`);
    await writeFile(at("later.csv"), `username,given_name\n${names("Later").join("\n")}\n`);
    await writeFile(at("emails.csv"), "username,given_name\na@example.com,Ann\n");
  });
  after(() => stage.clear());

  const names = (value: string) => Array.from({ length: USERS }, (_, nth) => `u${nth},${value}${nth}`);
  /** `--now` is for where there is no engine. */
  const where = (words: readonly string[]) => {
    const config = words.includes(stage.at("users.csv")) ? "keeping.yaml" : "plain.yaml";
    return ["--config", stage.at(config), "--data-dir", stage.at(words.includes("--now") ? "none" : "data")];
  };
  const { url, namespace } = testRedis();
  const said = (words: readonly string[], options: RunOptions = {}): Promise<Said> => {
    const redis = words.includes("--now") ? {} : { REDIS_URL: url, POOLSYNC_NAMESPACE: namespace };
    return runCommand([...words, ...where(words)], {
      ...options,
      environment: { POOLSYNC_KEY: KEY, POOLSYNC_REQUEST_TIMEOUT: "0.3", ...redis, ...options.environment },
    });
  };
  const one = (...words: readonly string[]) => [
    "admin-update-user-attributes",
    "--user-pool-id",
    POOL,
    "--username",
    "u1",
    "--user-attributes",
    ...words,
  ];

  /** In an order in which each has something to do. What a command reads first is there to be failed. */
  const commands = (): readonly (readonly [title: string, reads: readonly Operation[], words: readonly string[]])[] => {
    const { at } = stage;
    const pool = ["--user-pool-id", POOL];
    const byAddress = ["--user-pool-id", "eu-west-1_Emails", "--username", "b@example.com"];
    const approve = ["--report", at("report.ndjson"), "--json"];
    return [
      ["plan", READS, ["plan", at("users.csv"), ...pool, "--baseline", "live", "--out", at("plan.ndjson")]],
      ["sync", READS, ["sync", at("users.csv"), ...pool, ...approve]],
      ["drift", READS, ["drift", at("users.csv"), ...pool]],
      ["explain", READS, ["explain", ...pool, "--username", "u1"]],
      ["one who is not there", ["DescribeUserPool"], [...one("Name=nickname,Value=N"), "--username", "nobody"]],
      ["dead replay", ["DescribeUserPool"], ["dead", "replay", "--user", "nobody"]],
      ["undo", READS, ["undo", "RUN", ...approve]],
      ["apply", READS, ["apply", at("plan.ndjson"), "--report", at("report.ndjson")]],
      ["sync by address", READS, ["sync", at("emails.csv"), "--user-pool-id", "eu-west-1_Emails", ...approve]],
      ["sync without a scan", ["DescribeUserPool"], ["sync", at("later.csv"), ...pool, ...approve]],
      ["one user", ["DescribeUserPool"], one("Name=nickname,Value=A")],
      ["one user, looked up", READS, [...one("Name=nickname,Value=B"), ...byAddress]],
      ["one user --queue", ["DescribeUserPool"], [...one("Name=nickname,Value=C"), "--queue"]],
      ["one user --dry-run", READS, [...one("Name=nickname,Value=D"), "--dry-run"]],
      ["one user --now", READS, [...one("Name=email,Value=n@example.com", "Name=email_verified,Value=true"), "--now"]],
    ];
  };

  test("that passes is tried again by every command, for all that it reads", async () => {
    const { emulator } = stage;
    let run = "";
    for (const [nth, [command, reads, words]] of commands().entries()) {
      emulator.faults.clear();
      for (const operation of reads) {
        for (let more = 0; more < AT_ONCE; more += 1) {
          const error = FAULTS[(nth + more) % FAULTS.length];
          assert.ok(error);
          emulator.faults.add({ operation, times: 1, error });
        }
      }
      const ended = await said(words.map((word) => (word === "RUN" ? run : word)));
      const told = `${command}: ${ended.stderr}${ended.stdout}`;
      // Nobody answers for who is not there: the commands are carried out all the same.
      if (command === "one who is not there") assert.match(told, /User does not exist/);
      // What the undo has put back is newer than what the plan and the file of before would write.
      else assert.equal(ended.code, PARTLY.has(command) ? EXIT.partial : EXIT.done, told);
      if (command === "sync") ({ run } = z.object({ run: z.string() }).parse(JSON.parse(ended.stdout)));
      assert.ok(
        emulator.faults.rules.every(({ fired }) => fired === 1),
        command,
      );
    }
  });

  /** Lasting from here on, in commands that try a read for a moment only. */
  const lasting = (operation: Operation, error: FaultRule["error"], words: readonly string[]): Promise<Said> => {
    stage.emulator.faults.clear();
    stage.emulator.faults.add({ operation, error });
    // Where nothing is known of the pool that one could go on with.
    const fresh = { POOLSYNC_NAMESPACE: testRedis().namespace };
    return said(words, { readsWithinMs: 2000, environment: operation === "DescribeUserPool" ? fresh : {} });
  };
  const throttle = "TooManyRequestsException";
  const bare = { kind: "http", status: 503 } as const;

  const ends: readonly (readonly [
    title: string,
    operation: Operation,
    error: FaultRule["error"],
    words: readonly string[],
    wanted: RegExp,
  ])[] = [
    ["sync", "DescribeUserPool", throttle, ["sync", "users.csv"], /Cannot read user pool \S+: Rate exceeded\. It was/],
    ["sync", "DescribeUserPool", bare, ["sync", "users.csv"], /Cannot read user pool \S+: internal-error\. It was/],
    [
      "plan",
      "ListUsers",
      { kind: "reset" },
      ["plan", "users.csv", "--baseline", "live"],
      /could not be listed\. It was/,
    ],
    ["explain", "DescribeUserPool", throttle, ["explain", "--username", "u1"], /Cannot read user pool/],
    ["one user", "DescribeUserPool", bare, one("Name=nickname,Value=X"), /Cannot read user pool/],
    ["--dry-run", "ListUsers", throttle, [...one("Name=nickname,Value=X"), "--dry-run"], /calling the ListUsers/],
    ["--now", "ListUsers", bare, [...one("Name=email,Value=x@example.com"), "--now"], /calling the ListUsers/],
  ];
  for (const [title, operation, error, words, wanted] of ends) {
    test(`that lasts ends ${title} with what failed, for how long it was tried, and what to do (${operation})`, async () => {
      const given = words.map((word) => (word === "users.csv" ? stage.at(word) : word));
      const ended = await lasting(
        operation,
        error,
        words.includes("--user-pool-id") ? given : [...given, "--user-pool-id", POOL],
      );
      assert.equal(ended.code, EXIT.failed, ended.stderr);
      assert.match(ended.stderr, wanted);
      assert.match(ended.stderr, /It was tried for \d+ seconds?\. (?:Others are spending|Look at the AWS|Check name)/);
      assert.doesNotMatch(ended.stderr, /Nothing to do|replay/);
    });
  }

  test("that lasts ends the look for an address, but not what explain can say without the pool", async () => {
    const address = ["--user-pool-id", "eu-west-1_Emails", "--username", "c@example.com"];
    const looked = await lasting("ListUsers", throttle, [...one("Name=nickname,Value=X"), ...address]);
    assert.equal(looked.code, EXIT.failed);
    assert.match(
      looked.stderr,
      /could not be looked up by email\. It was tried for \d+ seconds?\. Others are spending/,
    );
    const explained = await lasting("ListUsers", bare, ["explain", "--user-pool-id", POOL, "--username", "u1"]);
    assert.equal(explained.code, EXIT.done, explained.stderr);
    assert.match(
      explained.stdout.replaceAll("\n", " "),
      /could not be asked for this user \(internal-error\)\. It was tried for \d+ seconds?\. Look/,
    );
  });

  test("is waited for no longer than until an interrupt", async () => {
    for (const words of [
      ["sync", stage.at("users.csv"), "--user-pool-id", POOL],
      [...one("Name=nickname,Value=X"), "--dry-run"],
    ]) {
      const interrupt = new AbortController();
      stage.emulator.faults.clear();
      stage.emulator.faults.add({ operation: "DescribeUserPool", error: throttle });
      const ending = said(words, { drain: interrupt.signal, readsWithinMs: 600_000 });
      await until("it was tried again", () => (stage.emulator.faults.rules[0]?.fired ?? 0) > 1);
      interrupt.abort();
      const { code, stderr } = await ending;
      assert.equal(code, EXIT.interrupted);
      assert.match(stderr, /^Interrupted before anything was put\./);
    }
  });

  test("is told of at a terminal while it is waited for", async () => {
    stage.emulator.faults.clear();
    stage.emulator.faults.add({ operation: "DescribeUserPool", error: throttle });
    const ended = await runCommand([...one("Name=nickname,Value=X"), "--dry-run"], {
      columns: 200,
      readsWithinMs: 3000,
    });
    assert.match(
      ended.stderr,
      /did not answer DescribeUserPool for pool eu-west-1_Example \(throttled\)\. It is asked/,
    );
  });

  test("is told of at once where nobody is at the endpoint", async () => {
    const words = [...one("Name=nickname,Value=X"), "--dry-run", "--endpoint-url", "http://127.0.0.1:1"];
    const { stderr } = await runCommand(words, { columns: 200, readsWithinMs: 900 });
    assert.match(
      stderr,
      /Cognito at 127\.0\.0\.1:1 did not answer DescribeUserPool.*: the connection was refused, as where nothing listens \(ECONNREFUSED\)\. It is asked/,
    );
  });
});
