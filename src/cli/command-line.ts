/** Commands as a user would type them, for messages. */
import { withoutTokens } from "../core/quoted.ts";
import { textOf, type Sentence } from "../core/sentence.ts";
import type { Io } from "./io.ts";

/** Quotes what a shell would take apart. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Flags that must be given again for a command to reach the same engine and the same pool, as gently. */
export interface PassedFlags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly region?: string;
  readonly endpointUrl?: string;
  readonly profile?: string;
  readonly rate?: string;
  readonly reserve?: string;
  readonly listRate?: string;
  readonly listReserve?: string;
  readonly concurrency?: string;
}
type Flag = keyof PassedFlags;

const ENGINE: readonly Flag[] = ["config", "dataDir"];
const PLACE: readonly Flag[] = ["region", "endpointUrl", "profile"];
const PACE: readonly Flag[] = ["rate", "reserve", "listRate", "listReserve", "concurrency"];
const REACHES_A_POOL = /^(sync|plan|apply|drift|undo|explain|dead replay|(admin-)?update-user-attributes)( |$)/;

/** Which of the flags a command knows. */
function known(words: readonly string[]): readonly Flag[] {
  const [name = ""] = words;
  if (words.includes("--help") || name === "emulator" || name === "demo") return [];
  if (name === "event") return ["config"];
  if (name === "worker") return ["config", ...PACE];
  if (name === "ingest") return [...ENGINE, ...PACE];
  if (name === "rekey" && words.includes("--digests")) return [...ENGINE, ...PLACE];
  return REACHES_A_POOL.test(words.join(" ")) ? [...ENGINE, ...PLACE, ...PACE] : ENGINE;
}

function option(flag: Flag): string {
  return `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A worker, and what takes events, have many pools: where they live they are told by their environment. */
function variables({ region, endpointUrl, profile }: PassedFlags): string[] {
  const given = {
    AWS_REGION: region,
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: endpointUrl,
    AWS_PROFILE: profile,
  };
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${shellWord(value)}`]));
}

/** `poolsync dead replay --kind alias-exists`, called as this command was, with its flags where that one knows them. */
export function commandLine({ calledAs }: Io, words: readonly string[], flags: PassedFlags = {}): string {
  const passed = known(words).flatMap((flag) => {
    const value = flags[flag];
    return value === undefined || words.includes(option(flag)) ? [] : [option(flag), value];
  });
  const before = words[0] === "worker" || words[0] === "ingest" ? variables(flags) : [];
  return withoutTokens([...before, calledAs ?? "poolsync", ...[...words, ...passed].map(shellWord)].join(" "));
}

/** A sentence with its next steps as one would type them. */
export function asTyped(io: Io, given: Sentence | string, flags: PassedFlags = {}): string {
  return textOf(given, ({ words }) => `\`${commandLine(io, words, flags)}\``);
}
