/** Commands as a user would type them, for messages. */
import { withoutTokens } from "../core/quoted.ts";
import { textOf, type Sentence } from "../core/sentence.ts";
import type { Io } from "./io.ts";

/** Quotes what a shell would take apart. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Flags that must be given again for a command to reach the same engine and the same pool. */
export interface PassedFlags {
  readonly config?: string;
  readonly dataDir?: string;
  readonly region?: string;
  readonly endpointUrl?: string;
  readonly profile?: string;
}

const ENGINE: readonly (keyof PassedFlags)[] = ["config", "dataDir"];
const COGNITO: readonly (keyof PassedFlags)[] = [...ENGINE, "region", "endpointUrl", "profile"];

/** Which of the flags a command knows. */
function known([name, action, ...rest]: readonly string[]): readonly (keyof PassedFlags)[] {
  if ([name, action, ...rest].includes("--help") || name === "emulator" || name === "demo") return [];
  if (name === "worker") return ["config"];
  return ["sync", "plan", "apply"].includes(name ?? "") || (name === "dead" && action === "replay") ? COGNITO : ENGINE;
}

function option(flag: keyof PassedFlags): string {
  return `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `poolsync dead replay --kind alias-exists`, called as this command was, with its flags where that one knows them. */
export function commandLine({ calledAs }: Io, words: readonly string[], flags: PassedFlags = {}): string {
  const waited = known(words).flatMap((flag) => {
    const value = flags[flag];
    return value === undefined ? [] : [option(flag), value];
  });
  return withoutTokens([calledAs ?? "poolsync", ...[...words, ...waited].map(shellWord)].join(" "));
}

/** A sentence with its next steps as one would type them. */
export function asTyped(io: Io, given: Sentence | string, flags: PassedFlags = {}): string {
  return textOf(given, ({ words }) => `\`${commandLine(io, words, flags)}\``);
}
