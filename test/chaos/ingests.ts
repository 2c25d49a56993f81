/** The processes that take events: where they are, and what they are started with. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Children, ChildSpec } from "./children.ts";
import { EVENT_CONFIG, EVENT_SECRETS } from "./events.ts";
import { freePort } from "./redis-processes.ts";
import { startRole, type Lives, type Role } from "./roles.ts";

export interface IngestPlace {
  readonly port: number;
  readonly spec: ChildSpec;
}

/** Of those that run beside one another. */
export interface RunningIngest {
  readonly port: number;
  readonly role: Role;
  /** What its process was started with: whoever gives commands needs it as well. */
  readonly env: Readonly<Record<string, string>>;
}

export async function startIngests(
  count: number,
  { children, lives, directory, env, moreFeeds }: IngestDeps,
): Promise<readonly RunningIngest[]> {
  const running: RunningIngest[] = [];
  for (let index = 0; index < count; index += 1) {
    const { port, spec } = await ingestPlace(directory, `ingest-${index}`, env, moreFeeds);
    running.push({ port, env: spec.env, role: startRole(children, lives, () => spec) });
  }
  return running;
}

interface IngestDeps {
  readonly children: Children;
  readonly lives: Lives;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** As `feeds` of the configuration has them. */
  readonly moreFeeds?: string;
}

/** `env`: of every process, and with the store. */
export async function ingestPlace(
  directory: string,
  name: string,
  env: Readonly<Record<string, string>>,
  moreFeeds = "",
): Promise<IngestPlace> {
  const config = join(directory, "events.yaml");
  await writeFile(config, EVENT_CONFIG + moreFeeds);
  const port = await freePort();
  const own = { ...EVENT_SECRETS, POOLSYNC_CONFIG: config, POOLSYNC_INGEST_PORT: String(port) };
  return { port, spec: { name, file: "workers/ingest.ts", args: [], env: { ...env, ...own } } };
}
