/** What the command adds to `explain`: the pool and the user that are asked for. The rest: test/app/explain.test.ts. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { onePool, POOL, runCommand } from "./command-run.ts";

const DOCUMENT = z.object({ username: z.string(), ledger: z.array(z.object({ attribute: z.string() })) });

describe("explain at the command line", () => {
  test("tells of a user of the only pool, or of one that is named, as text or as one document", async (t) => {
    const { pool, directory } = await onePool(t);
    pool.addUser({ username: "jane" });
    const file = join(directory, "poolsync.yaml");
    await writeFile(file, `pools: { staff: { id: ${POOL} } }\n`);
    const dataDir = ["--data-dir", join(directory, "data")];
    const only = await runCommand(["explain", "--config", file, ...dataDir, "--username", "jane"]);
    assert.equal(only.code, EXIT.done, only.stderr);
    assert.match(only.stdout, /^jane in eu-west-1_Example \(eu-west-1\), known as [0-9a-f]{32}\n/);
    assert.match(only.stdout, /poolsync knows of no change of this user: .*\n$/s);
    const named = ["explain", ...dataDir, "--user-pool-id", POOL, "--username", "jane"];
    const json = await runCommand([...named, "--json"]);
    assert.equal(json.code, EXIT.done, json.stderr);
    assert.deepEqual(DOCUMENT.parse(JSON.parse(json.stdout)), { username: "jane", ledger: [] });
  });

  test("asks for the pool and the user", async () => {
    assert.equal((await runCommand(["explain", "--username", "jane"])).code, EXIT.usage);
  });
});
