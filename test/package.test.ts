import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";

const root = dirname(import.meta.dirname);

function run(command: string, args: string[], cwd: string) {
  return spawnSync(command, args, { cwd, encoding: "utf8" });
}

describe("the package that npm packs", () => {
  const place = mkdtempSync(join(tmpdir(), "poolsync-package-"));
  const modules = join(place, "node_modules");
  const installed = join(modules, "poolsync");
  after(() => rmSync(place, { recursive: true, force: true }));

  before(() => {
    const packed = run("npm", ["pack", "--silent", "--pack-destination", place], root);
    assert.equal(packed.status, 0, packed.stdout + packed.stderr);
    mkdirSync(modules);
    // What npm would install beside it is already here; only its own files must be where a user has them.
    for (const name of readdirSync(join(root, "node_modules"))) {
      if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name), "junction");
    }
    const unpacked = run("tar", ["-xzf", packed.stdout.trim().split("\n").at(-1) ?? ""], place);
    assert.equal(unpacked.status, 0, unpacked.stderr);
    renameSync(join(place, "package"), installed);
  });

  test("holds JavaScript with its types, what stands beside the sources, and no sources", () => {
    const files = globSync("**/*.*", { cwd: installed });
    assert.deepEqual(
      files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts")),
      [],
    );
    const beside = globSync("**/*.{lua,sql,csv,json}", { cwd: join(root, "src") });
    assert.ok(beside.length > 0);
    assert.deepEqual(
      beside.filter((file) => !files.includes(join("dist", file))),
      [],
    );
  });

  test("is a command", () => {
    const help = run(process.execPath, [join(installed, "bin", "poolsync.js"), "--help"], place);
    assert.equal(help.status, 0, help.stderr);
    assert.match(help.stdout, /Usage: poolsync/);
  });

  test("says where the demonstration is, and what can be tried without it", () => {
    const demo = run(process.execPath, [join(installed, "bin", "poolsync.js"), "demo"], place);
    assert.equal(demo.status, 1);
    assert.match(demo.stderr, /npm ci && npm run demo.* emulator` plays a user pool/);
  });

  test("is a library", () => {
    const script = 'import { openPoolsync } from "poolsync"; console.log(typeof openPoolsync);';
    const imported = run(process.execPath, ["--input-type=module", "--eval", script], place);
    assert.equal(imported.stdout, "function\n", imported.stderr);
  });

  test("has types that need no others", () => {
    writeFileSync(
      join(place, "application.ts"),
      `import { openPoolsync, type PoolsyncOptions, type UserChange } from "poolsync";
       const options: PoolsyncOptions = { redisUrl: "redis://127.0.0.1:6379", key: new Uint8Array(32) };
       const change: UserChange = { pool: "eu-west-1_Example", username: "jane", attributes: { name: null } };
       const { queued } = await (await openPoolsync(options)).enqueue(change);
       export const all: readonly string[] = queued;`,
    );
    const flags = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--types",
      "",
      "--ignoreConfig",
    ];
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const checked = run(process.execPath, [tsc, ...flags, "application.ts"], place);
    assert.equal(checked.stdout + checked.stderr, "");
  });
});

describe("the launcher", () => {
  for (const version of ["20.20.2", "24.11.1"]) {
    test(`names the fix where Node.js is ${version}`, () => {
      const pretend = `Object.defineProperty(process.versions, "node", { value: "${version}" });`;
      const launched = run(process.execPath, ["--eval", `${pretend} require("./bin/poolsync.js");`], root);
      assert.equal(launched.status, 64);
      assert.match(launched.stderr, /needs Node\.js 24\.12 or newer .*: install Node\.js 24/);
      assert.equal(launched.stdout, "");
    });
  }
});
