import assert from "node:assert/strict";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openFeedFile, type FeedFileOptions } from "../../src/cli/feed-file.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { temporaryDirectory } from "./command-run.ts";

describe("the file of a feed", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(() => directory.remove());
  const at = (name: string) => join(directory.path, name);

  async function textOf(file: string, rest: Partial<FeedFileOptions> = {}): Promise<string> {
    const signal = new AbortController().signal;
    const means = { feed: "hr", fetch: undefined, environment: {}, spoolDir: at("spool"), signal };
    const opened = await openFeedFile(file, { ...means, ...rest });
    assert.ok(opened.is === "opened");
    try {
      return Buffer.concat(await Array.fromAsync(opened.source.open())).toString("utf8");
    } finally {
      await opened.source.close();
    }
  }

  test("of a pattern is the one that was modified last, by its name where several were", async () => {
    await mkdir(at("hr-9-directory.csv"));
    for (const [name, seconds] of [
      ["hr-1.csv", 1_700_000_000],
      ["hr-2.csv", 1_700_000_900],
      ["hr-3.csv", 1_700_000_900],
      ["hr-4.csv", 1_700_000_100],
      ["other.csv", 1_700_009_000],
    ] as const) {
      await writeFile(at(name), name);
      await utimes(at(name), seconds, seconds);
    }
    assert.equal(await textOf(at("hr-*.csv")), "hr-3.csv");
    assert.equal(await textOf(at("hr-?.csv")), "hr-3.csv");
    await writeFile(at("hr-*.csv"), "of just that name");
    assert.equal(await textOf(at("hr-*.csv")), "of just that name");
    await assert.rejects(textOf(at("crm-*.csv")), { name: "FeedError", kind: "missing" });
  });

  test("in S3 is read through, and leaves nothing behind", async () => {
    const restore = exampleAws({});
    const server = createServer((request, response) => response.end(request.url?.split("?")[0]));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      const endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
      assert.equal(
        await textOf("s3://exports/hr.csv", { fetch: { endpoint, region: "eu-west-1" } }),
        "/exports/hr.csv",
      );
      assert.deepEqual(await readdir(at("spool")), []);
    } finally {
      server.close();
      server.closeAllConnections();
      restore();
    }
  });

  test("is not fetched where the credential that it names is not set", async () => {
    await assert.rejects(textOf("https://127.0.0.1:1/hr.csv", { fetch: { bearer: "HR_TOKEN" } }), {
      name: "ConfigError",
      message: /feeds\.hr\.fetch\.bearer: Expected the environment to have the credential in HR_TOKEN/,
    });
  });
});
