/**
 * The feeds of one `sync`: every file is opened and read through once before anything is put, and its columns are held
 * against the pool's attributes. Then its records become changes.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import type { FeedSetting } from "../../config/config-file.ts";
import { ConfigError } from "../../config/config-error.ts";
import { AGE_NEEDED } from "../../config/events.ts";
import { defined } from "../../core/defined.ts";
import type { PoolProfile } from "../../core/pool-schema.ts";
import { isContact, type Verified } from "../../core/unit.ts";
import { MAX_LEAD_MS } from "../../core/version.ts";
import { checkPass, type Checked } from "../../feeds/check-pass.ts";
import { parseInstant } from "../../feeds/date.ts";
import { createColumnCollector, headerColumns, type Columns } from "../../feeds/columns.ts";
import { FeedError } from "../../feeds/feed-error.ts";
import { openFeed, type Feed } from "../../feeds/format.ts";
import { fitColumns, mapHeaders } from "../../feeds/headers.ts";
import { createUnknownCheck, mapRecord, mappedColumns, type MappedRecord, type Mapping } from "../../feeds/mapping.ts";
import type { FeedRecord } from "../../feeds/record.ts";
import { recordsFault } from "../../feeds/records-expression.ts";
import { blankWord } from "../../feeds/rubble.ts";
import type { Source } from "../../feeds/source.ts";
import type { TableSetting } from "../../feeds/table.ts";
import { refuseAmbiguous, refuseMisread, refuseMisreadHeader } from "../../feeds/unusable.ts";
import type { Scope } from "../../lifecycle.ts";
import type { RowTimes } from "../../plan/figures.ts";
import type { Keyring } from "../../store/keyring.ts";
import { interruptedEarly } from "../app-error.ts";
import { openFeedFile } from "./feed-file.ts";
import { tableOf, type TableOptions } from "./table-options.ts";

export interface FeedOptions extends TableOptions {
  readonly encoding?: string;
  readonly stream?: boolean;
  readonly records?: string;
  readonly usernameColumn?: string;
  readonly verified?: Verified;
  readonly ignoreUnknown?: boolean;
  readonly asOf?: string;
  readonly duplicates?: "last" | "refuse";
  readonly normalize?: "nfc";
  readonly rubble?: "refuse" | "off";
  readonly blank?: readonly string[];
}

/** A feed that was read through once, or (with --stream) that is about to be read for the only time. */
export interface FeedInput {
  /** A feed's name of the configuration, or the file's. */
  readonly name: string;
  readonly source: Source;
  /** Where the records are in a document of JSON; undefined where they are told by its form. */
  readonly records: string | undefined;
  /** Where the table of a CSV begins and ends, as far as somebody says it. */
  readonly table: TableSetting | undefined;
  /** Absent with --stream. */
  readonly checked: Checked | undefined;
  /** Of JSON that is read once, those of its first record. */
  readonly columns: Columns;
  readonly asOfMs: number;
  /** The as-of as it was asked for; blank where it follows from the file. */
  readonly asOfSaid: string;
  /** Events come beside the file and say the time of each value too: of one time what comes later stands, and not a later row. */
  readonly besideEvents: boolean;
  /** The attributes that the feed's events bring; undefined of a feed without events. */
  readonly byEvents: readonly string[] | undefined;
  /** The only pass, begun. Present with --stream. */
  readonly begun: Feed | undefined;
}

export interface InputOptions {
  readonly flags: FeedOptions;
  readonly feed: { readonly name: string; readonly setting: FeedSetting } | undefined;
  readonly spoolDir: string;
  readonly stdin: Readable;
  /** What the configuration reads instead of the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Epoch ms. Asked once the file is there: fetching it may take minutes. */
  readonly now: () => number;
  readonly scope: Scope;
  /** Interrupts the first pass. */
  readonly signal: AbortSignal;
}

/**
 * Opens and checks one file or `-`. Throws a FeedError, a ConfigError for an as-of that cannot be, or an AppError
 * where it was interrupted.
 */
export async function openInput(path: string, options: InputOptions): Promise<FeedInput> {
  const { signal, stdin } = options;
  const cut = (): void => void stdin.destroy();
  if (path === "-") signal.addEventListener("abort", cut, { once: true });
  try {
    return await readInput(path, options);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw interruptedEarly(cause);
  } finally {
    signal.removeEventListener("abort", cut);
  }
}

async function readInput(path: string, options: InputOptions): Promise<FeedInput> {
  const { flags, feed, spoolDir, stdin, environment, scope, signal } = options;
  const file = await openFeedFile(path, {
    feed: feed?.name,
    fetch: feed?.setting.fetch,
    environment,
    spoolDir,
    stdin,
    signal,
    stream: flags.stream === true,
    encoding: flags.encoding,
  });
  // Nothing was said of what is known already.
  if (file.is === "unchanged") throw new Error("Expected a file that was fetched for the first time to be new");
  const source = scope.defer(file.source, (opened) => opened.close());
  return inputOf(source, path === "-" ? "standard input" : basename(source.name), options);
}

/** Reads a source through, or with --stream begins to. `name` is for what is no feed of the configuration. */
export async function inputOf(
  source: Source,
  name: string,
  { flags, feed, now, signal }: Pick<InputOptions, "flags" | "feed" | "now" | "signal">,
): Promise<FeedInput> {
  const asOfSaid = flags.asOf ?? feed?.setting.asOf ?? "";
  const asOfMs = asOf(asOfSaid, source, now(), feed);
  const called = feed?.name ?? name;
  const records = recordsOption(flags, feed);
  const table = tableOf(flags, feed?.setting.table);
  const { events, mapping } = feed?.setting ?? {};
  const besideEvents = events !== undefined && mapping?.versionColumn !== undefined;
  const byEvents = events?.mapping.attributes.map(({ name: attribute }) => attribute);
  const known = { name: called, source, records, table, asOfMs, asOfSaid, besideEvents, byEvents };
  if (!source.rereadable) {
    const begun = await openFeed(source, { records, table });
    const peeked = begun.headers === undefined ? await peek(begun) : { begun, columns: headerColumns(begun.headers) };
    return { ...known, checked: undefined, ...peeked };
  }
  const checked = await checkPass(interruptible(source, signal), { records, table });
  return { ...known, checked, columns: checked.columns, begun: undefined };
}

/** The option goes before the feed's setting, which was checked where it was read. */
function recordsOption({ records }: FeedOptions, feed: InputOptions["feed"]): string | undefined {
  if (records === undefined) return feed?.setting.records;
  const message = recordsFault(records);
  if (message !== undefined) throw new ConfigError([{ path: "--records", message }]);
  return records;
}

/** The same source, whose reading ends with an AbortError when the signal aborts. */
function interruptible(source: Source, signal: AbortSignal): Source {
  return {
    ...source,
    get identity() {
      return source.identity;
    },
    async *open() {
      for await (const chunk of source.open()) {
        signal.throwIfAborted();
        yield chunk;
      }
    },
  };
}

/** JSON says its columns in its records: those of the first stand for all, and the others are held against them. */
async function peek(feed: Feed): Promise<{ begun: Feed; columns: Columns }> {
  const first = await feed.records.next();
  const columns = createColumnCollector();
  if (first.done !== true && first.value.kind === "record") columns.add(first.value);
  async function* records(): AsyncGenerator<FeedRecord> {
    if (first.done !== true) yield first.value;
    yield* feed.records;
  }
  return { begun: { ...feed, records: records() }, columns };
}

function asOf(given: string, source: Source, now: number, feed: InputOptions["feed"]): number {
  if (given !== "") {
    const atMs = parseInstant(given);
    const form = "a time with its zone such as 2026-01-31T18:42:00Z, or epoch seconds or milliseconds";
    if (atMs === undefined) throw new ConfigError([{ path: "--as-of", message: `Expected ${form}, got \`${given}\`` }]);
    if (atMs > now + MAX_LEAD_MS) {
      throw new ConfigError([
        { path: "--as-of", message: `Expected a time that is not in the future, got \`${given}\`` },
      ]);
    }
    return atMs;
  }
  const { events, snapshotAge, mapping } = feed?.setting ?? {};
  if (events !== undefined && snapshotAge === undefined && mapping?.versionColumn === undefined) {
    const path = `poolsync.yaml: feeds.${feed?.name}.snapshotAge`;
    throw new ConfigError([{ path, message: `Expected ${AGE_NEEDED}; or say --as-of` }]);
  }
  if (source.modifiedAtMs <= now + MAX_LEAD_MS) return source.modifiedAtMs - (snapshotAge ?? 0);
  throw new ConfigError([
    {
      path: "--as-of",
      message: `\`${source.name}\` was modified in the future (${new Date(source.modifiedAtMs).toISOString()}): set the clock or \`touch\` the file, or say --as-of`,
    },
  ]);
}

/**
 * How the feed's records become changes. Throws a FeedError with everything that is wrong with the columns: of what is
 * read only once, no plan is made that a guard could stop.
 */
export function mappingOf(
  input: FeedInput,
  feed: InputOptions["feed"],
  flags: FeedOptions,
  profile: PoolProfile,
): Mapping {
  const { checked, begun, source } = input;
  let mapping: Mapping;
  try {
    mapping = fittingMapping(input, feed, flags, profile);
  } catch (error) {
    if (error instanceof FeedError) refuseMisreadHeader(checked?.damaged, source);
    throw error;
  }
  const mapped = mappedColumns(mapping);
  refuseAmbiguous(checked?.ambiguous ?? begun?.ambiguous, mapped, source.name);
  refuseMisread(checked?.damaged, mapped, source);
  return mapping;
}

function fittingMapping(
  input: FeedInput,
  feed: InputOptions["feed"],
  flags: FeedOptions,
  profile: PoolProfile,
): Mapping {
  const { usernameColumn, verified, ignoreUnknown } = flags;
  const { name } = input.source;
  const ignore = ignoreUnknown === undefined ? {} : { ignoreUnknown };
  const duplicates = flags.duplicates === "last" ? { duplicates: "last" as const } : {};
  const cells = defined({
    normalize: flags.normalize,
    rubble: flags.rubble === "off" ? flags.rubble : undefined,
    blank: flags.blank?.map(blankWord),
  });
  if (feed === undefined) {
    const mapped = mapHeaders(input.columns, {
      name,
      attributes: Object.keys(profile.attributes),
      ...ignore,
      ...(usernameColumn === undefined ? {} : { usernameColumn }),
      ...(verified === undefined ? {} : { verified }),
    });
    return { ...mapped, ...duplicates, ...cells };
  }
  const configured = feed.setting.mapping;
  const mapping: Mapping = {
    ...configured,
    ...duplicates,
    ...cells,
    ...(usernameColumn === undefined ? {} : { usernameColumn }),
    ...(ignoreUnknown === true ? { unknown: "ignore" } : {}),
    attributes: configured.attributes.map((attribute) =>
      verified !== undefined && isContact(attribute.name) ? { ...attribute, verified } : attribute,
    ),
  };
  const planned = feed.setting.guards.emptyColumn ? "guard" : "leave";
  const missing = input.checked === undefined ? "refuse" : planned;
  return fitColumns(mapping, input.columns, { name, missing, ...ignore });
}

/**
 * What makes two invocations the same run: content, pool, mapping and as-of. Blank where a run cannot be resumed. Named by
 * the namespace's keys: who guesses what is in a small file must not find the guess confirmed in the store.
 */
export function identityOf(
  input: FeedInput,
  pool: string,
  mapping: Mapping,
  keyring: Pick<Keyring, "contentName">,
): string {
  if (input.checked === undefined) return "";
  const content = JSON.stringify([
    input.checked.sha256,
    pool,
    mapping,
    input.asOfSaid,
    ...(input.records ? [input.records] : []),
    ...(input.table ? [input.table] : []),
  ]);
  return keyring.contentName(createHash("sha256").update(content).digest("base64url"));
}

/** What the versions of its rows are. */
export function timesOf(
  { asOfMs, byEvents }: Pick<FeedInput, "asOfMs" | "byEvents">,
  { versionColumn }: Pick<Mapping, "versionColumn">,
): RowTimes {
  const events = byEvents && (true as const);
  return defined({ asOf: new Date(asOfMs).toISOString(), column: versionColumn, events });
}

/** The feed's records as changes. `asOfMs` is the run's: a run that goes on keeps its own. */
export async function* recordsOf(input: FeedInput, mapping: Mapping, asOfMs: number): AsyncGenerator<MappedRecord> {
  const { records } = input.begun ?? (await openFeed(input.source, { records: input.records, table: input.table }));
  // Those of a file that was read through were all held against the mapping.
  const unknown = createUnknownCheck(input.checked === undefined ? mapping : { ...mapping, unknown: "ignore" });
  const isOnlyNull = (column: string): boolean => input.checked?.nullWords.get(column) === 1;
  let row = 0;
  for await (const record of records) {
    row += 1;
    const context = { asOfMs, row: input.besideEvents ? 0 : row, isOnlyNull };
    yield record.kind === "fault" ? record : (unknown(record) ?? mapRecord(mapping, record, context));
  }
}
