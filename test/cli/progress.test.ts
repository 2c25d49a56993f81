import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { createProgress } from "../../src/cli/progress.ts";

test("a run that goes on begins its progress where it stands, and its speed at nothing", () => {
  const parts: string[] = [];
  const output = Object.assign(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        parts.push(chunk.toString("utf8"));
        done();
      },
    }),
    // What a bar asks of a terminal.
    { isTTY: true, columns: 60, cursorTo: () => true, clearLine: () => true, moveCursor: () => true },
  );
  const progress = createProgress(output, true);
  progress.show({ rows: 100, totalRows: 100, received: 200, applied: 178, dead: 0, pending: 22 });
  progress.stop();
  assert.match(parts.join(""), / 89% {2}100 rows · 178 applied · 0\.0\/s/);
});
