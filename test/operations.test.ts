import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { DRAIN_SECONDS } from "../src/app/workers/delivery-worker.ts";
import { EXIT } from "../src/exit-codes.ts";
import { parseStatus } from "../src/app/status.ts";
import { readConfigFile } from "../src/config/config-file.ts";
import { TERMS } from "../src/core/books.ts";
import { LONGEST_BACKOFF_MS } from "../src/core/backoff.ts";
import {
  classify,
  FAILURE_KINDS,
  LETTER_KINDS,
  MAX_ATTEMPTS,
  MAX_DEATHS,
  MAX_FAULTS,
  type FailureKind,
  isLostPerson,
  LOST_PERSON,
} from "../src/core/failure.ts";
import { DIFFERENCES } from "../src/core/difference.ts";
import { IDENTIFIERS } from "../src/core/identifier.ts";
import { COOLDOWN_MS, ABANDONED_CALL_MS } from "../src/core/mailbox.ts";
import { PLAN_FAULTS } from "../src/core/plan-fault.ts";
import { INVALID_REASONS } from "../src/core/pool-schema.ts";
import { VERIFIED } from "../src/core/unit.ts";
import { MAX_LEAD_MS } from "../src/core/version.ts";
import { deadLetterQueue } from "../src/queues/dead-letters.ts";
import { FIRST_PROBE_MS, LONGEST_PROBE_MS } from "../src/store/holds.ts";
import { emulatorWith, POOL, runCommand } from "./cli/command-run.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";
import { exampleAws } from "./support/aws-environment.ts";
import { putMadeDirectory } from "./support/made-directory.ts";
import { logCalls } from "./support/log-calls.ts";
import { marked, only, section as sectionOf, table } from "./support/markdown-page.ts";

// docs/operations.md, held against the tables of the code in both directions: what exists stands there, and what
// stands there exists.

const root = dirname(import.meta.dirname);
const page = readFileSync(join(root, "docs/operations.md"), "utf8");
const sources = globSync(["src/**/*.ts", "workers/*.ts"], { cwd: root }).map((file) => ({
  file,
  text: readFileSync(join(root, file), "utf8"),
}));

const section = (title: string, within = page): string => sectionOf(within, title);

function same(said: Iterable<string>, real: Iterable<string>): void {
  assert.deepEqual([...said].toSorted(), [...real].toSorted());
}

/** The matches of a pattern's first group in all sources. */
function inSources(pattern: RegExp, under = ""): string[] {
  return sources
    .filter(({ file }) => file.startsWith(under))
    .flatMap(({ text }) => Array.from(text.matchAll(pattern), ([, word = ""]) => word));
}

describe("the page on operations, on failures", () => {
  const kinds = table(section("Failure kinds"), "kind");

  test("has every kind of failure as the table has it", () => {
    same(
      kinds.map((row) => only(row["kind"])),
      Object.keys(FAILURE_KINDS),
    );
    for (const row of kinds) {
      const kind = Object.entries(FAILURE_KINDS).find(([name]) => name === only(row["kind"]))?.[1];
      assert.ok(kind);
      assert.equal(row["outcome"], kind.outcome, row["kind"]);
      assert.equal(row["scope"], kind.scope, row["kind"]);
      assert.equal(row["counts"], kind.outcome === "retry" ? "attempt or fault" : "nothing", row["kind"]);
      assert.deepEqual(marked(row["letter"]), "buryAs" in kind ? [kind.buryAs] : [], row["kind"]);
      assert.equal(row["what to do"], kind.advice);
    }
  });

  test("has every error's name under the kind that it is classified as, and none besides", () => {
    const text = readFileSync(join(root, "src/core/failure.ts"), "utf8");
    const [list = ""] = /const NAMES[\s\S]*?\n\];/.exec(text) ?? [];
    const known = Array.from(list.matchAll(/\["[a-z-]+", "([^"]+)"\]/g), ([, names = ""]) => names.split(" ")).flat();
    assert.ok(known.length > 50);
    const said = kinds.flatMap((row) => marked(row["errors"]).map((name) => [name, only(row["kind"])] as const));
    same(
      said.map(([name]) => name),
      known,
    );
    for (const [name, kind] of said) {
      const found: FailureKind = classify({ name, answered: true, fateUnknown: false }).kind;
      assert.equal(found, kind, name);
    }
  });

  test("has every kind of letter with its queue", () => {
    const letters = table(section("Dead letters"), "letter kind");
    same(
      letters.map((row) => only(row["letter kind"])),
      LETTER_KINDS,
    );
    for (const row of letters) assert.equal(only(row["queue"]), deadLetterQueue(only(row["letter kind"])));
  });

  test("has every reason for which a value is invalid", () => {
    same(
      table(section("Invalid reasons"), "reason").map((row) => only(row["reason"])),
      INVALID_REASONS,
    );
  });

  test("has every fault of a row or of a mapped value", () => {
    const real = [
      ...inSources(/\bfault\(\s*(?:record\.)?line,\s*"([a-z-]+)"/g, "src/feeds"),
      ...inSources(/\binvalidUnit\(\s*[\w.]+,\s*"([a-z-]+)"/g, "src/feeds"),
      ...inSources(/\breason: "([a-z-]+)"/g, "src/feeds"),
      ...inSources(/\breason: "([a-z-]+)"/g, "src/delivery"),
      ...Object.keys(PLAN_FAULTS),
      ...inSources(/DateFault = "([a-z-]+)"/g, "src/feeds"),
      ...inSources(/DateFault = "[a-z-]+" \| "([a-z-]+)"/g, "src/feeds"),
    ];
    same(
      table(section("Faults of rows"), "reason").map((row) => only(row["reason"])),
      // Those of letters stand with their kind.
      new Set(real.filter((reason) => !isLostPerson(reason))),
    );
  });

  test("has every kind of difference between masked values, in their order", () => {
    assert.deepEqual(
      table(section("What is said of masked values"), "difference").map((row) => only(row["difference"])),
      DIFFERENCES,
    );
  });

  test("has the reasons for which making the user mends nothing", () => {
    const row = table(section("Dead letters"), "letter kind").find(
      (one) => only(one["letter kind"]) === "user-not-found",
    );
    for (const reason of Object.keys(LOST_PERSON)) assert.ok(row?.["reasons"]?.includes(`\`${reason}\``), reason);
  });

  test("has the limits that hold", () => {
    const said = new Map(table(section("Limits"), "limit").map((row) => [row["limit"], row["value"]]));
    const real = {
      attempts: `${MAX_ATTEMPTS}`,
      faults: `${MAX_FAULTS}`,
      deaths: `${MAX_DEATHS}`,
      "back-off": `1 second, doubling to ${LONGEST_BACKOFF_MS / 60_000} minutes`,
      "quiet interval": `${COOLDOWN_MS / 1000} seconds`,
      suspicion: `${ABANDONED_CALL_MS / 60_000} minutes`,
      "lead of a version": `${MAX_LEAD_MS / 60_000} minutes`,
      "first probe of a hold": `${FIRST_PROBE_MS / 1000} seconds`,
      "longest probe of a hold": `${LONGEST_PROBE_MS / 60_000} minutes`,
      drain: `${DRAIN_SECONDS} seconds`,
    };
    for (const [limit, value] of Object.entries(real)) assert.equal(said.get(limit), value, limit);
  });
});

describe("the page on operations, on configuration", () => {
  const settings = table(section("Settings"), "setting");
  const options = table(section("Options"), "option");

  test("has every variable of the environment that is read, and the AWS SDK's that stand for an option", () => {
    const config = readFileSync(join(root, "src/config/config.ts"), "utf8");
    const read = Array.from(config.matchAll(/(?:env\(|environment\[)"([A-Z_]+)"/g), ([, name = ""]) => name);
    const target = readFileSync(join(root, "src/core/call-target.ts"), "utf8");
    const aws = Array.from(target.matchAll(/"(AWS_[A-Z_]+)"/g), ([, name = ""]) => name).filter(
      (name) => name !== "AWS_ACCESS_KEY_ID",
    );
    same(
      settings.map((row) => only(row["setting"])),
      new Set([...read, ...aws, "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"]),
    );
    const compose = readFileSync(join(root, "docker-compose.yml"), "utf8");
    for (const text of [page, readFileSync(join(root, "README.md"), "utf8"), compose]) {
      for (const [name] of text.matchAll(/\bPOOLSYNC_[A-Z_]*[A-Z]\b/g)) {
        const ofOthers =
          name.startsWith("POOLSYNC_TEST_") || ["POOLSYNC_REDIS_PORT", "POOLSYNC_EMULATOR_PORT"].includes(name);
        assert.ok(read.includes(name) || ofOthers, `${name} is read`);
      }
    }
  });

  test("has every option of every command, and none besides", async () => {
    const real = (await commands()).flatMap(({ name, flags }) => flags.map((flag) => `${name} ${flag}`));
    const said = options.flatMap((row) =>
      marked(row["commands"]).map((command) => `${command} ${only(row["option"])}`),
    );
    same(said, real);
    const flags = settings.flatMap((row) => marked(row["flag"]));
    for (const flag of flags)
      assert.ok(
        options.some((row) => only(row["option"]) === flag),
        flag,
      );
  });

  test("names no command or option in its text, or README's, that does not exist", async () => {
    const known = await commands();
    const flags = new Set(known.flatMap((command) => command.flags));
    const readme = readFileSync(join(root, "README.md"), "utf8");
    for (const text of [page, readme]) {
      for (const [, flag = ""] of text.matchAll(/(?<![\w-])(--[a-z][a-z-]+)/g)) {
        const ofOthers = ["--scan", "--pattern", "--install", "--appendonly"].includes(flag);
        assert.ok(flags.has(flag) || ofOthers, flag);
      }
      for (const [, words = ""] of text.matchAll(
        /(?:`poolsync |poolsync -- )((?:dead |runs |damaged |epoch |event )?[a-z][a-z-]*)/g,
      )) {
        assert.ok(
          known.some(({ name }) => name === words),
          words,
        );
      }
    }
  });

  test("has a whole poolsync.yaml that is read without a problem", async () => {
    const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(section("poolsync.yaml")) ?? [];
    assert.ok(yaml);
    const { file, problems } = await configured(yaml);
    assert.deepEqual(problems, []);
    same(Object.keys(file?.feeds ?? {}), ["hr", "crm"]);
    same(Object.keys(file?.pools ?? {}), ["staff", "partners", "practice"]);
  });

  test("has every key of poolsync.yaml", async () => {
    const attribute = "feeds.<name>.attributes.<attribute>";
    const places = {
      "": "zzzzzzzz: 1",
      "lists.": "lists: { zzzzzzzz: 1 }",
      "pools.<name>.": "pools: { a: { zzzzzzzz: 1 } }",
      "pools.<name>.lists.": "pools: { a: { id: eu-west-1_A, lists: { zzzzzzzz: 1 } } }",
      "feeds.<name>.": "feeds: { a: { username: u, attributes: { given_name: g }, zzzzzzzz: 1 } }",
      [`${attribute}.`]: "feeds: { a: { username: u, attributes: { given_name: { column: g, zzzzzzzz: 1 } } } }",
      "guards.": "guards: { zzzzzzzz: 1 }",
      "feeds.<name>.schedule.":
        "feeds: { a: { username: u, attributes: { given_name: g }, schedule: { zzzzzzzz: 1 } } }",
      "feeds.<name>.fetch.": "feeds: { a: { username: u, attributes: { given_name: g }, fetch: { zzzzzzzz: 1 } } }",
      "feeds.<name>.events.": "feeds: { a: { username: u, attributes: { given_name: g }, events: { zzzzzzzz: 1 } } }",
      "feeds.<name>.table.": "feeds: { a: { username: u, attributes: { given_name: g }, table: { zzzzzzzz: 1 } } }",
      "feeds.<name>.guards.": "feeds: { a: { username: u, attributes: { given_name: g }, guards: { zzzzzzzz: 1 } } }",
    };
    const real: string[] = [];
    for (const [prefix, yaml] of Object.entries(places)) {
      const { problems } = await configured(yaml);
      const [, keys = ""] = problems.map(({ message }) => /\(there are ([^)]+)\)/.exec(message)).find(Boolean) ?? [];
      assert.notEqual(keys, "", yaml);
      real.push(...keys.split(", ").map((key) => prefix + key));
    }
    const inFeeds = ["guards", "schedule", "fetch", "events", "table"].map((key) => `feeds.<name>.${key}`);
    const nested = ["pools", "feeds", "guards", "lists", "pools.<name>.lists", ...inFeeds];
    const flood = ["people", "within", "sameValue"].map((key) => `guards.events.${key}`);
    const maps = [...flood, "feeds.<name>.username.column", "feeds.<name>.username.is", "feeds.<name>.version.column"];
    same(
      table(section("poolsync.yaml"), "key").map((row) => only(row["key"])),
      [...real.filter((key) => !nested.includes(key)), ...maps],
    );
    const forms = new Map(table(section("poolsync.yaml"), "key").map((row) => [only(row["key"]), marked(row["form"])]));
    assert.deepEqual(forms.get("feeds.<name>.username.is"), [...IDENTIFIERS]);
    assert.deepEqual(forms.get(`${attribute}.verified`), [...VERIFIED]);
  });

  test("has every choice for the verified flag", () => {
    same(
      table(section("verified: mark, ask or keep"), "choice").map((row) => only(row["choice"])),
      VERIFIED,
    );
  });
});

describe("the page on operations, on what poolsync says", () => {
  test("has every exit code", () => {
    assert.deepEqual(
      Object.fromEntries(table(section("Exit codes"), "code").map((row) => [row["name"], Number(row["code"])])),
      { ...EXIT },
    );
  });

  test("has every kind of error that a command may end with", () => {
    const real = [
      ...inSources(/new (?:AppError|FeedError|StoreError)\(\s*"([a-z-]+)"/g),
      ...inSources(/^ {2}readonly kind = "([a-z-]+)"/gm),
      ...inSources(/return \{ kind: "([a-z-]+)", category/g),
    ];
    // It never leaves the delivery that it ends.
    const inside = ["claim-lost"];
    same(
      table(section("Errors"), "error").map((row) => only(row["error"])),
      new Set(real.filter((kind) => !inside.includes(kind))),
    );
  });

  test("has every log line with its level and fields", () => {
    const said = new Map(table(section("Log lines"), "message").map((row) => [only(row["message"]), row]));
    const real = sources.flatMap(({ file, text }) => logCalls(file, text));
    assert.ok(real.length > 20);
    same(said.keys(), new Set(real.map(({ message }) => message)));
    for (const { message, level, fields } of real) {
      const row = said.get(message);
      assert.equal(row?.["level"], level, message);
      const named = (row?.["fields"] ?? "").split(/[^A-Za-z]+/);
      for (const field of fields) assert.ok(named.includes(field), `${message} says ${field}`);
    }
  });

  test("has the documents of sync and status as the commands print them", async () => {
    const emulator = await emulatorWith(2);
    const restore = exampleAws({ AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: emulator.url });
    const directory = await temporaryDirectory();
    putMadeDirectory(join(directory.path, "data"));
    try {
      const file = join(directory.path, "users.csv");
      await writeFile(file, "username,given_name\nu0,Ana\nnewcomer,Di\n,Eve\n");
      const tail = ["--data-dir", join(directory.path, "data"), "--json"];
      const report = ["--report", join(directory.path, "report.ndjson")];
      const synced = await runCommand(["sync", file, "--user-pool-id", POOL, ...report, ...tail]);
      assert.equal(synced.code, EXIT.partial, synced.stderr);
      const documents = section("JSON documents");
      const example = (title: string): unknown => {
        const [, json = ""] = /```json\n([\s\S]*?)```/.exec(section(title, documents)) ?? [];
        return JSON.parse(json);
      };
      same(pathsOf(example("sync")), pathsOf(JSON.parse(synced.stdout)));
      const fields = table(section("sync", documents), "field").flatMap((row) => marked(row["field"]));
      same(
        new Set(fields.map((field) => field.split(".")[0] ?? "")),
        new Set(pathsOf(JSON.parse(synced.stdout)).map((path) => path.split(".")[0] ?? "")),
      );
      same(
        fields.filter((field) => field.startsWith("books.")),
        TERMS.map((term) => `books.${term}`),
      );

      const status = await runCommand(["status", "--verify", ...tail]);
      assert.equal(status.code, EXIT.done, status.stderr);
      const shown = pathsOf(example("status"));
      for (const path of pathsOf(JSON.parse(status.stdout))) assert.ok(shown.includes(path), path);
      // Nothing is left out that the command itself would not know.
      assert.deepEqual(parseStatus(example("status")), example("status"));

      const line: unknown = JSON.parse(/```json\n(\{"line".*)\n```/.exec(section("Report file"))?.[1] ?? "");
      same(
        table(section("Report file"), "field").map((row) => only(row["field"])),
        pathsOf(line),
      );
    } finally {
      await emulator.close();
      restore();
      await directory.remove();
    }
  });
});

interface CommandHelp {
  /** `dead list` */
  readonly name: string;
  readonly flags: readonly string[];
}

/** Every command that does something, as `--help` shows them. */
async function commands(path: readonly string[] = []): Promise<CommandHelp[]> {
  const { code, stdout } = await runCommand([...path, "--help"]);
  assert.equal(code, 0);
  const [, list] = /^Commands:\n((?: .*\n)*)/m.exec(stdout) ?? [];
  if (list !== undefined) {
    const names = Array.from(list.matchAll(/^ {2}([a-z]\S*)/gm), ([, name = ""]) => name);
    const found = await Promise.all(names.filter((name) => name !== "help").map((name) => commands([...path, name])));
    return found.flat();
  }
  const [, shown = ""] = /^Options:\n((?: .*\n)*)/m.exec(stdout) ?? [];
  const flags = Array.from(shown.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm), ([, flag = ""]) => flag);
  return [{ name: path.join(" "), flags: flags.filter((flag) => flag !== "--help") }];
}

async function configured(yaml: string): ReturnType<typeof readConfigFile> {
  const directory = await temporaryDirectory();
  try {
    const path = join(directory.path, "poolsync.yaml");
    await writeFile(path, yaml);
    return await readConfigFile(path, { needed: true });
  } finally {
    await directory.remove();
  }
}

/** Every field of a document, lists as their elements. What stands under a letter kind or a queue's state is data. */
function pathsOf(document: unknown, path = ""): string[] {
  const maps = ["deadLetters", "pools.queue"];
  if (Array.isArray(document)) return [...new Set(document.flatMap((each: unknown) => pathsOf(each, path)))];
  if (typeof document !== "object" || document === null || maps.includes(path)) return [path];
  const fields = Object.entries(document).flatMap(([name, each]) =>
    pathsOf(each, path === "" ? name : `${path}.${name}`),
  );
  return [...new Set(fields)];
}
