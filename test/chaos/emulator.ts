/**
 * The emulator of a chaos run, as a process that may be killed: what its earlier lives applied is in the journal, and its
 * users begin with that.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { startEmulator } from "../../src/emulator/emulator.ts";
import { accountsIn, journaledLog } from "./journal.ts";
import { lagOf } from "./named.ts";

const settings = z.object({
  port: z.number(),
  journal: z.string(),
  pool: z.string(),
  /** A JSON array of those whom the pool begins with. */
  users: z.string(),
  /** How many lives there were before. */
  lives: z.number(),
});
const seed = z.object({
  username: z.string(),
  sub: z.string(),
  createdAt: z.number(),
  attributes: z.record(z.string(), z.string()),
});

const { port, journal, pool, users, lives } = settings.parse(JSON.parse(process.argv[2] ?? "{}"));
const begunWith = z.array(seed).parse(JSON.parse(await readFile(users, "utf8")));
// Before it listens: who calls at once must find everybody there, and makes nobody who was made before.
const accounts = await accountsIn(journal, begunWith);
const emulator = await startEmulator({
  port,
  quotas: "unmetered",
  latencyMs: [2, 20],
  listLagMs: lagOf,
  // Another one for each life: no account gets the sub of one that an earlier life made.
  seed: lives + 1,
  log: journaledLog(journal),
});
const served = emulator.pools.add({
  id: pool,
  schema: [{ name: "department" }],
  aliasAttributes: ["email", "phone_number"],
});
for (const { attributes, ...account } of accounts) {
  served.addUser({ ...account, attributes: Object.fromEntries(attributes) });
}
process.stdout.write("ready\n");
