import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { readConfigFile } from "../src/config/config-file.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

/** The cell rules of the feed's file and of its events, or what is wrong with them. */
async function rulesOf(t: TestContext, lines: string): Promise<unknown> {
  const directory = await temporaryDirectory();
  t.after(() => directory.remove());
  const path = join(directory.path, "poolsync.yaml");
  await writeFile(
    path,
    `feeds:\n  hr:\n    pool: eu-west-1_Example\n    username: id\n    attributes: { name: Name }\n    events: { scheme: none, version: at }\n${lines}`,
  );
  const { file, problems } = await readConfigFile(path, { needed: true });
  if (problems.length > 0) return problems.map(({ path: at, message }) => `${at}: ${message}`);
  return [file?.feeds["hr"]?.mapping, file?.feeds["hr"]?.events?.mapping].map((mapping) => [
    mapping?.normalize,
    mapping?.rubble,
    mapping?.blank,
  ]);
}

describe("the rules for cells", () => {
  test("are those of the feed's file and of its events, and nothing unless they are said", async (t) => {
    const none = [undefined, undefined, undefined];
    assert.deepEqual(await rulesOf(t, ""), [none, none]);
    assert.deepEqual(await rulesOf(t, "    rubble: refuse\n"), [none, none]);
    const said = ["nfc", "off", ["NULL", "null", "N/A", "-", "0", "Zoë"]];
    const lines = '    normalize: nfc\n    rubble: off\n    blank: [NULL, N/A, "-", 0, "Zoe\\u0308 "]\n';
    assert.deepEqual(await rulesOf(t, lines), [said, said]);
  });

  test("are told what they may be", async (t) => {
    assert.deepEqual(await rulesOf(t, '    normalize: nfd\n    rubble: on\n    blank: [""]\n'), [
      "poolsync.yaml: feeds.hr.normalize: Expected `nfc`, got `nfd`",
      "poolsync.yaml: feeds.hr.rubble: Expected `refuse` or `off`, got `on`",
      "poolsync.yaml: feeds.hr.blank.0: Expected a word such as NULL, got ``",
    ]);
    assert.deepEqual(await rulesOf(t, "    blank: NULL\n"), [
      "poolsync.yaml: feeds.hr.blank: Expected a list of words such as NULL, got `null`",
    ]);
  });
});
