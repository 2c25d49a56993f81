import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Starting a process for each file would take longer than the tests. */
const BATCHES = 3;

/**
 * Writes files into `directory` that import the test files, each a share of them, and answers their paths. Tests of one
 * process run one after the other: not for those that take long.
 */
export async function writeBatches(
  directory: string,
  files: readonly string[],
  count = Math.min(BATCHES, files.length),
): Promise<string[]> {
  const batches = Array.from({ length: count }, (_, index) => files.filter((_file, at) => at % count === index));
  return await Promise.all(
    batches.map(async (batch, index) => {
      const path = join(directory, `batch-${index}.mjs`);
      await writeFile(path, batch.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`).join(""));
      return path;
    }),
  );
}
