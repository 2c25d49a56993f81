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
}

export async function startIngests(
  count: number,
  { children, lives, directory, env }: IngestDeps,
): Promise<readonly RunningIngest[]> {
  const running: RunningIngest[] = [];
  for (let index = 0; index < count; index += 1) {
    const { port, spec } = await ingestPlace(directory, `ingest-${index}`, env);
    running.push({ port, role: startRole(children, lives, () => spec) });
  }
  return running;
}

interface IngestDeps {
  readonly children: Children;
  readonly lives: Lives;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `env`: of every process, and with the store. */
export async function ingestPlace(
  directory: string,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<IngestPlace> {
  const config = join(directory, "events.yaml");
  await writeFile(config, EVENT_CONFIG);
  const port = await freePort();
  const own = { ...EVENT_SECRETS, POOLSYNC_CONFIG: config, POOLSYNC_INGEST_PORT: String(port) };
  return { port, spec: { name, file: "workers/ingest.ts", args: [], env: { ...env, ...own } } };
}
