/**
 * Runs command lines, one after the other, in a process of its own whose output is caught: what is printed and what is
 * logged come together there. Its argument is a JSON array of command lines.
 */
import { z } from "zod";
import { run } from "../../src/cli/program.ts";

const never = new AbortController().signal;
for (const words of z.array(z.array(z.string())).parse(JSON.parse(process.argv[2] ?? "[]"))) {
  const code = await run(words, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    interrupts: { drain: never, abort: never },
    environment: process.env,
  });
  process.stderr.write(`exit code ${code}\n`);
}
