/**
 * The emulator of a chaos run, as a process that may be killed: what its earlier lives applied is in the journal, and its
 * users begin with that.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { attributesIn, journaledLog } from "./journal.ts";

const settings = z.object({
  port: z.number(),
  journal: z.string(),
  pool: z.string(),
  /** A JSON array of their names. */
  users: z.string(),
});

const { port, journal, pool, users } = settings.parse(JSON.parse(process.argv[2] ?? "{}"));
const emulator = await startEmulator({ port, quotas: "unmetered", latencyMs: [2, 20], log: journaledLog(journal) });
const served = emulator.pools.add({ id: pool, schema: [{ name: "department" }] });
const written = await attributesIn(journal);
for (const username of z.array(z.string()).parse(JSON.parse(await readFile(users, "utf8")))) {
  served.addUser({ username, attributes: written.get(username) ?? {} });
}
process.stdout.write("ready\n");
