/**
 * A command that is run for somebody else, by the process that has the data directory: what is asked for, and what the
 * two say to each other over the socket there. Nothing of the asker's environment is in it, no key and no credential.
 * The socket is its user's alone. Where the keys of the namespace are wrapped, that is not enough to open the data, nor to
 * have a command run: the asker shows that it has the POOLSYNC_KEY, by what it makes of a nonce with it.
 */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Config } from "../config/config.ts";
import { AppError } from "../app/app-error.ts";
import { packageVersion } from "../version.ts";

/** Commands that are about one change, one user, or what a person looks at or stops. */
const SERVED: ReadonlySet<string> = new Set([
  "admin-update-user-attributes",
  "update-user-attributes",
  "explain",
  "dead list",
  "dead show",
  "dead discard",
  "runs list",
  "runs show",
  "runs report",
  "runs approve",
  "runs cancel",
  "pause",
  "resume",
]);
/** What the other process has of its own, or would write to its own place. */
const NOT_PASSED = ["rate", "reserve", "listRate", "listReserve", "concurrency", "html"];

export interface AskedCommand {
  readonly argv: readonly string[];
  /** Its words, such as `dead list`. */
  readonly name: string;
  readonly flags: object;
}

/** True for what is run for others. Looked at by whoever asks, and by the process that runs it. */
export function isServed({ argv, name, flags }: AskedCommand): boolean {
  return SERVED.has(name) && !argv.includes("-") && !NOT_PASSED.some((flag) => flag in flags);
}

const commandRequest = z.object({
  version: z.string(),
  argv: z.array(z.string()),
  /** What its options name as files, as the asker has read them. */
  files: z.array(z.object({ value: z.string(), text: z.string() })),
  calledAs: z.string().optional(),
  /** What `poolsync.yaml` says, as a digest. */
  file: z.string(),
  /** Where it says so. */
  path: z.string().optional(),
  stdin: z.object({ isTTY: z.boolean() }),
  stdout: z.object({ isTTY: z.boolean(), columns: z.number().optional() }),
  stderr: z.object({ isTTY: z.boolean(), columns: z.number().optional() }),
});
export type CommandRequest = z.infer<typeof commandRequest>;

/** What the process that runs it says: first whether it does, or what is to be proved before. */
export const holderMessage = z.union([
  z.object({ nonce: z.string() }),
  z.object({ accepted: z.literal(true) }),
  z.object({ refused: z.string(), kind: z.enum(["in-use", "wrong-key"]).default("in-use") }),
  z.object({ out: z.string() }),
  z.object({ err: z.string() }),
  z.object({ exit: z.number() }),
]);
export type HolderMessage = z.input<typeof holderMessage>;

/** What the asker says: its proofs, and while it runs what is typed, the end of that, and that it was interrupted. */
export const askerMessage = z.union([
  z.object({ proofs: z.array(z.string()) }),
  z.object({ typed: z.string() }),
  z.object({ typedAll: z.literal(true) }),
  z.object({ interrupted: z.literal(true) }),
]);
export type AskerMessage = z.infer<typeof askerMessage>;

/** What a command means is in the file: pools by their names, feeds, guards. */
export function digestOfFile({ poolSettings, feeds, guards, heal, keepBefore, keepRunsMs }: Config): string {
  const said = JSON.stringify({ poolSettings, feeds, guards, heal, keepBefore, keepRunsMs });
  return createHash("sha256").update(said).digest("base64");
}

/** The request that may be carried out with this configuration. Throws an AppError with the next step. */
export function checkedRequest(message: unknown, config: Config): CommandRequest {
  const version = z.object({ version: z.string() }).safeParse(message).data?.version;
  if (version !== packageVersion()) {
    throw new AppError(
      "in-use",
      `The poolsync process that has the data directory is of version ${packageVersion()}, and this one of ${version ?? "another"}: start that one again with this version, then give this command again.`,
    );
  }
  const request = commandRequest.parse(message);
  if (request.file === digestOfFile(config)) return request;
  const own = config.file ?? "no poolsync.yaml";
  const theirs = request.path ?? "no poolsync.yaml";
  throw new AppError(
    "in-use",
    own === theirs
      ? `The poolsync process that has the data directory was started before ${own} became what it is: start it again, then give this command again.`
      : `The poolsync process that has the data directory was started with ${own}, and this command has ${theirs}: give the same configuration with --config.`,
  );
}

/** Shows that somebody has the key and asks for this very thing, and nothing of the key. */
export function keyProof(key: Uint8Array, nonce: string, request: unknown): string {
  const own = Buffer.from(hkdfSync("sha256", key, "", "poolsync command at the holder", 32));
  return createHmac("sha256", own)
    .update(JSON.stringify([nonce, request]))
    .digest("base64");
}

export function isProven(proofs: readonly string[], expected: string): boolean {
  const wanted = Buffer.from(expected);
  return proofs.some((proof) => {
    const given = Buffer.from(proof);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}
