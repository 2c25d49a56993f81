/**
 * Whether PGlite's files are still those that were opened: somebody may restore a copy over a running process. They are
 * known by one that PostgreSQL never writes again, and that is kept open, because a file system gives the number of a
 * file that is gone to the next one. Cheap enough for every statement.
 */
import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { join } from "node:path";

export interface DirectoryWatch {
  /** True from when other files were seen in their place, or none. */
  isReplaced(): boolean;
  close(): void;
}

export function watchDirectory(postgres: string): DirectoryWatch {
  const path = join(postgres, "PG_VERSION");
  const descriptor = openSync(path, "r");
  const opened = fstatSync(descriptor);
  let replaced = false;
  return {
    isReplaced() {
      if (replaced) return true;
      const found = statSync(path, { throwIfNoEntry: false });
      replaced = found?.ino !== opened.ino || found.dev !== opened.dev || found.mtimeMs !== opened.mtimeMs;
      return replaced;
    },
    close: () => closeSync(descriptor),
  };
}
