import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { checkPass } from "../../src/feeds/check-pass.ts";
import { readRecords } from "../../src/feeds/format.ts";
import { openSource } from "../../src/feeds/source.ts";
import { brief, collect, feedError, inDirectory, readAll, withFile } from "./feed-file.ts";

const CSV = "username,given_name\nu1,Zoë\n";

describe("a file", () => {
  test("is identified by its bytes as they lie on the disk, packed or not", async () => {
    const packed = gzipSync(CSV);
    const { checked } = await readAll(packed);
    assert.deepEqual(
      [checked.sha256, checked.bytes],
      [createHash("sha256").update(packed).digest("hex"), packed.length],
    );
  });

  test("has no identity before a pass read it whole", () =>
    withFile(CSV, async (source) => {
      assert.equal(source.identity, undefined);
      for await (const _chunk of source.open()) break;
      assert.equal(source.identity, undefined);
      const { bytes, sha256 } = await checkPass(source);
      assert.deepEqual<unknown>(source.identity, { bytes, sha256 });
    }));

  test("is as of its modification time", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a.csv");
      await writeFile(path, CSV);
      await utimes(path, 1_700_000_000, 1_700_000_000);
      const source = await openSource(path, { spoolDir: directory });
      assert.equal(source.modifiedAtMs, 1_700_000_000_000);
      await source.close();
    }));

  test("that grew or was edited between two passes is refused", () =>
    inDirectory(async (directory) => {
      const path = join(directory, "a.csv");
      for (const change of [() => appendFile(path, "u2,x\n"), () => writeFile(path, CSV.replace("u1", "u9"))]) {
        await writeFile(path, CSV);
        const source = await openSource(path, { spoolDir: directory });
        await checkPass(source);
        await change();
        await assert.rejects(collect(readRecords(source)), feedError("changed"));
        await source.close();
      }
    }));

  test("that another one is renamed over is read on as it was", () =>
    inDirectory(async (directory) => {
      const [path, other] = [join(directory, "a.csv"), join(directory, "b.csv")];
      await writeFile(path, CSV);
      await writeFile(other, "username,given_name\nu2,Ana\nu3,Bo\n");
      const source = await openSource(path, { spoolDir: directory });
      await checkPass(source);
      await rename(other, path);
      assert.deepEqual(brief(await collect(readRecords(source))), ["2: username=u1|given_name=Zoë"]);
      await source.close();
    }));

  test("that is missing, a directory or empty is one sentence", () =>
    inDirectory(async (directory) => {
      const options = { spoolDir: directory };
      await assert.rejects(
        openSource(join(directory, "no.csv"), options),
        feedError("missing", /does not exist; check/),
      );
      await assert.rejects(openSource(directory, options), feedError("directory", /is a directory; give/));
      await assert.rejects(readAll(""), feedError("empty"));
      await assert.rejects(readAll(gzipSync("")), feedError("empty"));
      await assert.rejects(readAll("\ufeff \r\n\n"), feedError("empty"));
      await assert.rejects(readAll("username,email\n"), feedError("empty", /no records/));
      for (const json of ["[]", '{"Report_Entry": []}', "[ ]"]) await assert.rejects(readAll(json), feedError("empty"));
    }));

  test("that may not be read is one sentence", () =>
    inDirectory(async (directory) => {
      // Root may read every file, but not the memory at address 0.
      const path = process.getuid?.() === 0 ? "/proc/self/mem" : join(directory, "a.csv");
      if (path.startsWith(directory)) await writeFile(path, CSV, { mode: 0 });
      const reading = async (): Promise<void> => {
        const source = await openSource(path, { spoolDir: directory });
        try {
          await checkPass(source);
        } finally {
          await source.close();
        }
      };
      await assert.rejects(reading(), feedError("unreadable"));
    }));
});

describe("gzip", () => {
  test("is known by its bytes and not by a name", async () => {
    const { records } = await readAll(gzipSync(CSV));
    assert.deepEqual(brief(records), ["2: username=u1|given_name=Zoë"]);
  });

  test("in several members is one file", async () => {
    const { records } = await readAll(Buffer.concat([gzipSync(CSV), gzipSync("u2,Ana\n")]));
    assert.equal(records.length, 2);
  });

  test("cut off at any byte is refused", async () => {
    const packed = gzipSync(CSV);
    for (let length = 2; length < packed.length; length++) {
      await assert.rejects(readAll(packed.subarray(0, length)), feedError("truncated"), `${length} bytes`);
    }
  });

  test("with a damaged byte is refused", async () => {
    const packed = gzipSync(CSV.repeat(100));
    packed[packed.length - 6] = (packed[packed.length - 6] ?? 0) ^ 0xff;
    await assert.rejects(readAll(packed), feedError("corrupt"));
  });

  test("that unpacks to one endless line is refused", async () => {
    await assert.rejects(
      readAll(gzipSync(Buffer.alloc(40_000_000, "x"), { level: 1 })),
      feedError("too-long", /line 1 on/),
    );
  });
});

describe("standard input", () => {
  const bytes = (): Readable => Readable.from([Buffer.from(CSV.slice(0, 25)), Buffer.from(CSV.slice(25))]);

  test("is spooled, can be read twice and leaves nothing behind", () =>
    inDirectory(async (directory) => {
      const spoolDir = join(directory, "spool");
      const source = await openSource("-", { spoolDir, stdin: bytes() });
      assert.equal(source.name, "standard input");
      assert.equal((await checkPass(source)).records, 1);
      assert.deepEqual(brief(await collect(readRecords(source))), ["2: username=u1|given_name=Zoë"]);
      // The file has no name any more while it is read, so that even a killed process leaves no data.
      assert.deepEqual(await readdir(spoolDir), []);
      await source.close();
    }));

  test("can be packed", () =>
    inDirectory(async (directory) => {
      const source = await openSource("-", { spoolDir: directory, stdin: Readable.from([gzipSync(CSV)]) });
      assert.equal((await checkPass(source)).records, 1);
      await source.close();
    }));

  test("as a stream is not spooled and is read once", () =>
    inDirectory(async (directory) => {
      const spoolDir = join(directory, "spool");
      const source = await openSource("-", { spoolDir, stdin: bytes(), stream: true });
      assert.equal(source.rereadable, false);
      assert.equal((await collect(readRecords(source))).length, 1);
      assert.equal(source.identity?.bytes, Buffer.byteLength(CSV));
      await assert.rejects(collect(readRecords(source)), feedError("read-once"));
      await assert.rejects(readdir(spoolDir));
      await source.close();
    }));

  test("that cannot be spooled is one sentence", () =>
    inDirectory(async (directory) => {
      const spoolDir = join(directory, "spool");
      await mkdir(spoolDir);
      const stdin = new Readable({
        read() {
          this.destroy(new Error("gone"));
        },
      });
      await assert.rejects(openSource("-", { spoolDir, stdin }), feedError("unreadable"));
      assert.deepEqual(await readdir(spoolDir), []);
    }));
});

test("an unknown encoding is refused before anything is opened", () =>
  assert.rejects(
    openSource("no-such-file", { spoolDir: ".", encoding: "klingon" }),
    feedError("encoding", /windows-1252/),
  ));
