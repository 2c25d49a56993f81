/** Many requests from standard input: NDJSON or CSV, a request each, as PowerShell pipes objects by their properties. */
import type { Readable } from "node:stream";
import { hasFirstRow, readRows } from "../../feeds/csv.ts";
import { FeedError } from "../../feeds/feed-error.ts";
import { openSource } from "../../feeds/source.ts";
import { readTable } from "../../feeds/table-rows.ts";
import { MAX_RECORD_LENGTH, peekText, readLines, readText } from "../../feeds/text.ts";
import type { AppError } from "../../app/app-error.ts";
import { usageError } from "./usage-error.ts";

export type RequestRecord = {
  /** 1-based line on which it begins. */
  readonly line: number;
} & ({ readonly properties: ReadonlyMap<string, unknown> } | { readonly error: AppError });

/** Throws a FeedError for an input that cannot be read on, which names the line and no value. */
export async function* readRequests(stdin: Readable): AsyncGenerator<RequestRecord> {
  const source = await openSource("-", { stream: true, stdin, spoolDir: "" });
  try {
    const { head, text } = await peekText(
      readText(source),
      (begin) => begin.trimStart().startsWith("{") || hasFirstRow(begin.trimStart()),
    );
    if (!head.trimStart().startsWith("{")) {
      yield* requestsIn(text, source.name);
      return;
    }
    for await (const { line, text: json } of readLines(text, source.name, MAX_RECORD_LENGTH)) {
      if (json.trim() !== "") yield { line, ...objectOf(json) };
    }
  } finally {
    await source.close();
  }
}

async function* requestsIn(text: AsyncGenerator<string>, name: string): AsyncGenerator<RequestRecord> {
  const { ambiguous, records } = await readTable(readRows(text, name, {}, MAX_RECORD_LENGTH), name, {});
  const [[, why] = []] = ambiguous;
  if (why !== undefined) throw new FeedError("columns", `The columns of \`${name}\` do not fit: ${why}.`);
  for await (const record of records) {
    const { line } = record;
    yield record.kind === "fault" ? { line, error: usageError(record.detail) } : { line, properties: record.fields };
  }
}

function objectOf(json: string): { readonly properties: ReadonlyMap<string, unknown> } | { readonly error: AppError } {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's message quotes the line, which may be somebody's data.
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { properties: new Map(Object.entries(value)) };
  }
  return { error: usageError('Expected one whole JSON object, such as {"UserPoolId":…}') };
}
