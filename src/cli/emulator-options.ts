/** Parsers of the emulator's options, for commander, and of its seed file. */
import { readFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { AppError } from "../app/app-error.ts";
import { parseSpan } from "../core/span.ts";
import { POOL_DEFINITION, USER_SEED } from "../emulator/pool-definition.ts";
import { CATEGORIES, type Category, type Quotas } from "../emulator/quota.ts";

const seedFile = z.strictObject({
  pool: POOL_DEFINITION.optional(),
  users: z.array(USER_SEED),
});

/** Throws an AppError `seed`. */
export async function readSeed(path: string): Promise<z.infer<typeof seedFile>> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new AppError("seed", `Expected a JSON file that can be read at \`${path}\`.`, {
      cause,
      category: "usage",
    });
  }
  const parsed = seedFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue?.path.map(String).join(".") ?? "";
  throw new AppError("seed", `\`${path}\` is no seed file${at === "" ? "" : `, at ${at}`}: ${issue?.message ?? ""}`, {
    category: "usage",
  });
}

export function quota(value: string, before: Quotas | undefined): Quotas {
  if (value === "unmetered") return "unmetered";
  const [, name, number] = /^(\w+)=(\d+(?:\.\d+)?)$/.exec(value) ?? [];
  const category: Category | undefined = CATEGORIES.find((item) => item === name);
  if (category === undefined || Number(number) <= 0) {
    throw new InvalidArgumentError(
      `Expected \`unmetered\`, or a category and a number above 0, such as ${CATEGORIES[0] ?? ""}=100.`,
    );
  }
  return { ...(typeof before === "object" ? before : {}), [category]: Number(number) };
}

export function seconds(value: string): number {
  const number = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : 0;
  if (number <= 0) throw new InvalidArgumentError("Expected seconds above 0, such as 0.2.");
  return number;
}

export function latency(value: string): number | readonly [number, number] {
  const [, least, most] = /^(\d+)(?:-(\d+))?$/.exec(value) ?? [];
  if (least === undefined || (most !== undefined && Number(most) < Number(least))) {
    throw new InvalidArgumentError("Expected milliseconds, such as 20 or 10-40.");
  }
  return most === undefined ? Number(least) : [Number(least), Number(most)];
}

export function lag(value: string): number {
  const [, ms] = /^(\d{1,9})ms$/.exec(value) ?? [];
  const lagMs = ms === undefined ? parseSpan(value) : Number(ms);
  if (lagMs === undefined) throw new InvalidArgumentError("Expected a span of time such as 500ms, 2s or 5m.");
  return lagMs;
}
