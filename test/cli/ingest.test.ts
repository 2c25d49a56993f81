import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { describe, test, type TestContext } from "node:test";
import type { IngestRequest } from "../../src/cli/io.ts";
import { run } from "../../src/cli/program.ts";
import { EXIT } from "../../src/exit-codes.ts";
import { runIngest } from "../../src/ingest/run-ingest.ts";
import { putMadeDirectory } from "../support/made-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const FEED = "pool: eu-west-1_Example, username: user, attributes: { given_name: first }";

/** Runs `poolsync ingest` with this file, and with what is to take events. */
async function command(
  t: TestContext,
  yaml: string,
  words: readonly string[],
  ingest: (request: IngestRequest) => Promise<void>,
  variables: Readonly<Record<string, string>> = {},
) {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  if (ingest === runIngest) putMadeDirectory(join(directory.path, "data"));
  const file = join(directory.path, "poolsync.yaml");
  await writeFile(file, yaml);
  let stderr = "";
  const sink = (heard: (text: string) => void) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        heard(chunk.toString());
        done();
      },
    });
  const code = await run(["ingest", "--config", file, "--data-dir", join(directory.path, "data"), ...words], {
    stdin: Readable.from([]),
    stdout: sink(() => undefined),
    stderr: sink((text) => (stderr += text)),
    interrupts: { drain: AbortSignal.timeout(60_000), abort: new AbortController().signal },
    environment: { POOLSYNC_LOG_LEVEL: "silent", HOME: "/nonexistent", AWS_REGION: "eu-west-1", ...variables },
    ingest,
  });
  return { code, stderr: stderr.replaceAll(/\s+/g, " ") };
}

describe("poolsync ingest", () => {
  const events = `feeds: { crm: { ${FEED}, events: { scheme: none } } }\n`;

  test("listens where flags say, else variables, else at 127.0.0.1 and port 8085, and bounds the inbox", async (t) => {
    const said: unknown[] = [];
    const take = ({ config: { ingest, inbox } }: IngestRequest): Promise<void> => {
      said.push({ ...ingest, ...inbox });
      return Promise.resolve();
    };
    const variables = { POOLSYNC_INGEST_HOST: "::1", POOLSYNC_INGEST_PORT: "81", POOLSYNC_INBOX_ENTRIES: "7" };
    await command(t, events, [], take);
    await command(t, events, [], take, { ...variables, POOLSYNC_INBOX_MEGABYTES: "2" });
    await command(t, events, ["--port", "0", "--host", "10.0.0.1"], take, variables);
    assert.deepEqual(said, [
      { host: "127.0.0.1", port: 8085, entries: 500_000, bytes: 256 * 2 ** 20 },
      { host: "::1", port: 81, entries: 7, bytes: 2 * 2 ** 20 },
      { host: "10.0.0.1", port: 0, entries: 7, bytes: 256 * 2 ** 20 },
    ]);
    const wrong = await command(t, events, ["--port", "70000"], take, { POOLSYNC_INBOX_ENTRIES: "0" });
    assert.equal(wrong.code, EXIT.usage);
    assert.match(wrong.stderr, /--port: Expected a port from 0 to 65535/);
    assert.match(wrong.stderr, /POOLSYNC_INBOX_ENTRIES: Expected a whole number from 1/);
  });

  test("wants an inbox that holds the longest event of each feed", async (t) => {
    const long = events.replace("scheme: none", "scheme: none, maxMegabytes: 4");
    const { code, stderr } = await command(t, long, [], runIngest, { POOLSYNC_INBOX_MEGABYTES: "5" });
    assert.equal(code, EXIT.usage);
    assert.match(stderr, /POOLSYNC_INBOX_MEGABYTES: Expected 6 at least: feed crm takes events of 4 MB/);
  });

  test("wants a feed with events", async (t) => {
    const { code, stderr } = await command(t, `feeds: { crm: { ${FEED} } }\n`, [], runIngest);
    assert.equal(code, EXIT.usage);
    assert.match(stderr, /Expected a feed with `events` such as/);
  });

  test("says that its port is taken, and that others must not reach a feed without a secret", async (t) => {
    const other = createServer().listen(0, "127.0.0.1");
    t.after(() => other.close());
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    const taken = await command(t, events, ["--port", port], runIngest);
    assert.equal(taken.code, EXIT.failed);
    assert.match(
      taken.stderr,
      new RegExp(`Port ${port} of 127.0.0.1 is taken by another process: give another --port`),
    );
    const open = await command(t, events, ["--port", "0", "--host", "0.0.0.0"], runIngest);
    assert.equal(open.code, EXIT.usage);
    assert.match(open.stderr, /Expected a scheme with a secret/);
  });
});
