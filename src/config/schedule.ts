/** What `poolsync.yaml` says of feeds that run by themselves: when, and how their file is fetched. */
import { CronExpressionParser } from "cron-parser";
import { z } from "zod";
import { entriesOf, form, map, text } from "./config-form.ts";
import { parseSpan, SPAN_FORM } from "../core/span.ts";
import { LOCATION_FORM, parseLocation } from "../feeds/location.ts";

export type ScheduleSetting = { readonly cron: string; readonly timezone: string } | { readonly everyMs: number };

export interface FetchSetting {
  /** Names of variables of the environment: a credential itself stands in no file. */
  readonly bearer?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly maxMegabytes?: number | undefined;
  /** In ms. */
  readonly timeout?: number | undefined;
  /** Of S3. */
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly endpoint?: string | undefined;
}

const LEAST_EVERY_MS = 60_000;
const LEAST_KEPT_MS = 86_400_000;
const MAX_MEGABYTES = 100_000;
const LONGEST_TIMEOUT_MS = 6 * 3_600_000;

/** A span of time, in ms, that `fits`. */
export function span(expected: string, fits: (ms: number) => boolean) {
  return z.string({ error: form(expected) }).transform((text, context) => {
    const ms = parseSpan(text);
    if (ms !== undefined && fits(ms)) return ms;
    context.addIssue({ code: "custom", message: form(expected)({ input: text }) });
    return z.NEVER;
  });
}

const CRON_FORM =
  "a cron expression of five fields (minute, hour, day of the month, month, day of the week) such as `30 2 * * 1-5`";
const cron = z.string({ error: form(CRON_FORM) }).refine(isCron, { error: form(CRON_FORM) });
const timezone = z
  .string({ error: form("a time zone such as Europe/Berlin") })
  .refine(isTimeZone, { error: form("a time zone such as Europe/Berlin") });

const SCHEDULE_FORM = "`{ cron: 30 2 * * *, timezone: Europe/Berlin }` or `{ every: 6h }`";

/** `cron`, in UTC unless a time zone is said; or `every`. */
export const scheduleForm = map(SCHEDULE_FORM, {
  cron: cron.optional(),
  timezone: timezone.optional(),
  every: span(`${SPAN_FORM}, of a minute at least`, (ms) => ms >= LEAST_EVERY_MS).optional(),
}).transform((given, context): ScheduleSetting => {
  const { cron: expression, timezone: zone, every } = given;
  if (expression !== undefined && every === undefined) return { cron: expression, timezone: zone ?? "UTC" };
  if (every !== undefined && expression === undefined && zone === undefined) return { everyMs: every };
  context.addIssue({ code: "custom", message: `Expected ${SCHEDULE_FORM}: one of \`cron\` and \`every\`` });
  return z.NEVER;
});

function isCron(expression: string): boolean {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== 5) return false;
  try {
    // A day that never comes, such as 31 February, is found only by looking for the next one.
    CronExpressionParser.parse(expression, { tz: "UTC" }).next();
    return true;
  } catch {
    return false;
  }
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

// A token that was put here by mistake must not be repeated in a message.
/** A variable of the environment: in no message is what was given. */
export const variableForm = z
  .string({ error: "Expected the name of a variable of the environment, such as HR_TOKEN" })
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, {
    error: "Expected the name of a variable of the environment, such as HR_TOKEN, and not the credential itself",
  });
const megabytes = `a whole number of megabytes from 1 to ${MAX_MEGABYTES}`;

export const fetchForm = map("a map with `bearer`, or `user` and `password`, or limits", {
  bearer: variableForm.optional(),
  user: variableForm.optional(),
  password: variableForm.optional(),
  maxMegabytes: z
    .int({ error: form(megabytes) })
    .min(1, { error: form(megabytes) })
    .max(MAX_MEGABYTES, { error: form(megabytes) })
    .optional(),
  timeout: span(`${SPAN_FORM}, of six hours at most`, (ms) => ms <= LONGEST_TIMEOUT_MS).optional(),
  region: text("a Region such as eu-west-1").optional(),
  profile: text("the name of an AWS profile").optional(),
  endpoint: z.url({ error: form("a URL such as http://127.0.0.1:9000") }).optional(),
}).superRefine(({ bearer, user, password }, context) => {
  if ((user === undefined) === (password === undefined) && (bearer === undefined || user === undefined)) return;
  context.addIssue({ code: "custom", message: "Expected `bearer`, or both `user` and `password`, or none of them" });
});

export const keepRunsForm = span(`${SPAN_FORM}, of a day at least`, (ms) => ms >= LEAST_KEPT_MS);

/** What is wrong with feeds beside the form of each key: looked for in what the file says. */
export function scheduleFaults(content: unknown): { readonly path: readonly string[]; readonly message: string }[] {
  return Object.entries(entriesOf(entriesOf(content)["feeds"])).flatMap(([name, entry]) => {
    const { file, pool, schedule } = entriesOf(entry);
    const path = ["feeds", name];
    const faults: { path: string[]; message: string }[] = [];
    if (typeof file === "string" && parseLocation(file) === undefined) {
      faults.push({ path: [...path, "file"], message: `Expected ${LOCATION_FORM}` });
    }
    if (schedule === undefined) return faults;
    for (const [key, value] of [
      ["file", file],
      ["pool", pool],
    ] as const) {
      if (value === undefined || value === "-") {
        faults.push({
          path: [...path, key],
          message: `Expected the feed's ${key}: it has a \`schedule\`, and nobody is there to say it`,
        });
      }
    }
    return faults;
  });
}
