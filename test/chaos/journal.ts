/**
 * What the emulator of a chaos run has applied, in a file: a line a write, there before the write's caller is answered.
 * It is the truth that the rest is held against, also where the emulator is killed, and what its next life begins with.
 */
import { appendFileSync } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { z } from "zod";
import { createWriteLog, type WriteRecorder } from "../../src/emulator/write-log.ts";
import { createAccounts, type Account, type AccountSeed } from "./accounts.ts";
import type { LoggedWrite } from "./model.ts";

/** What somebody else's writes bring along as their `ClientMetadata`: poolsync's own bring none. */
export const BY_OTHERS = { writer: "somebody else" } as const;

/** Accounts are made and deleted by somebody else alone. */
const DEEDS: ReadonlyMap<string, LoggedWrite["deed"]> = new Map([
  ["AdminCreateUser", "made"],
  ["AdminDeleteUser", "deleted"],
]);

const line = z
  .object({
    at: z.number(),
    username: z.string(),
    sub: z.string().optional(),
    operation: z.string().optional(),
    attributes: z.record(z.string(), z.string()),
    unanswered: z.boolean().optional(),
    clientMetadata: z.object({ writer: z.literal(BY_OTHERS.writer) }).optional(),
  })
  .transform(({ clientMetadata, operation = "", ...write }) => {
    const deed = DEEDS.get(operation);
    if (deed !== undefined) return { ...write, others: true, deed };
    return clientMetadata ? { ...write, others: true } : write;
  });
type Line = z.infer<typeof line>;

/** A write log that is kept in memory as always, and in the file. */
export function journaledLog(path: string): WriteRecorder {
  const log = createWriteLog(Date.now);
  return {
    ...log,
    append(write) {
      log.append(write);
      appendFileSync(path, `${JSON.stringify(log.writes.at(-1))}\n`);
    },
  };
}

/** The accounts that are there by then, in the order in which they were made. */
export async function accountsIn(path: string, seeds: Iterable<AccountSeed>): Promise<readonly Account[]> {
  const accounts = createAccounts(seeds);
  for (const write of linesOf(await readFile(path, "utf8"))) accounts.take({ ...write, seq: 0 });
  return [...accounts.there.values()];
}

/** Reads on, each time, where it stopped. All writes of all lives, in their order. */
export function createJournalReader(path: string): () => Promise<readonly LoggedWrite[]> {
  const writes: LoggedWrite[] = [];
  let offset = 0;
  let reading: Promise<unknown> = Promise.resolve();
  async function readOn(): Promise<readonly LoggedWrite[]> {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      // The last line may be under way.
      const whole = buffer.subarray(0, buffer.subarray(0, bytesRead).lastIndexOf("\n") + 1);
      offset += whole.length;
      for (const write of linesOf(whole.toString("utf8"))) writes.push({ ...write, seq: writes.length + 1 });
      return writes;
    } finally {
      await file.close();
    }
  }
  return () => {
    const turn = reading.then(readOn, readOn);
    reading = turn;
    return turn;
  };
}

function linesOf(text: string): Line[] {
  return text
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => line.parse(JSON.parse(each)));
}
