/**
 * Rows and matches as the scratch holds them: sealed, since it lies on a disk. This process wrote them a moment ago, so
 * only their kind is looked at.
 */
import type { Keyring } from "../store/keyring.ts";
import type { Match, PlannedRecord, TakenRow } from "./row-match.ts";
import type { Scratch } from "./scratch.ts";

export interface RowBodies {
  seal(body: PlannedRecord | Match): string;
  record(body: string): PlannedRecord;
  /** Throws where the row is at fault. */
  taken(body: string): TakenRow;
  match(body: string): Match;
  /** Walks the rows that are not at fault as a whole. `user` is absent where nobody matches yet. */
  walk(): Generator<WalkedRow>;
}

export interface WalkedRow {
  readonly row: number;
  readonly taken: TakenRow;
  readonly user: string | undefined;
}

const PLACE = ["scratch"] as const;

export function createRowBodies(keyring: Pick<Keyring, "seal" | "open">, scratch: Pick<Scratch, "rows">): RowBodies {
  const open = (body: string): unknown => JSON.parse(keyring.open(PLACE, body) ?? "null");

  function record(body: string): PlannedRecord {
    const opened = open(body);
    if (isRecord(opened)) return opened;
    throw new TypeError("Expected a row in the scratch");
  }

  return {
    seal: (body) => keyring.seal(PLACE, JSON.stringify(body)),
    record,
    taken(body) {
      const taken = record(body);
      if (taken.kind === "change") return taken;
      throw new TypeError("Expected a row in the scratch");
    },
    match(body) {
      const opened = open(body);
      if (isMatch(opened)) return opened;
      throw new TypeError("Expected a match in the scratch");
    },
    *walk() {
      for (const { row, body, user } of scratch.rows()) {
        const taken = record(body);
        if (taken.kind === "change") yield { row, taken, user };
      }
    },
  };
}

function isRecord(value: unknown): value is PlannedRecord {
  return typeof value === "object" && value !== null && "kind" in value;
}

function isMatch(value: unknown): value is Match {
  return typeof value === "object" && value !== null && "diffs" in value;
}
