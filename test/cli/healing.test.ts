import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { EXIT } from "../../src/exit-codes.ts";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { byHand, POOL, runCommand, directoryWithData } from "./command-run.ts";

const summary = z.object({ healed: z.number().optional(), books: z.object({ applied: z.number(), dead: z.number() }) });
const planned = z.object({ scan: z.object({ healable: z.number().optional() }) });

describe("dead letters that mend themselves", () => {
  let directory: Awaited<ReturnType<typeof directoryWithData>>;
  before(async () => {
    directory = await directoryWithData();
  });
  after(() => directory.remove());

  test("are replayed by a sync whose scan finds the alias free and the user there", async () => {
    const emulator = await startEmulator({ quotas: "unmetered" });
    const restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    try {
      const pool = emulator.pools.add({ id: POOL, aliasAttributes: ["email"] });
      pool.addUser({ username: "ann", attributes: { email: "x@example.com", email_verified: "true" } });
      for (const username of ["bob", "cem"]) pool.addUser({ username });
      const at = (name: string) => join(directory.path, name);
      const config = at("poolsync.yaml");
      const feed = `pool: ${POOL}, username: id, attributes: { email: { column: mail, verified: mark } }`;
      await writeFile(
        config,
        `feeds: { hr: { ${feed}, heal: true }, crm: { username: id, attributes: { nickname: n } } }\n`,
      );
      const said = async (...words: readonly string[]) => {
        const report = words[0] === "sync" ? ["--report", at("report.ndjson")] : [];
        return runCommand([...words, ...report, "--config", config, "--data-dir", at("data"), "--json"]);
      };
      await writeFile(at("hr.csv"), "id,mail\nbob,x@example.com\nnew,new@example.com\n");
      const first = await said("sync", at("hr.csv"), "--feed", "hr", "--baseline", "none");
      assert.equal(first.code, EXIT.partial, first.stderr);
      assert.deepEqual(summary.parse(JSON.parse(first.stdout)), { books: { applied: 0, dead: 2 } });
      const groups = z
        .object({ groups: z.array(z.object({ kind: z.string(), example: z.object({ id: z.string() }) })) })
        .parse(JSON.parse((await said("dead", "list")).stdout)).groups;
      const id = groups.find(({ kind }) => kind === "alias-exists")?.example.id ?? "";
      const { owner } = z.object({ owner: z.string() }).parse(JSON.parse((await said("dead", "show", id)).stdout));
      const told = await said("explain", "--user-pool-id", POOL, "--username", "bob");
      assert.match(told.stdout, new RegExp(`User ${owner} had it`));
      // Of a feed that does not heal: it stays where it is.
      await writeFile(at("crm.csv"), "id,n\nnew,newt\n");
      await said("sync", at("crm.csv"), "--feed", "crm", "--user-pool-id", POOL, "--baseline", "none");

      await writeFile(at("next.csv"), "id,mail\ncem,cem@example.com\n");
      const sick = await said("plan", at("next.csv"), "--feed", "hr", "--baseline", "live");
      assert.equal(planned.parse(JSON.parse(sick.stdout)).scan.healable, 0, sick.stderr);

      await byHand(emulator, "ann", { email: "ann@example.com", email_verified: "true" });
      pool.addUser({ username: "new" });
      const well = await said("plan", at("next.csv"), "--feed", "hr", "--baseline", "live");
      assert.equal(planned.parse(JSON.parse(well.stdout)).scan.healable, 2, well.stderr);

      const next = await said("sync", at("next.csv"), "--feed", "hr", "--baseline", "live");
      assert.equal(next.code, EXIT.done, next.stderr);
      assert.deepEqual(summary.parse(JSON.parse(next.stdout)), { healed: 2, books: { applied: 1, dead: 0 } });
      assert.equal(pool.user("bob")?.attributes["email"], "x@example.com");
      assert.equal(pool.user("new")?.attributes["email"], "new@example.com");
      assert.equal(pool.user("new")?.attributes["nickname"], undefined);
      assert.equal(pool.user("ann")?.attributes["email"], "ann@example.com");
    } finally {
      restore();
      await emulator.close();
    }
  });
});
