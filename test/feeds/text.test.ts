import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cellOf } from "../../src/feeds/cell.ts";
import { checkPass } from "../../src/feeds/check-pass.ts";
import { readText } from "../../src/feeds/text.ts";
import { brief, collect, feedError, madeSource, readAll } from "./feed-file.ts";

const CSV = "username,given_name\nu1,Zoë 🦉\n";
const READ = ["2: username=u1|given_name=Zoë 🦉"];

function utf16be(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

describe("text", () => {
  const cases: readonly (readonly [string, Buffer, string?])[] = [
    ["UTF-8", Buffer.from(CSV)],
    ["UTF-8 with a byte order mark", Buffer.from(`\ufeff${CSV}`)],
    ["UTF-16LE by its mark", Buffer.from(`\ufeff${CSV}`, "utf16le")],
    ["UTF-16BE by its mark", utf16be(`\ufeff${CSV}`)],
    ["UTF-16LE as told", Buffer.from(CSV, "utf16le"), "utf-16le"],
    ["UTF-16BE as told", utf16be(CSV), "utf-16be"],
    ["UTF-16 as told, big-endian by its mark", utf16be(`\ufeff${CSV}`), "utf-16"],
  ];
  for (const [name, bytes, encoding] of cases) {
    test(`is read from ${name}`, async () => {
      const { records } = await readAll(bytes, encoding);
      assert.deepEqual(brief(records), READ);
    });

    test(`is the same however the bytes of ${name} come in`, async () => {
      for (let size = 1; size <= 7; size++) {
        const source = madeSource(function* () {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        });
        const pieces = await collect(readText({ ...source, encoding }));
        assert.equal(pieces.join(""), CSV, `${size} bytes at a time`);
      }
    });
  }

  test("is read from a code page as told", async () => {
    const bytes = Buffer.from("username,given_name\nu1,\x80 Zo\xeb\n", "latin1");
    assert.deepEqual(brief((await readAll(bytes, "windows-1252")).records), ["2: username=u1|given_name=€ Zoë"]);
  });

  test("that is not UTF-8 is a fault of its value, with the offset of the byte, wherever it is", async () => {
    for (const before of [20, 16_383, 16_384, 16_385, 40_000]) {
      for (const bad of [[0xe9, 0x72], [0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0xa6], [0xed, 0xa0, 0x80]]) {
        const start = "username,a\n".padEnd(before - 2, `${"x".repeat(30)},${"x".repeat(30)}\n`);
        const bytes = Buffer.concat([
          Buffer.from(`${start.slice(0, -1)}\nu,`),
          Buffer.from(bad),
          Buffer.from("\nv,w\n"),
        ]);
        const { records } = await readAll(bytes);
        const [damaged, last] = records.slice(-2);
        assert.ok(damaged?.kind === "record" && last?.kind === "record");
        const cell = cellOf("a", damaged);
        assert.ok(cell.kind === "unreadable" && cell.reason === "bad-bytes");
        assert.match(cell.detail, new RegExp(`offset ${before} `), `${bad.join()} at ${before}`);
        assert.deepEqual(cellOf("a", last), { kind: "text", text: "w" });
      }
    }
  });

  test("in UTF-16 with half a character is a fault of its value, and refused where it ends so", async () => {
    const lone = Buffer.concat([
      Buffer.from("\ufeffa,b\n", "utf16le"),
      Buffer.from([0x3e, 0xd8, 0x41, 0, 0x2c, 0, 0, 0, 0x0a, 0]),
    ]);
    const { records } = await readAll(lone);
    const [record] = records;
    assert.ok(record?.kind === "record");
    for (const [column, at] of Object.entries({ a: /character at offset 10 /, b: /NUL at offset 16 / })) {
      const cell = cellOf(column, record);
      assert.ok(cell.kind === "unreadable");
      assert.match(cell.detail, at);
    }
    await assert.rejects(readAll(lone.subarray(0, 11)), feedError("truncated", /offset 10;/));
    const cut = Buffer.concat([Buffer.from("a,b\nZoë,Z"), Buffer.from([0xf0, 0x9f])]);
    await assert.rejects(readAll(cut), feedError("truncated", /offset 10;/));
  });

  test("in a code page with bytes that it has not is a fault of its value", async () => {
    const bytes = Buffer.concat([Buffer.from("a,b,c\n"), Buffer.from([0x82, 0xa0, 0x2c, 0x82, 0x2c, 0xff, 0x0a])]);
    const { records } = await readAll(bytes, "shift_jis");
    assert.deepEqual(brief(records), ["2: a=あ|b=\uffffb9\uffff|c=\uffffb11\uffff"]);
  });

  test("with many NUL bytes is no text", async () => {
    await assert.rejects(readAll(Buffer.from(CSV, "utf16le")), feedError("binary", /--encoding utf-16le/));
    await assert.rejects(readAll(utf16be(CSV)), feedError("binary", /--encoding utf-16be/));
    await assert.rejects(
      readAll(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0xff])),
      feedError("binary", /no text file.*export/),
    );
  });

  test("with a NUL, or a U+FFFF, is a fault of its value alone, in JSON as well", async () => {
    const rows = ["a,b,c\nx\0\0,y,\uffff\n", '{"a":"x\0\0","b":"y","c":"\uffff"}\n'];
    for (const row of rows) {
      const { records } = await readAll(row);
      const [record] = records;
      assert.ok(record?.kind === "record");
      const kinds = ["a", "b", "c"].map((column) => cellOf(column, record).kind);
      assert.deepEqual(kinds, ["unreadable", "text", "unreadable"]);
      assert.equal(record.fields.get("a"), `x\uffffn${row.indexOf("\0")}\uffff`);
    }
  });
});

describe("a line without end", () => {
  const starts = {
    csv: "username,a\n",
    quoted: 'username,a\nu1,"',
    ndjson: '{"a":1}\n{"a":"',
    array: '[{"a":1},{"a":"',
    header: "u",
    workday: '{"Report_Entry":[{',
  };
  for (const [name, start] of Object.entries(starts)) {
    test(`ends the reading of ${name} before it fills the memory`, async () => {
      let made = 0;
      const source = madeSource(function* () {
        yield Buffer.from(start);
        for (;;) {
          made += 16_384;
          yield Buffer.alloc(16_384, ",");
        }
      });
      await assert.rejects(checkPass(source), feedError("too-long"));
      assert.ok(made < 3 * 1024 * 1024, `${made} bytes were read`);
    });
  }

  test("of line ends within quotes ends, too", async () => {
    const source = madeSource(function* () {
      yield Buffer.from('username,a\nu1,"');
      for (;;) yield Buffer.alloc(16_384, "\n");
    });
    await assert.rejects(checkPass(source), feedError("too-long", /from line 2 on/));
  });
});
