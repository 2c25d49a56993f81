/** The peer of the feed bench: csv-parse alone, as its documentation iterates. Prints one JSON document. */
import { createReadStream } from "node:fs";
import { parse } from "csv-parse";

let rows = 0;
const begunAt = performance.now();
for await (const row of createReadStream(process.argv[2] ?? "").pipe(parse({ columns: true }))) rows += row ? 1 : 0;
process.stdout.write(JSON.stringify({ rows, seconds: (performance.now() - begunAt) / 1000 }));
