/** Values that are read from files, as with the AWS CLI: `file://` for text, `fileb://` for bytes. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parameterError } from "./usage-error.ts";

/** Text that a value names as a file; undefined for a value that names none. `option` is told in errors. */
export type ReadParameter = (option: string, value: string) => string | undefined;

/** What a value named, as it was read. */
export interface ParameterFile {
  readonly value: string;
  readonly text: string;
}

const TEXT = "file://";
const BYTES = "fileb://";

/**
 * The text of the file that a value names, or undefined for a value that names none. Nothing is trimmed. Throws a
 * AppError for a file that cannot be read or holds no UTF-8, and for bytes: none of these options takes any.
 */
export function readParameterFile(option: string, value: string): string | undefined {
  if (value.startsWith(BYTES)) {
    throw parameterError(option, `Expected text, got bytes: name the file with ${TEXT} instead of ${BYTES}`);
  }
  if (!value.startsWith(TEXT)) return undefined;
  const given = value.slice(TEXT.length);
  const path = /^~(?=$|\/)/.test(given) ? join(homedir(), given.slice(1)) : given;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw parameterError(option, `Unable to load paramfile ${value}: it cannot be read${code}`, cause);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw parameterError(
      option,
      `Unable to load paramfile (${path}), text contents could not be decoded: save it as UTF-8`,
      cause,
    );
  }
}

/** Reads files, and notes what it has read: once read, a pipe is empty. */
export function notingFiles(files: ParameterFile[]): ReadParameter {
  return (option, value) => {
    const text = readParameterFile(option, value);
    if (text !== undefined) files.push({ value, text });
    return text;
  };
}

/** Reads what was noted elsewhere, each once, as it was read there, and no file. */
export function notedFiles(noted: readonly ParameterFile[]): ReadParameter {
  const files = [...noted];
  return (option, value) => {
    if (!value.startsWith(TEXT) && !value.startsWith(BYTES)) return undefined;
    const [file] = files.splice(0, 1);
    if (file?.value === value) return file.text;
    throw parameterError(option, `Unable to load paramfile ${value}: it was not sent with the command`);
  };
}
