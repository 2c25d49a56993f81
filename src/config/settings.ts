/** The forms that flags and variables have, with messages that say what was expected and what was got. */
import { z } from "zod";
import { parseReserve, RESERVE_FORM } from "../core/effective-ceiling.ts";
import { quoted } from "../core/quoted.ts";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

function numeric(form: string, fits: (value: number) => boolean) {
  return z
    .string()
    .refine((text) => fits(Number(text)), { error: expected(form) })
    .transform(Number);
}

function integer(what: string, most: number) {
  const fits = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= most;
  return numeric(`${what} from 1 to ${most}`, fits);
}

export const settings = {
  redisUrl: z.string().regex(/^rediss?(\+sentinel|\+cluster)?:\/\/\S+$/, {
    // The URL may hold a password, so it is not quoted.
    error: "Expected a URL such as redis://127.0.0.1:6379 or rediss://user:password@host:6379",
  }),
  namespace: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, {
    error: expected("1 to 63 letters, digits, - and _, beginning with a letter or digit"),
  }),
  dataDir: z.string(),
  key: z
    .string()
    .refine((text) => /^[A-Za-z0-9+/]{43}=$/.test(text), {
      error: "Expected 32 bytes in base64, as `openssl rand -base64 32` prints them",
    })
    .transform((text) => Buffer.from(text, "base64")),
  rate: numeric("a number above 0", (value) => value > 0 && value < Infinity),
  reserve: z.string().transform((text, context) => {
    const reserve = parseReserve(text);
    if (reserve) return reserve;
    context.addIssue({ code: "custom", message: expected(RESERVE_FORM)({ input: text }) });
    return z.NEVER;
  }),
  concurrency: integer("a whole number", 1000),
  seconds: numeric("a number of seconds above 0, 300 at most", (value) => value > 0 && value <= 300),
  logLevel: z.enum(LOG_LEVELS, { error: expected(`one of ${LOG_LEVELS.join(", ")}`) }),
  healthHost: z.string().regex(/^[A-Za-z0-9.:-]+$/, { error: expected("a host name or an address") }),
  healthPort: integer("a port", 65_535),
  /** 0 takes any that is free. */
  ingestPort: numeric("a port from 0 to 65535", (value) => Number.isInteger(value) && value >= 0 && value <= 65_535),
  jobs: z.enum(["on", "off"], { error: expected("`on` or `off`") }),
  inboxEntries: integer("a whole number", 100_000_000),
  parkedDays: integer("a whole number of days", 3_650),
  inboxMegabytes: integer("a whole number of megabytes", 1_000_000),
  pools: z.string().transform((text) =>
    text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  ),
};

function expected(form: string) {
  return (issue: { readonly input?: unknown }) =>
    typeof issue.input === "string" ? `Expected ${form}, got ${quoted(issue.input)}` : `Expected ${form}`;
}
