/** What README shows first goes to its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runFile } from "./support/process.ts";

test("the demonstration writes, sets aside, replays, goes on after Ctrl-C beside events of which one is forged, one late, one unreadable and a flood held, recounts, and says what the counts mean", async () => {
  const demo = runFile("bin/poolsync.js", ["demo"], {});
  assert.equal(await demo.ended(), 0, demo.stderr() + demo.stdout());
  const said = demo.stdout().replaceAll(/\s+/g, " ");
  for (const sentence of [
    /Dead letters: \d+, of 8 people user-not-found/,
    /Replayed \d+ letters of 8 people\./,
    /Ctrl-C while they are written: .*hr-export-2\.csv --feed hr/,
    /"nickname":"Sunny"\}, signed: 200 accepted: the event is kept\./,
    /"nickname":"Mallory"\} under the same signature: 401 forged: the signature or token does not match the feed's secret\./,
    /signed an hour ago: 401 late: .*cannot be read: 200 accepted/,
    /30 people change at once.*\d+ values? of \d+ (?:people|person) wait.*runs approve r-.*All 30 are written\./,
    /Recounted: every mailbox and every dead letter is in the books\./,
    /Of the values of the files and the webhooks \(received\) those that are applied were written.*the books balance/,
    /It took [\d,]+ calls of AdminUpdateUserAttributes.* and [\d,]+ of ListUsers/,
    // Nobody waits before a silent pipe.
    /… \d+s: \d+ reads and \d+ updates of users so far/,
  ]) {
    assert.match(said, sentence);
  }
});
