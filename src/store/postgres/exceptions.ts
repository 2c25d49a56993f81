import { defined } from "../../core/defined.ts";
import { EXCEPTION_KINDS, EXCEPTION_MS, MOST_EXCEPTIONS, type Exception, type Exceptions } from "../exceptions.ts";
import { setAside } from "./damaged.ts";
import type { StoreDatabase } from "./database.ts";

type ExceptionRow = Omit<Exception, "line" | "kind"> & {
  readonly line: number | null;
  readonly kind: string;
  readonly text: string;
};

/** The port to exceptions. */
export function createExceptions(database: StoreDatabase, now: () => number): Exceptions {
  return {
    note: (exceptions) =>
      database.transaction(async (session) => {
        const at = now();
        // Of two about the same unit the later one stands.
        const latest = [...new Map(exceptions.map((one) => [`${one.about} ${one.unit}`, one])).values()];
        await session.query(
          `INSERT INTO poolsync.exceptions
           SELECT about, unit, kind, run, line, reason, $7
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
             AS new (about, unit, kind, run, line, reason)
           ON CONFLICT (about, unit) DO UPDATE SET kind = excluded.kind, run = excluded.run, line = excluded.line,
             reason = excluded.reason, at = excluded.at`,
          [
            latest.map(({ about }) => about),
            latest.map(({ unit }) => unit),
            latest.map(({ kind }) => kind),
            latest.map(({ run }) => run),
            latest.map(({ line }) => line ?? null),
            latest.map(({ reason }) => reason),
            at,
          ],
        );
        await session.query("DELETE FROM poolsync.exceptions WHERE at <= $1", [at - EXCEPTION_MS]);
        await session.query(
          `DELETE FROM poolsync.exceptions WHERE about IN (
             SELECT about FROM poolsync.exceptions GROUP BY about ORDER BY max(at) DESC OFFSET $1)`,
          [MOST_EXCEPTIONS],
        );
      }),
    async about(key) {
      const rows = await database.query<ExceptionRow>(
        "SELECT exceptions.*, row_to_json(exceptions)::text AS text FROM poolsync.exceptions WHERE about = $1",
        [key],
      );
      const found: Exception[] = [];
      for (const { line, kind, text, ...exception } of rows) {
        const known = EXCEPTION_KINDS.find((word) => word === kind);
        if (known) found.push(defined({ ...exception, kind: known, line: line ?? undefined }));
        else await setAside(database, { kind: "exceptions", place: key, text });
      }
      return found;
    },
  };
}
