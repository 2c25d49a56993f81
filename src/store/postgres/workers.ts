import { aliveIn, type Workers } from "../workers.ts";
import type { Session, StoreDatabase } from "./database.ts";

/** What their notes are called: `worker` and the id. */
const LIKE = "worker %";

/** Forgets all of them. */
export async function forgetWorkers(database: Session): Promise<void> {
  await database.query("DELETE FROM poolsync.notes WHERE name LIKE $1", [LIKE]);
}

/** The port to workers, among the namespace's notes. */
export function createWorkers(database: StoreDatabase, now: () => number): Workers {
  return {
    renew: (id, worker, forMs) =>
      database.transaction(async (session) => {
        const at = now();
        await session.query(
          "DELETE FROM poolsync.notes WHERE name LIKE $1 AND split_part(value, '|', 1)::numeric <= $2",
          [LIKE, at],
        );
        await session.query(
          "INSERT INTO poolsync.notes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
          [`worker ${id}`, `${at + forMs}|${JSON.stringify(worker)}`],
        );
      }),
    async end(id) {
      await database.write("DELETE FROM poolsync.notes WHERE name = $1", [`worker ${id}`]);
    },
    async list() {
      const rows = await database.query<{ value: string }>("SELECT value FROM poolsync.notes WHERE name LIKE $1", [
        LIKE,
      ]);
      return aliveIn(
        rows.map(({ value }) => value),
        now(),
      );
    },
  };
}
