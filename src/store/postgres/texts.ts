import type { KeptTexts, Shelf } from "../kept-texts.ts";
import type { StoreDatabase } from "./database.ts";

const PAGE = 200;

/** Of each kind: its table, the column that says what it is of, the name, the text, and how a text is written. */
const TABLES = {
  mailboxes: { from: "users", of: "''", name: "user_key", text: "mailbox", type: "json" },
  letters: { from: "letters", of: "''", name: "id", text: "letter", type: "json" },
  links: { from: "links", of: "pool", name: "digest", text: "username", type: "text" },
  "before images": { from: "before_images", of: "run", name: "unit", text: "body", type: "text" },
  plan: { from: "plan_chunks", of: "run", name: `place::text COLLATE "C"`, text: "chunk", type: "text" },
  events: { from: "inbox", of: "''", name: "id", text: "body", type: "text" },
  notes: { from: "notes", of: "''", name: "name", text: "value", type: "text" },
} as const satisfies Record<Shelf["kind"], object>;

const KINDS = Object.keys(TABLES).filter((kind): kind is Shelf["kind"] => kind in TABLES);

/** The port to what is kept sealed. */
export function createTexts(database: StoreDatabase): KeptTexts {
  return {
    async shelves() {
      const shelves = [];
      for (const kind of KINDS) {
        const { from, of, text } = TABLES[kind];
        const rows = await database.query<{ of: string; texts: number }>(
          `SELECT ${of} AS of, count(*) AS texts FROM poolsync.${from} WHERE ${text} IS NOT NULL GROUP BY 1 ORDER BY 1`,
          [],
        );
        shelves.push(...rows.map((row) => ({ kind, of: row.of, texts: row.texts })));
      }
      return shelves;
    },

    async page({ kind, of }, cursor) {
      const table = TABLES[kind];
      const found = await database.query<{ name: string; text: string }>(
        `SELECT ${table.name} AS name, ${table.text}::text AS text FROM poolsync.${table.from}
         WHERE ${table.of} = $1 AND ${table.text} IS NOT NULL AND ${table.name} > $2 ORDER BY 1 LIMIT ${PAGE}`,
        [of, cursor],
      );
      return { found, next: found.length < PAGE ? undefined : found.at(-1)?.name };
    },

    async read({ kind, of }, name) {
      const table = TABLES[kind];
      const rows = await database.query<{ text: string | null }>(
        `SELECT ${table.text}::text AS text FROM poolsync.${table.from} WHERE ${table.of} = $1 AND ${table.name} = $2`,
        [of, name],
      );
      return rows[0]?.text ?? undefined;
    },

    async replace({ kind, of }, { name, text }, to) {
      const table = TABLES[kind];
      const rows = await database.write(
        `UPDATE poolsync.${table.from} SET ${table.text} = $4::${table.type}
         WHERE ${table.of} = $1 AND ${table.name} = $2 AND ${table.text}::text = $3 RETURNING 1 AS done`,
        [of, name, text, to],
      );
      return rows.length > 0;
    },

    // A row is found by its name, whoever has the directory.
    era: () => Promise.resolve(""),
  };
}
