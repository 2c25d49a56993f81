import type { Letter } from "../../core/letter.ts";
import type { Settlements } from "../../core/settlement.ts";
import type { LetterFilter, Letters } from "../letters.ts";
import { letterDocument, soundDocument } from "../documents.ts";
import { postEntries } from "./books-table.ts";
import { setAside } from "./damaged.ts";
import type { Session, StoreDatabase } from "./database.ts";

const PAGE = 200;

/** A letter, with the columns by which it is found: they are beside it, and say the same. */
interface LetterRow {
  readonly id: string;
  readonly user_key: string;
  readonly pool: string;
  readonly unit: string;
  readonly kind: string;
  readonly run: string;
  readonly buried_at: number;
  readonly letter: string;
}

const SELECT_LETTER =
  "SELECT id, user_key, pool, unit, kind, run, buried_at, letter::text AS letter FROM poolsync.letters";

/** The port to dead letters. */
export function createLetters(database: StoreDatabase, now: () => number): Letters {
  return {
    async *list(filter) {
      // What is buried while the list is read is not in it, or a list whose letters are replayed might never end.
      const begunAt = now();
      let last = { buriedAt: -1, id: "" };
      for (;;) {
        const rows = await readPage(database, filter, last, begunAt);
        const sound = await soundLetters(database, rows);
        yield* sound.filter(({ reason }) => filter.reason === undefined || reason === filter.reason);
        const end = rows.at(-1);
        if (!end || rows.length < PAGE) return;
        last = { buriedAt: end.buried_at, id: end.id };
      }
    },
    async get(id) {
      const rows = await database.query<LetterRow>(`${SELECT_LETTER} WHERE id = $1`, [id]);
      return (await soundLetters(database, rows))[0];
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

/** In the place of one that has the same id. */
export async function writeLetters(session: Session, letters: readonly Letter[]): Promise<void> {
  for (const letter of letters) {
    const { id, user, pool, unit, kind, run, buriedAt } = letter;
    await session.query(
      `INSERT INTO poolsync.letters VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id)
       DO UPDATE SET kind = excluded.kind, run = excluded.run, buried_at = excluded.buried_at, letter = excluded.letter`,
      [id, user, pool, unit, kind, run, buriedAt, JSON.stringify(letter)],
    );
  }
}

/** The letters that burials name, by id: those of their user, pool and unit. One that says otherwise is set aside. */
export async function readLettersOf(
  session: Session,
  user: string,
  pool: string | undefined,
  settlements: Settlements,
): Promise<ReadonlyMap<string, Letter>> {
  const units = new Map(
    Object.entries(settlements).flatMap(([unit, settlement]) =>
      settlement.is === "bury" ? [[settlement.letter, unit] as const] : [],
    ),
  );
  if (units.size === 0) return new Map();
  const rows = await session.query<LetterRow>(`${SELECT_LETTER} WHERE id = ANY($1::text[])`, [[...units.keys()]]);
  const letters = await soundLetters(
    session,
    rows,
    (letter) => letter.user === user && letter.pool === pool && letter.unit === units.get(letter.id),
  );
  return new Map(letters.map((letter) => [letter.id, letter]));
}

/** Takes letters out, and answers them in the order of the ids. Ids that are not there are skipped, and broken letters. */
export async function takeLetters(session: Session, ids: readonly string[]): Promise<readonly Letter[]> {
  const rows = await session.query<LetterRow>(`${SELECT_LETTER} WHERE id = ANY($1::text[])`, [ids]);
  const letters = await soundLetters(session, rows);
  await session.query("DELETE FROM poolsync.letters WHERE id = ANY($1::text[])", [letters.map(({ id }) => id)]);
  const taken = new Map(letters.map((letter) => [letter.id, letter]));
  return [...new Set(ids)].flatMap((id) => taken.get(id) ?? []);
}

/** All letters, in pages; those in whose text a word stands, where it is given. */
export async function* everyLetter(session: Session | StoreDatabase, word = ""): AsyncGenerator<readonly Letter[]> {
  for (let last = ""; ;) {
    const rows = await session.query<LetterRow>(
      `${SELECT_LETTER} WHERE id > $1 AND position($2 in letter::text) > 0 ORDER BY id LIMIT ${PAGE}`,
      [last, word],
    );
    const end = rows.at(-1);
    if (!end) return;
    yield await soundLetters(session, rows);
    last = end.id;
  }
}

/** Those that are sound; the others are set aside. */
async function soundLetters(
  session: Session | StoreDatabase,
  rows: readonly LetterRow[],
  where: (letter: Letter) => boolean = () => true,
): Promise<readonly Letter[]> {
  const letters: Letter[] = [];
  for (const row of rows) {
    const letter = soundDocument(letterDocument, row.letter, (one) => isAt(one, row) && where(one));
    if (letter) letters.push(letter);
    else await setAside(session, { kind: "letter", place: row.id, text: row.letter });
  }
  return letters;
}

function isAt({ id, user, pool, unit, kind, run, buriedAt }: Letter, row: LetterRow): boolean {
  const { user_key, buried_at } = row;
  return (
    id === row.id &&
    user === user_key &&
    pool === row.pool &&
    unit === row.unit &&
    kind === row.kind &&
    run === row.run &&
    buriedAt === buried_at
  );
}

async function readPage(
  database: StoreDatabase,
  filter: LetterFilter,
  last: { readonly buriedAt: number; readonly id: string },
  begunAt: number,
): Promise<readonly LetterRow[]> {
  return database.query<LetterRow>(
    `${SELECT_LETTER}
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
}
