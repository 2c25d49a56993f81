import { FeedError } from "./feed-error.ts";
import { jsonRecord } from "./record.ts";
import type { FeedRecord } from "./record.ts";
import { readLines } from "./text.ts";

/** One JSON object a line. Throws a FeedError where the first or the unfinished last line is none. */
export async function* readNdjson(
  text: AsyncIterable<string>,
  name: string,
  maxRecordLength: number,
): AsyncGenerator<FeedRecord> {
  let first = true;
  for await (const { line, text: json, ended } of readLines(text, name, maxRecordLength)) {
    if (json.trim() === "") continue;
    const record = jsonRecord(line, json);
    if (record.kind === "fault" && record.reason === "not-json") {
      if (first) {
        throw new FeedError(
          "format",
          `Line ${line} of \`${name}\` begins like JSON but is no whole JSON object; give one object a line (NDJSON), an array, or {"Report_Entry":[…]}.`,
        );
      }
      if (!ended) {
        throw new FeedError(
          "truncated",
          `\`${name}\` ends in the middle of a JSON object in line ${line}; fetch it again.`,
        );
      }
    }
    first = false;
    yield record;
  }
}
