/** The version of the package that this file belongs to, in a checkout and installed. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const manifest = z.object({ version: z.string() });

export function packageVersion(): string {
  const content: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return manifest.parse(content).version;
}
