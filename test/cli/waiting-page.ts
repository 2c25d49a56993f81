import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { EXIT } from "../../src/exit-codes.ts";
import { runCommand } from "./command-run.ts";
import type { DirectoryStage } from "./directory-stage.ts";

type Stage = Pick<DirectoryStage, "at" | "environment">;

/** An approver has all changes of a run that waits on a page, made from what the store keeps: each `Old` becomes `New…`. */
export async function assertPage({ at, environment }: Stage, run: string, changes: number): Promise<void> {
  const html = at("waiting.html");
  const page = async (...words: readonly string[]): Promise<string> => {
    const made = await runCommand(["runs", "show", run, "--html", html, ...words], { environment });
    assert.equal(made.code, EXIT.done, made.stderr);
    return readFile(html, "utf8");
  };
  const masked = await page();
  assert.equal((await stat(html)).mode & 0o777, 0o600);
  assert.equal(masked.match(/<td><bdi>u\d+<\/bdi><\/td><\/tr>/g)?.length, changes);
  assert.match(masked, /<dt>made by<\/dt><dd><bdi>directory worker, [^<]+@[^<]+<\/bdi>/);
  assert.match(masked, new RegExp(`Until 20[\\d: -]+ UTC, as run ${run}, .*<code>poolsync runs approve ${run}<`));
  assert.doesNotMatch(masked, /New1/);
  assert.match(await page("--show-values"), /<td><bdi>Old<\/bdi><\/td><td><bdi>New1<\/bdi><\/td>/);
}

export async function assertNoPage({ at, environment }: Stage, run: string): Promise<void> {
  const { code, stderr } = await runCommand(["runs", "show", run, "--html", at("late.html")], { environment });
  assert.equal(code, EXIT.failed);
  assert.match(stderr, /is finished, and no plan of it is kept: `poolsync runs show r-\S+` tells what it did/);
}
