import { defined } from "../../core/defined.ts";
import { ALL, GATE_STATES, gatesOf, OPEN, passage, runGate, type GateState, type PassageOf } from "../../core/gate.ts";
import type { Mailbox, UserState } from "../../core/mailbox.ts";
import type { ClosedGate, Gates } from "../gates.ts";
import type { Run } from "../runs.ts";
import { setAside } from "./damaged.ts";
import type { Session, StoreDatabase } from "./database.ts";
import { readRuns } from "./runs.ts";

interface GateRow {
  readonly gate: string;
  readonly state: string;
  readonly since: number;
  readonly paused_by: string | null;
  readonly reason: string | null;
  readonly text: string;
}

const SELECT_GATE = "SELECT gates.*, row_to_json(gates)::text AS text FROM poolsync.gates";

/** Those of some runs, and all that are of more than a run: few, and found by the key. */
const WHERE_CONCERNED = `WHERE gate = ANY($1::text[]) OR gate = '${ALL}'
  OR (gate >= 'feed:' AND gate < 'feed;') OR (gate >= 'pool:' AND gate < 'pool;')`;

/** The port to gates. */
export function createGates(database: StoreDatabase, now: () => number): Gates {
  return {
    async pause(gate, { by, reason }) {
      const rows = await database.write(
        "INSERT INTO poolsync.gates VALUES ($1, 'paused', $2, $3, $4) ON CONFLICT DO NOTHING RETURNING gate",
        [gate, now(), by, reason],
      );
      return rows.length > 0;
    },
    async resume(gate) {
      await readGates(database, "WHERE gate = $1", [gate]);
      const rows = await database.write(
        "DELETE FROM poolsync.gates WHERE gate = $1 AND state = 'paused' RETURNING gate",
        [gate],
      );
      return rows.length > 0;
    },
    async list() {
      return readGates(database, "ORDER BY since, gate", []);
    },
    async kept(gate) {
      const rows = await database.query<{ n: number }>("SELECT count(*) AS n FROM poolsync.kept WHERE gate = $1", [
        gate,
      ]);
      return rows[0]?.n ?? 0;
    },
    async keptUsers(gate, limit) {
      const rows = await database.query<{ user_key: string }>(
        "SELECT user_key FROM poolsync.kept WHERE gate = $1 ORDER BY user_key LIMIT $2",
        [gate, limit],
      );
      return rows.map(({ user_key }) => user_key);
    },
    async opened() {
      const rows = await database.query<{ gate: string }>(
        "SELECT DISTINCT gate FROM poolsync.kept WHERE gate NOT IN (SELECT gate FROM poolsync.gates) ORDER BY gate",
        [],
      );
      return rows.map(({ gate }) => gate);
    },
  };
}

/** In the place of one that is broken stands another, or none. */
async function readGates(
  session: Session | StoreDatabase,
  which: string,
  params: readonly unknown[],
): Promise<readonly ClosedGate[]> {
  for (;;) {
    const rows = await session.query<GateRow>(`${SELECT_GATE} ${which}`, params);
    const gates = rows.flatMap((row) => gateOf(row) ?? []);
    if (gates.length === rows.length) return gates;
    for (const row of rows) {
      if (!gateOf(row)) await setAside(session, { kind: "gate", place: row.gate, text: row.text });
    }
  }
}

function gateOf({ gate, state, since, paused_by, reason }: GateRow): ClosedGate | undefined {
  const known = GATE_STATES.find((word) => word === state);
  return known && defined({ gate, state: known, since, by: paused_by ?? undefined, reason: reason ?? undefined });
}

/** How the gates stand for what waits, or is in a claim, of some users; of `more` runs as well. */
export async function readPassages(
  session: Session,
  states: Iterable<UserState>,
  more: readonly string[] = [],
): Promise<PassageOf> {
  const runs = new Set(more);
  for (const { mailbox } of states) for (const run of runsIn(mailbox)) runs.add(run);
  if (runs.size === 0) return () => OPEN;
  const closed = await readGates(session, WHERE_CONCERNED, [[...runs].map(runGate)]);
  const gates = new Map(closed.map(({ gate, state }) => [gate, state]));
  if (gates.size === 0) return () => OPEN;
  const known = new Map<string, Run>();
  for (const run of await readRuns(session, [...runs])) known.set(run.id, run);
  const stateOf = (gate: string): GateState | undefined => gates.get(gate);
  return (id) => {
    const run = known.get(id);
    // Nobody knows whose run it was: nothing of it passes while any feed or pool is paused.
    const names = run ? gatesOf(run) : [runGate(id), ALL, ...[...gates.keys()].filter(isOfMany).toSorted()];
    return passage(names, stateOf);
  };
}

/** The gate of a pool or a feed. */
function isOfMany(gate: string): boolean {
  return gate.startsWith("pool:") || gate.startsWith("feed:");
}

/** The runs whose changes are in a mailbox: those that wait, are in its claim, or were superseded by one of these. */
function runsIn(mailbox: Mailbox | undefined): string[] {
  const units = [
    ...Object.values(mailbox?.pending ?? {}),
    ...Object.values(mailbox?.claim?.units ?? {}),
    ...Object.values(mailbox?.lastSettled ?? {}),
  ];
  return units.flatMap(({ run, replaced = [] }) => [run, ...replaced.map((one) => one.run)]);
}
