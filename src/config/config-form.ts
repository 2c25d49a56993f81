/** The forms that keys of `poolsync.yaml` have, with messages that say what was expected and what was got. */
import { z } from "zod";
import { quoted } from "../core/quoted.ts";
import { closest } from "../feeds/closest.ts";

/** How many unknown keys of one map a message lists. */
const LISTED = 10;

interface Issue {
  readonly code?: string;
  readonly input?: unknown;
  readonly keys?: readonly string[];
}

/** The message of what does not have the wanted form. */
export function form(expected: string) {
  return ({ input }: Issue): string => `Expected ${expected}, got ${shown(input)}`;
}

function shown(input: unknown): string {
  if (input === undefined) return "nothing";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "string") return quoted(input);
  return typeof input === "object" && input !== null ? "a map" : `\`${JSON.stringify(input)}\``;
}

/** A map with these keys and no other. */
export function map<T extends z.ZodRawShape>(expected: string, shape: T) {
  return z.strictObject(shape, {
    error: (issue: Issue) => {
      if (issue.code !== "unrecognized_keys") return form(expected)(issue);
      const { keys = [] } = issue;
      const messages = keys.slice(0, LISTED).map((key) => {
        const [nearest] = closest(key, Object.keys(shape), 1);
        const hint = nearest === undefined ? `there are ${Object.keys(shape).join(", ")}` : `did you mean ${nearest}?`;
        return `Unknown key ${shown(key)} (${hint})`;
      });
      return messages.join("; ") + (keys.length > LISTED ? `; and ${keys.length - LISTED} more` : "");
    },
  });
}

/** A text that is not blank. */
export const text = (expected: string) => z.string({ error: form(expected) }).min(1, { error: form(expected) });

export const fromOne = z.int({ error: form("a whole number from 1") }).min(1, { error: form("a whole number from 1") });

/** YAML reads 1, true or a date where the user means text. */
export const scalar = (expected: string) =>
  z.union([z.string(), z.number(), z.boolean()], { error: form(expected) }).transform(String);

export type Entries = Readonly<Record<string, unknown>>;

/** The entries of a map as it was read; none of what is no map. */
export function entriesOf(value: unknown): Entries {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
