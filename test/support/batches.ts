import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Starting a process for each file would take longer than the tests. */
const BATCHES = 3;

/** Shares of files. Tests of one process run one after the other: not for those that take long. */
export function batchesOf(files: readonly string[], count = Math.min(BATCHES, files.length)): string[][] {
  return Array.from({ length: count }, (_, index) => files.filter((_file, at) => at % count === index));
}

/**
 * Writes files into `directory` that import the test files, a batch each, and answers their paths. Node runs what it is
 * given in the order of the names, so these are numbered.
 */
export async function writeBatches(directory: string, batches: readonly (readonly string[])[]): Promise<string[]> {
  return await Promise.all(
    batches.map(async (batch, index) => {
      const path = join(directory, `batch-${String(index).padStart(3, "0")}.mjs`);
      await writeFile(path, batch.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`).join(""));
      return path;
    }),
  );
}
