/** What README shows first goes to its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runFile } from "./support/process.ts";

test("the demonstration writes, sets aside, replays, takes a webhook and refuses a forged one, recounts, and says what the counts mean", async () => {
  const demo = runFile("bin/poolsync.js", ["demo"], {});
  assert.equal(await demo.ended(), 0, demo.stderr() + demo.stdout());
  const said = demo.stdout().replaceAll(/\s+/g, " ");
  for (const sentence of [
    /Dead letters: \d+, of 8 people user-not-found/,
    /Replayed \d+ letters of 8 people\./,
    /"nickname":"Sunny"\}, signed: 200 accepted: the event is kept, and the pool has it\./,
    /"nickname":"Mallory"\} under the same signature: 401 forged: the signature or token does not match the feed's secret\./,
    /Recounted: every mailbox and every dead letter is in the books\./,
    /Of the values of the file and the webhook \(received\) those that are applied were written.*the books balance/,
    /It took [\d,]+ calls of AdminUpdateUserAttributes.* and [\d,]+ of ListUsers/,
    // Nobody waits before a silent pipe.
    /… \d+s: \d+ reads and \d+ updates of users so far/,
  ]) {
    assert.match(said, sentence);
  }
});
