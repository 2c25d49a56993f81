import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";

// One word for one idea: docs/architecture.md has the glossary. A name that is declared in src with a word that was
// given up is refused here, with the word to say instead. Words that also mean something else are left to readers.

interface Word {
  /** Matches a whole name as it is declared. */
  readonly old: RegExp;
  readonly say: string;
  /** Where the name stands for what is stored, or has another meaning: the ends of paths. */
  readonly except?: readonly string[];
}

const WORDS: readonly Word[] = [
  { old: /^carry(Out|s?Out[A-Z]\w*)$|^carryOut\w+$|^carried(Out|Run)\w*$/, say: "runFeed, executeReplay, handleOrder" },
  { old: /^\w*Means$|^means$/, say: "deps, …Deps" },
  { old: /^Befores$|^\w*[kK]eptBefore$/, say: "BeforeImages" },
  {
    old: /^Deeds?$|^deeds?$/,
    say: "Action, action",
    // A field of what `plan --json` prints and of plans that are kept.
    except: ["plan/figures.ts", "plan/plan-lines.ts", "views/plan-page.ts"],
  },
  { old: /^Verdict$/, say: "UnitDiff" },
  { old: /^JudgedRow\w*$/, say: "PlannedRow" },
  { old: /^Manner$|^mannerKey$/, say: "CallOptions" },
  { old: /^\w*Wish(es)?$/, say: "SlotRequest, …Request" },
  { old: /^gather(ing|ed|s)?([A-Z]\w*)?$/, say: "createBatcher, batch" },
  { old: /^(quiet|heldUp)Until$/, say: "cooldownUntil" },
  { old: /^letNothingOlderFollow$/, say: "fenceVersion" },
  { old: /^Patients?$/, say: "AutoReplayCandidate" },
  { old: /^lively$|^isLively$/, say: "interactive" },
  { old: /^mayGoOn$|^goOn$/, say: "isApproved, resume" },
  { old: /^isMeant$/, say: "include" },
  { old: /^toldReads?$|^ToldReads?$|^Told$|^told$/, say: "reported…, report" },
  { old: /^\w*[hH]eardCalls?$|^hearCalls?$|^heard$/, say: "recordCalls, recordedCalls" },
  {
    old: /^Own$|^isOwn$|^Own(Writer|Turn|Answer|Request)$|^inOwnTurn$|^withOwned$/,
    say: "Scope, Token…, isSingleUserJob",
  },
  { old: /^Held$|^heldBy$|^isHeldUp$/, say: "QueuedUnit, onHoldFor, isOnHold" },
  { old: /^Standing$|^parseStanding$/, say: "NamespaceStatus, ProgressSnapshot, LetterRef" },
  { old: /^(in)?(feed|Feed)Turn$|^(in|with)Turn$|^openTurn$/, say: "lease, transition, mutex" },
  { old: /^emptyColumnSilent$|^silentColumns?$/, say: "emptyColumn" },
  { old: /^few$|^nth$|^those$|^some$/, say: "a noun, or index" },
];

/** File names that tell how something came about, and not what is in them. */
const FILES: readonly Word[] = [
  { old: /^carried-/, say: "run-feed" },
  { old: /^waited-/, say: "change-and-wait" },
  { old: /-there$/, say: "engine-guard" },
  { old: /^telling$/, say: "refusal-text" },
  { old: /^told-|^heard-/, say: "reported-…, recorded-…" },
  { old: /^own-(turn|writer)$/, say: "token-change, token-writer" },
  { old: /-means$/, say: "…-deps" },
  { old: /^judged-row$/, say: "planned-row" },
  { old: /^manner$/, say: "call-options" },
  { old: /^gathering$/, say: "batcher" },
  { old: /^befores$|^kept-before$|-befores$/, say: "before-images" },
];

/** Words of the language that the patterns below take for names. */
const KEYWORDS = new Set([
  "constructor",
  "return",
  "if",
  "for",
  "while",
  "switch",
  "catch",
  "function",
  "new",
  "await",
]);

/** Declared names: of functions, types, constants, destructured parts, parameters and members. */
const DECLARED: readonly RegExp[] = [
  /\b(?:function\*?|class|interface|type|const|let|enum)\s+([A-Za-z_$][\w$]*)/g,
  // A member or parameter with a type: `name: T`, `name?: T`, `readonly name: T`, and a method of an interface.
  /(?:^|[(,{;]|\breadonly)\s*(?:readonly\s+)?([A-Za-z_$][\w$]*)\??\s*(?::|\([^()]*\)\s*(?::|\{))/gm,
  // What a pattern takes apart: `{ a, b: c }`, `[a, b]`, `for (const [a] of …)`.
  /\b(?:const|let)\s*[{[]([^=]*?)[}\]]\s*(?:=|of\b)/g,
  // The parameter of an arrow: `(a, b) =>`, `a =>`.
  /\(?([\w$,\s]*)\)?\s*=>/g,
];

function declaredIn(source: string): Set<string> {
  // Texts and comments are prose.
  const text = source
    .replaceAll(/\/\*[\s\S]*?\*\//g, " ")
    .replaceAll(/(^|\s)\/\/.*$/gm, " ")
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""');
  const found = DECLARED.flatMap((pattern) => [...text.matchAll(pattern)].map(([, names = ""]) => names));
  const names = found.flatMap((list) => list.split(/[^\w$]+/));
  return new Set(names.filter((name) => /^[A-Za-z_$]/.test(name) && !KEYWORDS.has(name)));
}

describe("the words of the house", () => {
  const root = dirname(import.meta.dirname);
  const sources = globSync("src/**/*.ts", { cwd: root }).map((path) => ({
    path: path.replaceAll("\\", "/"),
    names: declaredIn(readFileSync(join(root, path), "utf8")),
  }));

  test("are looked for where names are", () => {
    const names = declaredIn(
      'export function one(two: number, { three, four: five }: T): void {\n  const [six] = "not";\n  for (const seven of six) seven.map((eight) => eight);\n}\n// and nine\ninterface Ten {\n  readonly eleven?: string;\n  twelve(): void;\n}\n',
    );
    const wanted = ["one", "two", "six", "seven", "eight", "Ten", "eleven", "twelve"];
    assert.deepEqual(
      wanted.filter((name) => !names.has(name)),
      [],
    );
    for (const word of ["not", "nine"]) assert.ok(!names.has(word), word);
  });

  for (const { old, say, except = [] } of WORDS) {
    test(`are ${say}, and not ${old.source}`, () => {
      const found = sources
        .filter(({ path }) => !except.some((end) => path.endsWith(end)))
        .flatMap(({ path, names }) => [...names].filter((name) => old.test(name)).map((name) => `${path}: ${name}`));
      assert.deepEqual(found, []);
    });
  }

  for (const { old, say } of FILES) {
    test(`name files ${say}, and not ${old.source}`, () => {
      const found = sources.map(({ path }) => path).filter((path) => old.test(basename(path, ".ts")));
      assert.deepEqual(found, []);
    });
  }
});
