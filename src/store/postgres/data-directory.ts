/**
 * A data directory: `poolsync.json` says what it is, `postgres/` is PGlite's, `lock.<n>.sock` is the lock. A directory
 * with other things in it is left alone.
 *
 * PGlite makes its files in some seconds, and a process may be killed within them: until `ready` is written they are
 * thrown away and made anew.
 */
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StoreError } from "../store-error.ts";
import { FORMAT } from "./schema.ts";

/** PGlite's data belong to one major version of PostgreSQL. */
const POSTGRES = 18;
const MARKER = "poolsync.json";
const DRAFT = `${MARKER}.new`;
const marker = z.object({ format: z.number(), postgres: z.number(), ready: z.boolean() });
type Marker = z.infer<typeof marker>;

/** Makes the directory, or makes sure that it is one of poolsync's. Throws a StoreError where it cannot be used. */
export async function prepareDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if ((await contents(directory)).length === 0) await chmod(directory, 0o700);
  } catch (cause) {
    throw new StoreError(
      "misconfigured",
      `The data directory ${directory} cannot be made or read (${codeOf(cause)}): use --data-dir with a directory that this user may write to.`,
      { cause },
    );
  }
  await readMarker(directory);
}

/**
 * Where PGlite's files are. The caller has the lock. What was not made to the end is made anew.
 *
 * PostgreSQL's own lock file is taken away: a process that is killed between making it and writing it leaves it empty,
 * and nothing but a person's hand would open the database again. Ours says already that nobody else has it.
 */
export async function preparePostgres(directory: string): Promise<string> {
  const postgres = join(directory, "postgres");
  const stored = await readMarker(directory);
  if (!stored?.ready) {
    await writeMarker(directory, { format: FORMAT, postgres: POSTGRES, ready: false });
    await rm(postgres, { recursive: true, force: true });
    await mkdir(postgres, { mode: 0o700 });
  }
  await rm(join(postgres, "postmaster.pid"), { force: true });
  return postgres;
}

/** Says that the directory holds what this version writes. */
export async function markReady(directory: string): Promise<void> {
  await writeMarker(directory, { format: FORMAT, postgres: POSTGRES, ready: true });
}

/** What lies in the directory, but for the lock and a marker that was not written to the end. */
async function contents(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.filter((name) => !name.startsWith("lock.") && name !== DRAFT);
}

/** Undefined where the directory is empty. */
async function readMarker(directory: string): Promise<Marker | undefined> {
  if ((await contents(directory)).length === 0) return undefined;
  let parsed: Marker;
  try {
    const content: unknown = JSON.parse(await readFile(join(directory, MARKER), "utf8"));
    parsed = marker.parse(content);
  } catch (cause) {
    throw new StoreError(
      "foreign-format",
      `The directory ${directory} is not empty, and not a data directory of poolsync (no readable ${MARKER}): use --data-dir with an empty or a new directory.`,
      { cause },
    );
  }
  if (parsed.format > FORMAT || parsed.postgres !== POSTGRES) {
    throw new StoreError(
      "foreign-format",
      `The data directory ${directory} holds format ${parsed.format} on PostgreSQL ${parsed.postgres}, and this version of poolsync knows format ${FORMAT} on PostgreSQL ${POSTGRES}: use the version of poolsync that wrote it, or another --data-dir.`,
    );
  }
  return parsed;
}

async function writeMarker(directory: string, content: Marker): Promise<void> {
  await writeFile(join(directory, DRAFT), `${JSON.stringify(content)}\n`, { mode: 0o600 });
  await rename(join(directory, DRAFT), join(directory, MARKER));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
