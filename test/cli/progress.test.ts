import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import type { Standstill } from "../../src/app/runs/run-observer.ts";
import { createProgress, type ProgressSnapshot } from "../../src/cli/progress.ts";

function shown(snapshot: ProgressSnapshot, held: readonly Standstill[] = []): string {
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
  for (const standstill of held) progress.held(standstill);
  progress.show(snapshot);
  progress.stop();
  return parts.join("");
}

test("a run that goes on begins its progress where it stands, and its speed at nothing", () => {
  const snapshot = { rows: 100, totalRows: 100, received: 200, applied: 178, unchanged: 0, dead: 0, pending: 22 };
  assert.match(shown(snapshot), / 89% {2}100 rows · 178 applied · 0\.0\/s/);
});

test("values that were there already are no progress, unless there is nothing else", () => {
  const snapshot = { rows: 100, totalRows: 100, received: 800, applied: 15, unchanged: 740, dead: 0, pending: 45 };
  assert.match(shown(snapshot), / 25% {2}100 rows · 15 applied/);
  assert.match(shown({ ...snapshot, rows: 50, applied: 0, unchanged: 800, pending: 0 }), / 50% {2}50 rows/);
});

test("what is paused stands in the place of the speed until the last pause is over", () => {
  const snapshot = { rows: 100, totalRows: 100, received: 200, applied: 178, unchanged: 0, dead: 0, pending: 22 };
  const held = (scope: "paused" | "resumed", gate: string): Standstill => ({ scope, gate, sentence: [] });
  const both = [held("paused", "feed:hr"), held("paused", "all"), held("resumed", "feed:hr")];
  assert.match(shown(snapshot, both), /178 applied · paused/);
  assert.doesNotMatch(shown(snapshot, both), /\/s|left/);
  assert.match(shown(snapshot, [...both, held("resumed", "all")]), /178 applied · 0\.0\/s/);
});
