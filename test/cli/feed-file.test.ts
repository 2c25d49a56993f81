import assert from "node:assert/strict";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { openFeedFile, type FeedFileOptions } from "../../src/app/feeds/feed-file.ts";
import { exampleAws } from "../support/aws-environment.ts";
import { ANSWERS, startClosingServer } from "../support/closing-server.ts";
import { until } from "../support/condition.ts";
import { POOL, runCommand, setStage } from "./command-run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe("the file of a feed", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(() => directory.remove());
  const at = (name: string) => join(directory.path, name);

  async function textOf(file: string, rest: Partial<FeedFileOptions> = {}): Promise<string> {
    const signal = new AbortController().signal;
    const deps = { feed: "hr", fetch: undefined, environment: {}, spoolDir: at("spool"), signal };
    const opened = await openFeedFile(file, { ...deps, ...rest });
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

  test("that is given up gives the connection up", async () => {
    let gone = false;
    const server = createServer((request, response) => {
      request.socket.once("close", () => (gone = true));
      response.write("username\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}/hr.csv`;
    await assert.rejects(textOf(url, { encoding: "latin-9000" }), { name: "FeedError", kind: "encoding" });
    try {
      await until("the connection is gone", () => gone, 10_000);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test("that was fetched is no longer than its limit, packed or unpacked; one of this machine has none", async () => {
    const rows = Buffer.from("username\n".padEnd(2 ** 20 + 1, "u1\n"));
    const packed = gzipSync(rows);
    const whole = rows.toString("utf8");
    await writeFile(at("long.csv.gz"), packed);
    assert.equal(await textOf(at("long.csv.gz"), { fetch: { maxMegabytes: 1 } }), whole);
    const [web, s3] = [await startClosingServer("announced", packed), await startClosingServer("announced", packed)];
    const restore = exampleAws({});
    const bucket = { endpoint: s3.origin, region: "eu-west-1" };
    try {
      for (const [file, setting] of [
        [`${web.origin}/hr.csv.gz`, {}] as const,
        ["s3://exports/hr.csv.gz", bucket] as const,
      ]) {
        assert.equal(await textOf(file, { fetch: { ...setting, maxMegabytes: 2 } }), whole);
        await assert.rejects(textOf(file, { fetch: { ...setting, maxMegabytes: 1 } }), {
          name: "FeedError",
          kind: "fetch",
          message:
            /hr\.csv\.gz` is longer than 1 MB once it is unpacked: check the export, or raise `fetch\.maxMegabytes`/,
        });
      }
    } finally {
      restore();
      web.close();
      s3.close();
    }
  });

  test("that is packed and cut off is refused, also where only the end of the connection says where it ends", async () => {
    const packed = gzipSync(Buffer.from("username\nu1\n"));
    const closing = await startClosingServer("as long as the connection", packed.subarray(0, -9), "gzip");
    await assert.rejects(textOf(`${closing.origin}/hr.csv`), { name: "FeedError", kind: "truncated" });
    closing.close();
  });

  test("is not fetched where the credential that it names is not set", async () => {
    await assert.rejects(textOf("https://127.0.0.1:1/hr.csv", { fetch: { bearer: "HR_TOKEN" } }), {
      name: "ConfigError",
      message: /feeds\.hr\.fetch\.bearer: Expected the environment to have the credential in HR_TOKEN/,
    });
  });
});

describe("a sync from the web", () => {
  test("whose server closes the connection before the file is read takes it whole, or says that it was cut off", async () => {
    const stage = await setStage(4);
    try {
      // Those in chunks are read in the tests of fetchWebFile: here each takes a sync.
      for (const [kind, isWhole] of ANSWERS.filter(([name]) => !name.startsWith("in chunks"))) {
        const given = kind.replaceAll(" ", "-");
        const rows = Array.from({ length: 4 }, (_, at) => `u${at},${given},${"x".repeat(17_000)}\n`);
        const closing = await startClosingServer(kind, Buffer.from(`username,given_name,note\n${rows.join("")}`));
        const before = stage.emulator.pools.get(POOL)?.user("u3")?.attributes["given_name"];
        const words = ["sync", `${closing.origin}/hr.csv`, "--user-pool-id", POOL, "--ignore-unknown"];
        const { code, stderr } = await runCommand([...words, "--data-dir", stage.at("data")]);
        closing.close();
        const name = stage.emulator.pools.get(POOL)?.user("u3")?.attributes["given_name"];
        assert.deepEqual([code, name], isWhole ? [0, given] : [1, before], stderr);
        if (!isWhole) assert.match(stderr, /could not be fetched .*check the address/);
      }
    } finally {
      await stage.clear();
    }
  });
});
