/**
 * `poolsync.yaml`: named pools, and feeds with their mapping. Every problem is told with its path in the file, and an
 * unknown key with the known one that is closest.
 */
import { defined } from "../core/defined.ts";
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { z } from "zod";
import { DEFAULT_GUARDS, type GuardSettings } from "../core/guards.ts";
import { parseReserve, RESERVE_FORM } from "../core/effective-ceiling.ts";
import type { PaceSetting } from "./ceilings.ts";
import type { Problem } from "./config-error.ts";
import {
  eventsFaults,
  eventsForm,
  eventsOf,
  expressionFaults,
  snapshotAgeForm,
  type EventsSetting,
  type QueueSetting,
} from "./events.ts";
import { form, fromOne, map, scalar, text } from "./config-form.ts";
import { floodForm, floodOf } from "./flood.ts";
import {
  attributeFaults,
  attributesForm,
  attributesOf,
  cellForms,
  cellRulesOf,
  matchForm,
  usernameForm,
  usernameOf,
  versionForm,
} from "./mapping-form.ts";
import {
  fetchForm,
  keepRunsForm,
  scheduleFaults,
  scheduleForm,
  type FetchSetting,
  type ScheduleSetting,
} from "./schedule.ts";
import { type NotOwned, ownerForm, shareOut } from "./owners.ts";
import { sharedQueueFaults } from "./sqs.ts";
import { tableForm } from "./table-form.ts";
import type { Mapping } from "../feeds/mapping.ts";
import { recordsFault } from "../feeds/records-expression.ts";
import type { TableSetting } from "../feeds/table.ts";

export interface PoolSetting extends PaceSetting {
  readonly id: string;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly endpoint?: string | undefined;
  /** By attribute: the feed that owns it, or `newest`. */
  readonly owner?: Readonly<Record<string, string>> | undefined;
}

export interface FeedSetting {
  /** Absent where the file is given on the command line. */
  readonly file?: string | undefined;
  /** A name of `pools`, or an id; absent where the command line says it. */
  readonly pool?: string | undefined;
  /** ISO 8601 with a zone, or epoch seconds or milliseconds. */
  readonly asOf?: string | undefined;
  /** Where the records are in a document of JSON: see records-expression.ts. */
  readonly records?: string | undefined;
  /** Where the table of a CSV begins and ends. */
  readonly table?: TableSetting | undefined;
  /** When the directory worker runs it; absent where it does not. */
  readonly schedule?: ScheduleSetting | undefined;
  /** How a file is fetched that lies elsewhere. */
  readonly fetch?: FetchSetting | undefined;
  /** How much older than its file an export may be, in ms: the as-of is that much before the file's time. */
  readonly snapshotAge?: number | undefined;
  /** How its events come; absent where it has none. */
  readonly events?: EventsSetting | QueueSetting | undefined;
  readonly mapping: Mapping;
  /** Those of the feed over those of the file over the defaults. */
  readonly guards: GuardSettings;
  /** Attributes that this feed maps and another feed owns: they are no longer in the mapping. */
  readonly notOwned: readonly NotOwned[];
  /** Dead letters of its runs are replayed where a scan shows that their cause is gone. */
  readonly heal: boolean;
  /** What was there before a run is kept, so that the run can be undone. */
  readonly keepBefore: boolean;
}

export interface ConfigFile extends PaceSetting {
  readonly concurrency?: number | undefined;
  readonly keepRuns?: number | undefined;
  readonly pools: Readonly<Record<string, PoolSetting>>;
  readonly feeds: Readonly<Record<string, FeedSetting>>;
  /** For files that are no feed of the configuration. */
  readonly guards: GuardSettings;
  readonly heal: boolean;
  readonly keepBefore: boolean;
}

/** A file of more bytes than this is no configuration. */
const MAX_BYTES = 1024 * 1024;

const reserve = z.union([z.string(), z.number()], { error: form(RESERVE_FORM) }).transform((given, context) => {
  const read = parseReserve(String(given));
  if (read) return read;
  context.addIssue({ code: "custom", message: form(RESERVE_FORM)({ input: given }) });
  return z.NEVER;
});
const rate = z.number({ error: form("a number above 0") }).gt(0, { error: form("a number above 0") });

const lists = map("a map with `rate` and `reserve`", { rate: rate.optional(), reserve: reserve.optional() });

const pool = map("a pool with its `id`", {
  id: text("the id of a user pool such as eu-west-1_Example").regex(/^[A-Za-z0-9-]+_[A-Za-z0-9]+$/, {
    error: form("the id of a user pool such as eu-west-1_Example"),
  }),
  region: text("a Region such as eu-west-1").optional(),
  profile: text("the name of an AWS profile").optional(),
  endpoint: z.url({ error: form("a URL such as http://127.0.0.1:9229") }).optional(),
  rate: rate.optional(),
  reserve: reserve.optional(),
  lists: lists.optional(),
  owner: ownerForm.optional(),
});

const SHARE_FORM = "a share such as 20%, or `off`";
/** Undefined for `off`. */
const share = z
  .union(
    [
      z.literal("off"),
      z
        .string()
        .regex(/^\d{1,3}(\.\d+)?%$/)
        .transform((given) => Number(given.slice(0, -1)) / 100)
        .refine((value) => value <= 1),
    ],
    { error: form(SHARE_FORM) },
  )
  .transform((given) => (given === "off" ? undefined : given));
const names = (expected: string) => z.array(scalar(expected), { error: form(`a list, each ${expected}`) });
const guards = map("a map of guards", {
  changed: z.exactOptional(share),
  cleared: z.exactOptional(share),
  sameValue: z.exactOptional(share),
  shape: z.exactOptional(share),
  unmatched: z.exactOptional(share),
  rows: z.exactOptional(share),
  emptyColumn: z.exactOptional(z.boolean({ error: form("true or false") })),
  from: z.exactOptional(fromOne),
  least: z.exactOptional(fromOne),
  events: floodForm,
  protectUsers: z.exactOptional(names("a username")),
  protectAttributes: z.exactOptional(names("an attribute's name")),
});

const yesOrNo = z.boolean({ error: form("true or false") });
const feed = map("a feed with its `username` and `attributes`", {
  file: text("a path").optional(),
  pool: text("the name of a pool, or its id").optional(),
  records: text("a JMESPath expression such as employees[*]")
    .superRefine((value, context) => {
      const fault = recordsFault(value);
      if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
    })
    .optional(),
  table: tableForm.optional(),
  username: usernameForm,
  attributes: attributesForm,
  version: versionForm.optional(),
  asOf: scalar("a time with its zone such as 2026-01-31T18:42:00Z").optional(),
  ignore: z.array(text("a column's name"), { error: form("a list of columns") }).optional(),
  ignoreUnknown: yesOrNo.optional(),
  match: matchForm.optional(),
  duplicates: z.enum(["last", "refuse"], { error: form("`last` or `refuse`") }).optional(),
  guards: guards.optional(),
  heal: yesOrNo.optional(),
  keepBefore: yesOrNo.optional(),
  schedule: scheduleForm.optional(),
  fetch: fetchForm.optional(),
  snapshotAge: snapshotAgeForm.optional(),
  ...cellForms,
  events: eventsForm.optional(),
});

const file = map("a map", {
  rate: rate.optional(),
  reserve: reserve.optional(),
  lists: lists.optional(),
  concurrency: z
    .int({ error: form("a whole number from 1 to 1000") })
    .min(1, { error: form("a whole number from 1 to 1000") })
    .max(1000, { error: form("a whole number from 1 to 1000") })
    .optional(),
  keepRuns: keepRunsForm.optional(),
  pools: z.record(z.string(), pool, { error: form("a map from names to pools") }).optional(),
  feeds: z.record(z.string(), feed, { error: form("a map from names to feeds") }).optional(),
  guards: guards.optional(),
  heal: yesOrNo.optional(),
  keepBefore: yesOrNo.optional(),
});

export interface ReadFile {
  /** Absent where there is no file, or where it has problems. */
  readonly file?: ConfigFile;
  readonly problems: readonly Problem[];
}

/** Reads the file; one that is not `needed` may be missing. */
export async function readConfigFile(path: string, { needed }: { readonly needed: boolean }): Promise<ReadFile> {
  const name = basename(path);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENOENT" && !needed) return { problems: [] };
    const why = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "it is a directory" : code;
    return { problems: [{ path: "--config", message: `Expected a file that can be read at \`${path}\`: ${why}` }] };
  }
  const read = await contentOf(bytes);
  if ("wrong" in read) return { problems: [{ path: name + read.at, message: read.wrong }] };
  const { content } = read;
  const parsed = file.safeParse(content);
  const problems: Problem[] = [];
  const at = (...path: readonly PropertyKey[]): string =>
    `${name}: ${path.map((part) => String(part).slice(0, 80)).join(".")}`;
  for (const issue of parsed.error?.issues ?? []) {
    problems.push({ path: issue.path.length === 0 ? name : at(...issue.path), message: issue.message });
  }
  // A key that is misspelled explains what is missing.
  const reportedPaths = new Set(problems.map((problem) => problem.path));
  const beyondForms = [
    ...attributeFaults(content),
    ...scheduleFaults(content),
    ...eventsFaults(content),
    ...sharedQueueFaults(content),
    ...(await expressionFaults(content)),
  ];
  for (const { path: place, message } of beyondForms) {
    if (!reportedPaths.has(at(...place))) problems.push({ path: at(...place), message });
  }
  if (!parsed.success || problems.length > 0) return { problems };
  const { pools = {}, feeds = {}, guards: given = {}, heal = false, keepBefore = false, ...rest } = parsed.data;
  const guardsOver = (others: GuardSettings, said: NonNullable<typeof parsed.data.guards> = {}): GuardSettings => ({
    ...others,
    ...said,
    events: floodOf(said.events, others.events),
  });
  const common = guardsOver(DEFAULT_GUARDS, given);
  const settings: Record<string, FeedSetting> = {};
  for (const [feedName, setting] of Object.entries(feeds)) {
    const { username, attributes, version, ignore, ignoreUnknown, match, duplicates, events, ...others } = setting;
    const mapping: Mapping = defined({
      match,
      duplicates: duplicates === "last" ? duplicates : undefined,
      ...usernameOf(username),
      attributes: attributesOf(attributes),
      ignored: ignore ?? [],
      unknown: ignoreUnknown === true ? ("ignore" as const) : ("refuse" as const),
      versionColumn: version,
      ...cellRulesOf(setting),
    });
    settings[feedName] = {
      ...others,
      guards: guardsOver(common, others.guards),
      heal: others.heal ?? heal,
      keepBefore: others.keepBefore ?? keepBefore,
      notOwned: [],
      mapping,
      events: events && eventsOf(events, mapping, { hasFile: others.file !== undefined }),
    };
  }
  const shared = shareOut(pools, settings);
  if (shared.problems.length > 0) {
    return { problems: shared.problems.map(({ path: place, message }) => ({ path: at(...place), message })) };
  }
  return { problems, file: { ...rest, pools, feeds: shared.feeds, guards: common, heal, keepBefore } };
}

/** What the YAML says, or what is wrong with it as YAML and where. */
async function contentOf(
  bytes: Buffer,
): Promise<{ readonly content: unknown } | { readonly wrong: string; readonly at: string }> {
  const wrong = (message: string, at = "") => ({ wrong: message, at });
  if (bytes.length > MAX_BYTES) return wrong(`Expected at most ${MAX_BYTES} bytes, got ${bytes.length}`);
  if (!isUtf8(bytes)) return wrong("Expected UTF-8, got bytes that are no text in it: save the file as UTF-8");
  const source = bytes.toString("utf8");
  // Most commands have no such file, and start sooner without what reads it.
  const { isMap, isScalar, parseDocument, visit } = await import("yaml");
  try {
    const document = parseDocument(source, { prettyErrors: false, logLevel: "error" });
    const [fault] = document.errors;
    const lineAt = (offset: number) => `: line ${source.slice(0, offset).split("\n").length}`;
    if (fault) return wrong(`Expected YAML, got an error: ${fault.message.slice(0, 500)}`, lineAt(fault.pos[0]));
    let references = 0;
    let unusable: number | undefined;
    visit(document, {
      Alias: () => void references++,
      Pair(_, { key }) {
        // A key of this name would be lost silently.
        if (isScalar(key) && key.value === "__proto__") unusable ??= key.range?.[0] ?? 0;
      },
    });
    if (unusable !== undefined) return wrong("Expected another name than `__proto__`", lineAt(unusable));
    if (references > 0 || (document.contents !== null && !isMap(document.contents))) {
      return wrong("Expected a map without aliases at the top");
    }
    return { content: document.toJS() ?? {} };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return wrong("Expected maps and lists that are not thousands of levels deep");
  }
}
