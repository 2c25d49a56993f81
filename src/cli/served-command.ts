/**
 * A command that is run for somebody else, by the process that has the data directory: what is asked for, and what the
 * two say to each other over the socket there. Nothing of the asker's environment is in it, no key and no credential.
 * Whoever may open the socket may open the directory as well: it is its user's alone.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Config } from "../config/config.ts";
import { AppError } from "../app/app-error.ts";
import { packageVersion } from "../version.ts";

const commandRequest = z.object({
  version: z.string(),
  argv: z.array(z.string()),
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

/** What the process that runs it says: first whether it does. */
export const holderMessage = z.union([
  z.object({ accepted: z.literal(true) }),
  z.object({ refused: z.string() }),
  z.object({ out: z.string() }),
  z.object({ err: z.string() }),
  z.object({ exit: z.number() }),
]);
export type HolderMessage = z.infer<typeof holderMessage>;

/** What the asker says while it runs: what is typed, and that it was interrupted. */
export const askerMessage = z.union([z.object({ typed: z.string() }), z.object({ interrupted: z.literal(true) })]);
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
