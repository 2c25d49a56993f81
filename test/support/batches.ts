import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Starting a process for each file would take longer than the tests. */
const BATCHES = 3;

/**
 * Writes files into `directory` that import the test files, each a share of them, and answers their paths. For unit
 * tests only: what needs a Redis or an engine of its own is run by itself.
 */
export async function writeBatches(directory: string, files: readonly string[]): Promise<string[]> {
  const batches = Array.from({ length: Math.min(BATCHES, files.length) }, (_, index) =>
    files.filter((_file, at) => at % BATCHES === index),
  );
  return await Promise.all(
    batches.map(async (batch, index) => {
      const path = join(directory, `batch-${index}.mjs`);
      await writeFile(path, batch.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`).join(""));
      return path;
    }),
  );
}
