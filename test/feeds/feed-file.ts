import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPass } from "../../src/feeds/check-pass.ts";
import type { Checked } from "../../src/feeds/check-pass.ts";
import { createColumnCollector, type Columns } from "../../src/feeds/columns.ts";
import { FeedError } from "../../src/feeds/feed-error.ts";
import type { FeedFault } from "../../src/feeds/feed-error.ts";
import { readRecords } from "../../src/feeds/format.ts";
import type { ReadOptions } from "../../src/feeds/format.ts";
import type { FeedRecord, FieldsRecord } from "../../src/feeds/record.ts";
import { openSource } from "../../src/feeds/source.ts";
import type { Source } from "../../src/feeds/source.ts";

/** Runs with a directory of its own, which is gone afterwards. */
export async function inDirectory<Result>(run: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), "poolsync-feeds-"));
  try {
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Runs with a real file of that content, opened as a source. */
export function withFile<Result>(
  content: string | Buffer,
  run: (source: Source) => Promise<Result>,
  encoding?: string,
): Promise<Result> {
  return inDirectory(async (directory) => {
    const path = join(directory, "feed");
    await writeFile(path, content);
    const source = await openSource(path, { spoolDir: directory, encoding });
    try {
      return await run(source);
    } finally {
      await source.close();
    }
  });
}

/** A source that is no file: its bytes are made while they are read. */
export function madeSource(chunks: () => Iterable<Buffer>): Source {
  return {
    name: "made",
    encoding: undefined,
    modifiedAtMs: 0,
    rereadable: true,
    identity: { sha256: "", bytes: 0 },
    async *open() {
      yield* chunks();
    },
    close: async () => {},
  };
}

/** Checks a file, then reads it. */
export function readAll(
  content: string | Buffer,
  encoding?: string,
  options?: ReadOptions,
): Promise<{ checked: Checked; records: FeedRecord[] }> {
  return withFile(
    content,
    async (source) => ({
      checked: await checkPass(source, options),
      records: await collect(readRecords(source, options)),
    }),
    encoding,
  );
}

/** `line: name=value|…` of each record, or `line: reason` of a fault; null is written as it is. */
export function brief(records: readonly FeedRecord[]): string[] {
  return records.map((record) =>
    record.kind === "fault"
      ? `${record.line}: ${record.reason}`
      : `${record.line}: ${Array.from(record.fields, ([name, value]) => `${name}=${value}`).join("|")}`,
  );
}

/** A record made by hand. */
export function recordOf(
  fields: Readonly<Record<string, string | null>>,
  nested: readonly string[] = [],
): FieldsRecord {
  return {
    kind: "record",
    line: 7,
    fields: new Map(Object.entries(fields)),
    nested: new Map(nested.map((key) => [key, { inner: 1 }])),
  };
}

/** For assert.rejects and assert.throws: a FeedError of that kind, whose message is one sentence with a next step. */
export function feedError(kind: FeedFault, message?: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof FeedError &&
    error.kind === kind &&
    error.message.endsWith(".") &&
    (message?.test(error.message) ?? true);
}

/** Everything that comes. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The columns that one record of JSON has. */
export function collectColumns(record: FeedRecord): Columns {
  const columns = createColumnCollector();
  if (record.kind === "record") columns.add(record);
  return columns;
}
