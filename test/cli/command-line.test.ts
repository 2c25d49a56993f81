import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { asTyped, commandLine } from "../../src/cli/command-line.ts";
import { nextStep, sentence, textOf } from "../../src/core/sentence.ts";
import type { Io } from "../../src/cli/io.ts";

const output = new Writable();
const never = new AbortController().signal;
const io: Io = {
  stdin: Readable.from([]),
  stdout: output,
  stderr: output,
  interrupts: { drain: never, abort: never },
  calledAs: "npm run -s poolsync --",
};
const flags = {
  config: "my pools.yaml",
  dataDir: "data",
  region: "eu-west-1",
  endpointUrl: "http://127.0.0.1:9229",
  profile: "hr",
  rate: "5",
  listRate: "7",
};
const engine = "--config 'my pools.yaml' --data-dir data";
const cognito = `${engine} --region eu-west-1 --endpoint-url http://127.0.0.1:9229 --profile hr`;
const paced = `${cognito} --rate 5 --list-rate 7`;
const place =
  "AWS_REGION=eu-west-1 AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=http://127.0.0.1:9229 AWS_PROFILE=hr npm run -s poolsync --";

test("a command that a message names is called as this one was, with the flags that it knows", () => {
  const cases = [
    ["sync - --verified keep", `sync - --verified keep ${paced}`],
    ["dead replay --kind gave-up", `dead replay --kind gave-up ${paced}`],
    ["explain --username jane", `explain --username jane ${paced}`],
    ["undo r-1", `undo r-1 ${paced}`],
    ["rekey --digests", `rekey --digests ${cognito}`],
    ["rekey", `rekey ${engine}`],
    ["rekey --data-dir DIRECTORY", "rekey --data-dir DIRECTORY --config 'my pools.yaml'"],
    ["dead list", `dead list ${engine}`],
    ["runs show r-1", `runs show r-1 ${engine}`],
    ["status --verify", `status --verify ${engine}`],
    ["sync --help", "sync --help"],
    ["emulator", "emulator"],
  ] as const;
  for (const [words, line] of cases) {
    assert.equal(commandLine(io, words.split(" "), flags), `npm run -s poolsync -- ${line}`);
    const said = sentence`In use: \`${words}\`, or ${nextStep(...words.split(" "))}, or poolsync.`;
    assert.equal(asTyped(io, said, flags), `In use: \`${words}\`, or \`npm run -s poolsync -- ${line}\`, or poolsync.`);
    assert.equal(textOf(said), `In use: \`${words}\`, or \`poolsync ${words}\`, or poolsync.`);
  }
  assert.equal(
    commandLine(io, ["worker", "--pools", "eu-west-1_A"], flags),
    `${place} worker --pools eu-west-1_A --config 'my pools.yaml' --rate 5 --list-rate 7`,
  );
  assert.equal(commandLine({ ...io, calledAs: "poolsync" }, ["dead", "list"]), "poolsync dead list");
});
