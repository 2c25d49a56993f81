import type { BeforeImages } from "../before-images.ts";
import type { StoreDatabase } from "./database.ts";

const PAGE = 500;

/** The port to before images. */
export function createBeforeImages(database: StoreDatabase, now: () => number): BeforeImages {
  return {
    async keep(run, beforeImages, forMs) {
      const at = now();
      await database.write("DELETE FROM poolsync.before_images WHERE expires_at <= $1", [at]);
      await database.write(
        `INSERT INTO poolsync.before_images
         SELECT $1, unit, body, $4 FROM unnest($2::text[], $3::text[]) AS new (unit, body)
         ON CONFLICT (run, unit) DO UPDATE SET expires_at = excluded.expires_at`,
        [run, beforeImages.map(({ unit }) => unit), beforeImages.map(({ body }) => body), at + forMs],
      );
    },
    async *read(run) {
      for (let last = ""; ;) {
        const rows = await database.query<{ unit: string; body: string }>(
          `SELECT unit, body FROM poolsync.before_images
           WHERE run = $1 AND unit > $2 AND expires_at > $3 ORDER BY unit LIMIT ${PAGE}`,
          [run, last, now()],
        );
        const end = rows.at(-1);
        if (!end) return;
        yield* rows;
        last = end.unit;
      }
    },
  };
}
