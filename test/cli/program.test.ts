import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { z } from "zod";
import { commandLine } from "../../src/cli/command-line.ts";
import { mask } from "../../src/core/masking.ts";
import { runCommand } from "./command-run.ts";

test("the version is the package's", async () => {
  const manifest = z.object({ version: z.string() });
  const { version } = manifest.parse(JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")));
  assert.deepEqual(await runCommand(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
});

test("a command that is loaded alone is the one that the help lists", async () => {
  const { stdout } = await runCommand(["--help"]);
  const names = Array.from(stdout.matchAll(/^  ([a-z]+(?:-[a-z]+)*) /gm), ([, name = ""]) => name);
  assert.ok(names.length > 10);
  for (const name of names.filter((item) => item !== "help")) {
    const [alone, amongAll] = [await runCommand([name, "--help"]), await runCommand(["help", name])];
    assert.match(alone.stdout, new RegExp(`^Usage: poolsync ${name} `));
    assert.deepEqual(alone, amongAll);
  }
});

test("a command that is advised is given those of the flags that it has", async () => {
  const flags = {
    config: "c",
    dataDir: "d",
    region: "r",
    endpointUrl: "e",
    profile: "p",
    rate: "1",
    reserve: "1",
    concurrency: "1",
  };
  const listed = async (words: readonly string[]) => {
    const { stdout } = await runCommand([...words, "--help"]);
    const [, commands = ""] = /^Commands:\n((?: .*\n)*)/m.exec(stdout) ?? [];
    const names = Array.from(commands.matchAll(/^ {2}([a-z]\S*)/gm), ([, name = ""]) => name);
    return { stdout, names: names.filter((name) => name !== "help") };
  };
  const optionsOf = (text: string) => new Set(Array.from(text.matchAll(/--[a-z-]+/g), ([option]) => option));
  const io = { calledAs: "poolsync" } as Parameters<typeof commandLine>[0];
  for (const name of (await listed([])).names) {
    if (name === "emulator" || name === "demo") continue;
    const { names } = await listed([name]);
    for (const words of names.length === 0 ? [[name]] : names.map((action) => [name, action])) {
      const given = name === "rekey" ? ["rekey", "--digests"] : words;
      const has = optionsOf(/^Options:\n((?: .*\n)*)/m.exec((await listed(words)).stdout)?.[1] ?? "");
      const [every, passed] = [optionsOf(commandLine(io, ["sync"], flags)), optionsOf(commandLine(io, given, flags))];
      assert.deepEqual(
        [...every].filter((option) => passed.has(option)),
        [...every].filter((option) => has.has(option)),
        words.join(" "),
      );
    }
  }
});

test("help fits the terminal, and breaks no word", async () => {
  const names = ["sync", "rekey", "worker", "emulator", "admin-update-user-attributes", "pause", "explain"];
  const commands = [...names.map((name) => [name]), ["dead", "replay"], ["dead", "export"], ["runs", "list"]];
  for (const columns of [40, 60, 80]) {
    for (const command of [[], ...commands]) {
      const { stdout } = await runCommand([...command, "--help"], { columns });
      // A single word that is too long is never broken, nor is what a shell takes together.
      const isWord = (line: string): boolean => /^ *(\$ )?("[^"]*"|\$\([^)]*\)|\S)+( \\)?$/.test(line);
      for (const line of stdout.split("\n")) assert.ok(line.length <= columns || isWord(line), line);
      const whole = await runCommand([...command, "--help"], { columns: 80 });
      assert.deepEqual(wordsOf(stdout), wordsOf(whole.stdout));
    }
  }
});

/** Without the ends of the lines. */
function wordsOf(help: string): string[] {
  return help.split(/[\s\\]+/);
}

test("a worker whose health port is taken says so", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  // The port is asked for before Redis is.
  const environment = { REDIS_URL: "redis://127.0.0.1:1", POOLSYNC_HEALTH_PORT: String(port) };
  const { code, stderr } = await runCommand(["worker", "--pools", "eu-west-1_Example"], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /^Port \d+ of 127\.0\.0\.1 is taken by another process: set another POOLSYNC_HEALTH_PORT\.\n$/);
});

test("a mask shows the first letter of what is long enough", () => {
  const masks = ["jane@example.com", "Jane", "Ann", "x", "", "👩‍👩‍👧 & co", "\u001b[31m!"].map(mask);
  assert.deepEqual(masks, ["j***@e***.com", "J***", "***", "***", "***", "👩***", "<U+001B>***"]);
});
