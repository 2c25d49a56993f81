import type { Letter } from "../../core/letter.ts";
import type { LetterFilter, Letters } from "../letters.ts";
import { postEntries } from "./books-table.ts";
import type { Session, StoreDatabase } from "./database.ts";

const PAGE = 200;

/** The port to dead letters. */
export function createLetters(database: StoreDatabase, now: () => number): Letters {
  return {
    async *list(filter) {
      // What is buried while the list is read is not in it, or a list whose letters are replayed might never end.
      const begunAt = now();
      let last = { buriedAt: -1, id: "" };
      for (;;) {
        const page = await readPage(database, filter, last, begunAt);
        yield* page;
        const end = page.at(-1);
        if (!end || page.length < PAGE) return;
        last = end;
      }
    },
    async get(id) {
      const rows = await database.query<{ letter: Letter }>("SELECT letter FROM poolsync.letters WHERE id = $1", [id]);
      return rows[0]?.letter;
    },
    discard: (ids) =>
      database.transaction(async (session) => {
        const letters = await takeLetters(session, ids);
        await postEntries(
          session,
          letters.flatMap(({ run }) => [
            { run, term: "dead", by: -1 },
            { run, term: "discarded", by: 1 },
          ]),
        );
        return letters.length;
      }),
  };
}

export async function writeLetters(session: Session, letters: readonly Letter[]): Promise<void> {
  for (const letter of letters) {
    const { id, user, pool, unit, kind, run, buriedAt } = letter;
    await session.query("INSERT INTO poolsync.letters VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", [
      id,
      user,
      pool,
      unit,
      kind,
      run,
      buriedAt,
      JSON.stringify(letter),
    ]);
  }
}

/** Takes letters out, and answers them in the order of the ids. Ids that are not there are skipped. */
export async function takeLetters(session: Session, ids: readonly string[]): Promise<readonly Letter[]> {
  const rows = await session.query<{ letter: Letter }>(
    "DELETE FROM poolsync.letters WHERE id = ANY($1::text[]) RETURNING letter",
    [ids],
  );
  const taken = new Map(rows.map(({ letter }) => [letter.id, letter]));
  return [...new Set(ids)].flatMap((id) => taken.get(id) ?? []);
}

async function readPage(
  database: StoreDatabase,
  filter: LetterFilter,
  last: { readonly buriedAt: number; readonly id: string },
  begunAt: number,
): Promise<readonly Letter[]> {
  const rows = await database.query<{ letter: Letter }>(
    `SELECT letter FROM poolsync.letters
     WHERE (buried_at, id) > ($1::bigint, $2::text COLLATE "C") AND buried_at <= $3
       AND ($4::text IS NULL OR pool = $4) AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR user_key = $6)
       AND ($7::text IS NULL OR unit = $7) AND ($8::text IS NULL OR run = $8)
       AND ($9::bigint IS NULL OR buried_at >= $9) AND ($10::bigint IS NULL OR buried_at < $10)
     ORDER BY buried_at, id LIMIT ${PAGE}`,
    [
      last.buriedAt,
      last.id,
      begunAt,
      filter.pool ?? null,
      filter.kind ?? null,
      filter.user ?? null,
      filter.unit ?? null,
      filter.run ?? null,
      filter.since ?? null,
      filter.until ?? null,
    ],
  );
  return rows.map((row) => row.letter);
}
