import assert from "node:assert/strict";
import { FeedError } from "../../src/feeds/feed-error.ts";
import type { FeedRecord } from "../../src/feeds/record.ts";

/** Every value of these tests holds it, and nothing that is said may. */
export const MARK = "s3cr3t";

/** A sentence or two that hold no value. */
function assertSaysNothing(text: string): void {
  assert.ok(!text.includes(MARK), `says a value: ${text}`);
  assert.ok(text.length > 0 && text.length < 5000, `is ${text.length} characters long`);
}

export function assertFault({ reason, detail }: { readonly reason: string; readonly detail: string }): void {
  assert.match(reason, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assertSaysNothing(detail);
}

export type Read = { readonly records: readonly FeedRecord[] } | { readonly error: FeedError };

/** What came of it. Anything thrown but a FeedError is thrown on. */
export async function outcome(read: () => Promise<readonly FeedRecord[]>): Promise<Read> {
  try {
    const records = await read();
    for (const record of records) if (record.kind === "fault") assertFault(record);
    return { records };
  } catch (error) {
    if (!(error instanceof FeedError)) throw error;
    for (let at: unknown = error; at instanceof Error; at = at.cause) assertSaysNothing(`${at.message}${at.stack}`);
    assert.ok(error.message.endsWith("."), error.message);
    return { error };
  }
}
