import assert from "node:assert/strict";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DEFAULT_GUARDS } from "../../src/core/guards.ts";
import { openPlanFile, writePlanFile } from "../../src/plan/plan-file.ts";
import type { OpenedPlan } from "../../src/plan/plan-lines.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { createTally } from "../../src/plan/figures.ts";
import type { Keyring } from "../../src/store/keyring.ts";
import { testKeyring } from "../support/keyring.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const MADE_AT = 1_800_000_000_000;
const DAY_MS = 24 * 60 * 60_000;
const TARGET = { pool: "eu-west-1_Example", endpoint: "localhost", region: "eu-west-1", arn: "arn" };

/** With one change of one user, who is given this. */
function planOf(text: string): Plan {
  return {
    id: "p-1",
    feed: "f",
    broken: [],
    blind: [],
    examples: [],
    kinds: [],
    notPut: [],
    figures: createTally().figures({
      baseline: "live",
      matched: 1,
      changed: 1,
      pace: { updatesPerSecond: 1, listsPerSecond: 1 },
      federated: { users: 0, overwritten: 0, unchecked: [] },
    }),
    *rows() {
      yield { kind: "fault", line: 2, reason: "no-username", detail: "" };
      const common = {
        kind: "user",
        found: true,
        version: { timeMs: 5, sequence: 6 },
        invalid: [],
        federated: [],
      } as const;
      const unit = { name: "given_name", value: { kind: "text", text } } as const;
      yield { ...common, line: 3, user: "1", username: "ann", units: [{ unit, action: "unchanged", message: false }] };
      const units = [
        { unit, action: "change", message: false, before: "Zoe-of-before", beforeName: "name of Zoe" },
      ] as const;
      yield { ...common, line: 4, user: "2", username: "bobs-own-name", units };
    },
    feedRows: () => assert.fail("not asked for"),
    close: () => undefined,
  };
}

describe("a plan file", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let path: string;
  let scratch: string;
  const keyring = testKeyring();
  const write = (name: string, text = "Zoë-of-the-plan"): Promise<void> => {
    const facts = { path: at(name), asOfMs: 5, guards: DEFAULT_GUARDS, now: MADE_AT };
    return writePlanFile(planOf(text), { target: TARGET, keyring }, facts);
  };
  const at = (name: string) => join(directory.path, name);
  const open = (from = path, ring = keyring, now = MADE_AT + 1) =>
    openPlanFile(from, { keyring: ring, now, directory: scratch });
  const textsOf = async (file: OpenedPlan): Promise<unknown[]> =>
    (await Array.fromAsync(file.records())).map((record) => record.kind === "change" && record.change.units[0]?.value);
  before(async () => {
    directory = await temporaryDirectory();
    scratch = at("data");
    path = at("a.psplan");
    await write("a.psplan");
  });
  after(() => directory.remove());

  test("holds what would change and nothing else, as it was", async () => {
    const file = await open();
    assert.deepEqual(await Array.fromAsync(file.records()), [
      {
        kind: "change",
        line: 4,
        invalid: [],
        change: {
          username: "bobs-own-name",
          version: { timeMs: 5, sequence: 6 },
          units: [{ name: "given_name", value: { kind: "text", text: "Zoë-of-the-plan" } }],
        },
        before: { given_name: "name of Zoe" },
      },
    ]);
    assert.deepEqual([file.header.id, file.header.target, file.header.guarded], ["p-1", TARGET, false]);
    await file.close();
  });

  test("shows no value or username", async () => {
    const text = await readFile(path, "utf8");
    assert.ok(!/Zoë-of|bobs-own|Zoe-of/.test(text));
  });

  for (const [what, swap] of [
    ["has another plan renamed over it", (from: string, to: string) => rename(from, to)],
    ["is overwritten with another plan", async (from: string, to: string) => writeFile(to, await readFile(from))],
    ["is cut off", (_from: string, to: string) => writeFile(to, "")],
    ["is deleted", (_from: string, to: string) => rm(to)],
    ["grows", async (from: string, to: string) => writeFile(to, await readFile(from), { flag: "a" })],
  ] as const) {
    test(`is carried out as it was checked where it ${what} afterwards`, async () => {
      await write("checked.psplan");
      await write("other.psplan", "Eve-of-another");
      const file = await open(at("checked.psplan"));
      await swap(at("other.psplan"), at("checked.psplan"));
      // As often as it is asked for.
      const expected = [{ kind: "text", text: "Zoë-of-the-plan" }];
      assert.deepEqual([await textsOf(file), await textsOf(file)], [expected, expected]);
      await file.close();
    });
  }

  test("is sealed in its copy, too", async () => {
    const sealed: string[] = [];
    const recording: Keyring = {
      ...keyring,
      seal(place, text) {
        sealed.push(String(text));
        return keyring.seal(place, text);
      },
    };
    const file = await open(path, recording);
    await Array.fromAsync(file.records());
    await file.close();
    assert.deepEqual(sealed, [`${(await readFile(path, "utf8")).split("\n")[1]}\n`]);
  });

  test("is copied to a file without a name, and leaves nothing where it is refused", async () => {
    const file = await open();
    assert.deepEqual(await readdir(scratch), []);
    await file.close();
    await assert.rejects(file.records()[Symbol.asyncIterator]().next());
    await assert.rejects(open(import.meta.filename), { kind: "plan-file" });
    assert.deepEqual(await readdir(scratch), []);
    await assert.rejects(openPlanFile(path, { keyring, now: MADE_AT, directory: path }), {
      kind: "plan-file",
      message: /cannot be copied to .*\(EEXIST\): check that directory \(--data-dir\) and its free space/,
    });
  });

  test("is refused wherever it was cut off, and where something follows it", async () => {
    const text = await readFile(path, "utf8");
    const lines = text.split("\n");
    assert.equal(lines.length, 4);
    for (const [nth, altered] of [
      lines.slice(0, 1).join("\n"),
      lines.slice(0, 2).join("\n"),
      text.slice(0, -10),
      [lines[0], lines[2]].join("\n"),
      text + text,
      `${text}\n`,
      `${text}${lines[2]}\n`,
    ].entries()) {
      await writeFile(at("altered"), altered);
      await assert.rejects(open(at("altered")), { kind: "plan-file", message: /was altered or cut off/ }, String(nth));
    }
    for (const none of ["", "\n", text.slice(0, 50), lines[2]]) {
      await writeFile(at("altered"), String(none));
      await assert.rejects(open(at("altered")), { kind: "plan-file" });
    }
  });

  test("is refused where it is signed with the digest key, as plans before format 3 of the store were", async () => {
    const lines = (await readFile(path, "utf8")).split("\n").slice(0, 2);
    for (const format of [1, 2]) {
      const [head = "", row = ""] = lines.map((line) => line.replace('"format":2', `"format":${format}`));
      const signed = keyring.namer("plan file").update(`${head}\n${row}\n`).digest();
      await writeFile(at("signed"), `${head}\n${row}\n${JSON.stringify({ signature: signed })}\n`);
      const message = format === 1 ? /is no plan of this version/ : /was altered/;
      await assert.rejects(open(at("signed")), { kind: "plan-file", message });
    }
  });

  test("is refused where a line that is signed is no user", async () => {
    const signer = keyring.signer("plan file");
    const [head = ""] = (await readFile(path, "utf8")).split("\n");
    const signed = signer.update(`${head}\n`).update("{}\n").digest();
    await writeFile(at("signed"), `${head}\n{}\n${JSON.stringify({ signature: signed })}`);
    const file = await open(at("signed"));
    await assert.rejects(Array.fromAsync(file.records()), { kind: "plan-file" });
    await file.close();
  });

  test("may hold any text", async () => {
    const text = "line\u2028paragraph\u2029end\r\nnext\u0085\u{1f600}";
    await write("any.psplan", text);
    const file = await open(at("any.psplan"));
    assert.deepEqual(await textsOf(file), [{ kind: "text", text }]);
    await file.close();
  });

  test("is refused once it has expired, and by another namespace", async () => {
    await (await open(path, keyring, MADE_AT + DAY_MS - 1)).close();
    await assert.rejects(open(path, keyring, MADE_AT + DAY_MS), {
      kind: "plan-file",
      message: /older than 24 hours/,
    });
    await assert.rejects(open(path, testKeyring()), { message: /another namespace/ });
    await assert.rejects(open(import.meta.filename), { message: /is no plan of this version/ });
  });

  test("is refused where there is none, and where it is a directory", async () => {
    await assert.rejects(open(at("none")), { kind: "plan-file", message: /cannot be read \(ENOENT\): check the path/ });
    await assert.rejects(open(directory.path), { kind: "plan-file", message: /cannot be read \(EISDIR\)/ });
  });
});
