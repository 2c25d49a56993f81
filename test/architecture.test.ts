import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";

// What the pages for contributors say of files is held against the sources: each file is there, and where a way goes
// from one file to the next, the one imports the other.

const root = dirname(import.meta.dirname);
const read = (page: string): string => readFileSync(join(root, page), "utf8");

describe("the pages for contributors", () => {
  for (const page of ["docs/architecture.md", "docs/reliability.md", "CONTRIBUTING.md"]) {
    test(`${page} names no file that is not there`, () => {
      const paths = Array.from(
        read(page).matchAll(/`((?:src|test|bench|bin|workers)\/[\w./-]+\.\w+)`/g),
        ([, path = ""]) => path,
      );
      assert.ok(paths.length > 2, "the page names files");
      assert.deepEqual(
        paths.filter((path) => !existsSync(join(root, path))),
        [],
      );
    });
  }

  test("name every file of the glossary where it is", () => {
    const [, glossary = ""] = /\n## Words\n([\s\S]*?)\n## /.exec(read("docs/architecture.md")) ?? [];
    const paths = Array.from(glossary.matchAll(/`([\w-]+(?:\/[\w-]+)*\.ts)`/g), ([, path = ""]) => path);
    assert.ok(paths.length > 40);
    assert.deepEqual(
      paths.filter((path) => !existsSync(join(root, "src", path)) && !existsSync(join(root, path))),
      [],
    );
  });

  test("follow imports where an arrow goes from a file to the next", () => {
    const [, ways = ""] = /\n### The files of a way\n([\s\S]*?)\n## /.exec(read("docs/architecture.md")) ?? [];
    const arrows = Array.from(
      ways.matchAll(/`(src\/[^`]+)` → (?=`(src\/[^`]+)`)/g),
      ([, from = "", to = ""]) => [from, to] as const,
    );
    assert.ok(arrows.length > 30, `${arrows.length} arrows`);
    const missing = arrows.filter(([from, to]) => {
      const path = relative(dirname(from), to).replaceAll("\\", "/");
      return !read(from).includes(`"${path.startsWith(".") ? path : `./${path}`}"`);
    });
    assert.deepEqual(missing, []);
  });
});
