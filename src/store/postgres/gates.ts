import { defined } from "../../core/defined.ts";
import { gatesOf, OPEN, passage, type GateState, type Passage, type PassageOf } from "../../core/gate.ts";
import type { Mailbox, UserState } from "../../core/mailbox.ts";
import type { ClosedGate, Gates } from "../gates.ts";
import type { Session, StoreDatabase } from "./database.ts";

interface GateRow {
  readonly gate: string;
  readonly state: GateState;
  readonly since: number;
  readonly paused_by: string | null;
  readonly reason: string | null;
}

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
      const rows = await database.write(
        "DELETE FROM poolsync.gates WHERE gate = $1 AND state = 'paused' RETURNING gate",
        [gate],
      );
      return rows.length > 0;
    },
    async list() {
      return (await database.query<GateRow>("SELECT * FROM poolsync.gates ORDER BY since, gate", [])).map(gateOf);
    },
    async kept(gate) {
      const rows = await database.query<{ n: number }>("SELECT count(*) AS n FROM poolsync.kept WHERE gate = $1", [
        gate,
      ]);
      return rows[0]?.n ?? 0;
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

function gateOf({ gate, state, since, paused_by, reason }: GateRow): ClosedGate {
  return defined({ gate, state, since, by: paused_by ?? undefined, reason: reason ?? undefined });
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
  const rows = await session.query<{ id: string; feed: string; pool: string; gate: string; state: GateState }>(
    `SELECT id, feed, pool, gate, gates.state FROM poolsync.runs
     JOIN poolsync.gates ON gate IN ('run:' || id, 'all', 'pool:' || pool, 'feed:' || feed)
     WHERE id = ANY($1::text[])`,
    [[...runs]],
  );
  const passages = new Map<string, Passage>();
  for (const row of rows) {
    const states = new Map(rows.filter(({ id }) => id === row.id).map(({ gate, state }) => [gate, state]));
    passages.set(
      row.id,
      passage(gatesOf(row), (gate) => states.get(gate)),
    );
  }
  return (run) => passages.get(run) ?? OPEN;
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
