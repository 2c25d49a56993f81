import { StoreError } from "../store-error.ts";

/**
 * The form of what is kept. It changes when an older release could not read it any more. Digits, as it stands in
 * scripts.
 */
export const FORMAT = "3";

/** The one before, whose documents are the same: it knew neither identity nor epoch. */
export const FORMER = "2";

/** The code with which lua/fence.lua refuses another format; the format that is there follows it. */
export const FOREIGN = "FOREIGNFORMAT";

/** The code with which it refuses another identity or epoch; `gone`, `other` or `epoch` follows it. */
export const REPLACED = "REPLACEDSTORE";

export function foreignFormat(stored: string, cause?: unknown): StoreError {
  const shown = /^[\w.-]{1,20}$/.test(stored) ? stored : "unknown";
  return new StoreError(
    "foreign-format",
    `The namespace in Redis was written by another version of poolsync (format ${shown}, this one reads ${FORMAT}): run that version, or choose another namespace`,
    { cause },
  );
}
