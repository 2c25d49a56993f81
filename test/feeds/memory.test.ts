/**
 * Whatever a feed is, reading it takes a bounded memory: 64 MB of heap for JavaScript (asserted by giving the process
 * no more: it would die of less) and 300 MB of the process in all.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createGzip } from "node:zlib";
import { inDirectory } from "./feed-file.ts";

const HEAP_MB = 64;
const PROCESS_MB = 300;
const MB = 2 ** 20;

function* repeated(text: string, bytes: number, begin = "", end = ""): Generator<Buffer> {
  const piece = Buffer.from(text.repeat(Math.ceil(65_536 / text.length)));
  if (begin !== "") yield Buffer.from(begin);
  for (let made = 0; made < bytes; made += piece.length) yield piece;
  if (end !== "") yield Buffer.from(end);
}

const USERS = ["username,given_name\n", "u1,Zoë\n"] as const;

const OBJECT = `{"username":"u1","given_name":"${"x".repeat(2000)}"}\n`;

function* wide(columns: number, rows: number): Generator<Buffer> {
  const names = Array.from({ length: columns }, (_, index) => `column ${index}`);
  yield Buffer.from(`username,given_name,${names.join()}\n`);
  for (let row = 0; row < rows; row += 1) yield Buffer.from(`u${row},Zoë,${names.map(() => "x").join()}\n`);
}

/** Each record has a name that no other has. */
function* everNew(records: number, nameLength: number): Generator<Buffer> {
  for (let at = 0; at < records; at += 1) {
    yield Buffer.from(`{"username":"u${at}","${String(at).padStart(nameLength, "x")}":1}\n`);
  }
}

/** Each has a name that no other has, and the rest of it is what every record has. */
function* everNewWithin(records: number, nameLength: number): Generator<Buffer> {
  for (let at = 0; at < records; at += 1) {
    yield Buffer.from(
      `{"username":"u${at}","given_name":"Zoë","notes":[{"${String(at).padStart(nameLength, "x")}":1}]}\n`,
    );
  }
}

const cases: readonly (readonly [name: string, content: () => Generator<Buffer>, came: RegExp, packed?: true])[] = [
  ["a line of 100 MB in a CSV", () => repeated("x", 100 * MB, USERS[0]), /"error":"too-long"/],
  ["a header of 100 MB", () => repeated("x", 100 * MB), /"error":"too-long"/],
  ["100 MB of commas", () => repeated(",", 100 * MB, USERS[0]), /"error":"too-long"/],
  ["100 MB within quotes", () => repeated("x\n", 100 * MB, `${USERS[0]}u1,"`), /"error":"too-long"/],
  ["a line of 100 MB in NDJSON", () => repeated("x", 100 * MB, '{"username":"u1"}\n{"x":"'), /"error":"too-long"/],
  ["an element of 100 MB in an array", () => repeated("x", 100 * MB, '[{"username":"'), /"error":"too-long"/],
  ["100 MB of open brackets", () => repeated("[", 100 * MB), /"error":"too-long"/],
  ["100 MB of white space before an array", () => repeated(" ", 100 * MB, "", "[]"), /"error":/],
  ["100,000 blank lines in a CSV", () => repeated("\n", 100_000, USERS[0], USERS[1]), /"records":1,/],
  ["10,000 columns", () => wide(10_000, 100), /"records":100,"faults":0,"units":100/],
  ["20,000 objects with names of their own", () => everNew(20_001, 10), /"error":"columns"/],
  ["objects with long names of their own", () => everNew(400, 500_000), /"error":"columns"/],
  ["objects within objects with names of their own", () => everNewWithin(30_000, 10), /"records":30000,"faults":0/],
  ["objects within objects with long names", () => everNewWithin(40, 500_000), /"records":40,"faults":0/],
  ["a gzip bomb of rows", () => repeated(OBJECT, 200 * MB), /"records":\d+,"faults":0/, true],
  ["a gzip bomb of one line", () => repeated("x", 500 * MB, USERS[0]), /"error":"too-long"/, true],
  ["a gzip bomb of NUL bytes", () => repeated("\0", 500 * MB), /"error":"binary"/, true],
];

for (const [name, content, wanted, packed] of cases) {
  test(`${name} take no more than ${HEAP_MB} MB of heap`, async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "feed");
      const input = Readable.from(content());
      const output = createWriteStream(path);
      if (packed) await pipeline(input, createGzip({ level: 1 }), output);
      else await pipeline(input, output);
      const child = fileURLToPath(import.meta.resolve("./read-within.ts"));
      const args = [`--max-old-space-size=${HEAP_MB}`, child, path, directory];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const [, maxRssMb] = /"maxRssMb":(\d+)/.exec(stdout) ?? [];
      assert.match(stdout, wanted);
      assert.ok(Number(maxRssMb) < PROCESS_MB, `took ${maxRssMb} MB`);
    });
  });
}
