/**
 * Reads a feed as a sync does (a first pass, a mapping from its columns, a second pass), in a process of its own, so
 * that a test can give it little memory. Prints one line of JSON: what came of it, and the most memory it took.
 */
import { checkPass } from "../../src/feeds/check-pass.ts";
import { FeedError } from "../../src/feeds/feed-error.ts";
import { readRecords } from "../../src/feeds/format.ts";
import { mapHeaders } from "../../src/feeds/headers.ts";
import { mapRecord } from "../../src/feeds/mapping.ts";
import { openSource } from "../../src/feeds/source.ts";

const [, , path = "", spoolDir = ""] = process.argv;

/** What came of a feed: how many of each, or the one error. */
export type Came =
  | { readonly records: number; readonly faults: number; readonly units: number }
  | { readonly error: string; readonly message: string };

async function read(): Promise<Came> {
  const source = await openSource(path, { spoolDir });
  try {
    const { columns } = await checkPass(source);
    const mapping = mapHeaders(columns, { name: path, verified: "mark", ignoreUnknown: true });
    let [records, faults, units] = [0, 0, 0];
    for await (const record of readRecords(source)) {
      const mapped = record.kind === "fault" ? record : mapRecord(mapping, record, { asOfMs: 0, row: records });
      if (mapped.kind === "fault") faults += 1;
      else {
        records += 1;
        units += mapped.change.units.length;
      }
    }
    return { records, faults, units };
  } catch (error) {
    if (!(error instanceof FeedError)) throw error;
    return { error: error.kind, message: error.message };
  } finally {
    await source.close();
  }
}

const came = await read();
const maxRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ came, maxRssMb })}\n`);
