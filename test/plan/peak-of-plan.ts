/**
 * Works out a plan of many rows in a process of its own, so that a test can compare the memory that it takes: of one
 * user, or of as many users as rows. Prints one line of JSON: what becomes of the values, and the most memory it took.
 */
import { testKeyring } from "../support/keyring.ts";
import type { ListedUser } from "../../src/core/comparison.ts";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import type { Unit } from "../../src/core/unit.ts";
import { buildPlans } from "../../src/plan/plan.ts";
import type { PlannedRecord } from "../../src/plan/row-match.ts";
import { PROFILE } from "../support/pool-profile.ts";

const [, , directory = "", users = "one", rowsText = "0", values = "equal"] = process.argv;
const rows = Number(rowsText);
/** Of a kilobyte and more, so that rows that are held would be seen. */
const ann = "Ann".padEnd(1024, "!");
const named = (at: number): string => (users === "one" ? "u0" : `u${at}`);

async function* records(): AsyncGenerator<PlannedRecord> {
  for (let at = 0; at < rows; at += 1) {
    const name: Unit = {
      name: "given_name",
      value: { kind: "text", text: values === "differ" ? `${ann} ${at}` : ann },
    };
    const mail: Unit = { name: "email", value: { kind: "text", text: "one@example.com", verified: "mark" } };
    const change = {
      username: named(at),
      units: values === "alias" ? [mail] : [name],
      version: { timeMs: 1, sequence: at },
    };
    yield { kind: "change", line: at + 2, invalid: [], change };
  }
}

async function* everybody() {
  const there = users === "one" ? 1 : rows;
  for (let from = 0; from < there; from += 60) {
    const page = Array.from({ length: Math.min(60, there - from) }, (_, at): ListedUser => {
      const sub = `sub-${named(from + at)}`;
      const attributes = new Map([
        ["sub", sub],
        ["given_name", "Old"],
      ]);
      return { username: named(from + at), sub, createdAt: 0, status: "CONFIRMED", attributes };
    });
    yield { users: page, askedAt: 0, again: false };
  }
}

const attributes = Object.fromEntries(
  ["given_name", "email"].map(
    (name) => [name, { name, type: "String", mutable: true, required: false, developerOnly: false }] as const,
  ),
);
const [plan] = await buildPlans(
  {
    profile: { ...PROFILE, attributes, aliasAttributes: ["email"], autoVerified: ["email"] },
    keyring: testKeyring(Buffer.alloc(32, 7).toString("base64url")),
    directory,
    ledgers: async () => new Map(),
    reading: async () => ({ is: "scan" }),
    scan: everybody,
    now: async () => 0,
    unlisted: "fault",
    pace: async () => ({ updatesPerSecond: 20, listsPerSecond: 25 }),
    providerAttributes: async () => undefined,
  },
  [{ feed: "f", records: records(), mapping: { attributes: [] }, guards: DEFAULT_GUARDS }],
  "live",
  new AbortController().signal,
);
if (plan === undefined) throw new TypeError("Expected a plan");
const { figures } = plan;
plan.close();
const maxRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(
  `${JSON.stringify({ rows: figures.rows.read, deeds: figures.attributes, invalid: figures.invalid, maxRssMb })}\n`,
);
