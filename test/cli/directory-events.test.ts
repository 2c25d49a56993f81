import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { EXIT } from "../../src/exit-codes.ts";
import { until } from "../support/condition.ts";
import { POOL } from "./command-run.ts";
import { setDirectoryStage } from "./directory-stage.ts";

test("a feed with events is planned each time, changed or not, and not where that was cancelled", async (t) => {
  const stage = await setDirectoryStage(3);
  const { command, configure, deliverHere, directoryHere, nameOf, runs, stateOf, timeComes } = stage;
  t.after(() => stage.clear());
  let unchanged = 0;
  let name = "New";
  const server = createServer((request, response) => {
    const etag = `"${name}"`;
    if (request.headers["if-none-match"] !== undefined) unchanged += 1;
    if (request.headers["if-none-match"] === etag) return response.writeHead(304).end();
    const headers = { etag, "last-modified": "Sat, 31 Jan 2026 18:42:00 GMT" };
    return response.writeHead(200, headers).end(`username,given_name\nu0,${name}\n`);
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : address;
  const events = "events: { scheme: none, version: at }, snapshotAge: 1h";
  await configure(`file: "http://127.0.0.1:${port}/hr.csv", ${events}, schedule: { every: 1h }`);
  deliverHere();
  const worker = directoryHere();
  const ran = async (times: number) => (await runs()).length === times && (await stateOf()) === "finished";
  await until("the run has finished", () => ran(1));
  await timeComes();
  await until("it has run again", () => ran(2));
  assert.deepEqual(
    (await runs()).map(({ books: { applied, unchanged: there } }) => [applied, there]),
    [
      [0, 1],
      [1, 0],
    ],
  );
  assert.equal(unchanged, 0);

  name = "Newer";
  assert.equal((await command("pause", "--pool", POOL, "--reason", "for a while")).code, EXIT.done);
  await timeComes();
  await until("it is put", async () => (await runs()).length === 3 && (await stateOf()) === "delivering");
  const [run] = await runs();
  assert.equal((await command("runs", "cancel", run?.run ?? "")).code, EXIT.done);
  assert.equal((await command("resume", "--pool", POOL)).code, EXIT.done);
  await until("the pass is over", () => worker.stderr().includes("feed cancelled"));
  await timeComes();
  await until("it is left alone", () => worker.stderr().includes("feed unchanged since it was cancelled"));
  assert.deepEqual([(await runs()).length, nameOf("u0")], [3, "New"]);
});
