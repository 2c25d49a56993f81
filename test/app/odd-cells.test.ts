/** What a file holds that people do not see, or that a spreadsheet left behind, on its way to the pool. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setApp } from "../support/app-stage.ts";
import { addUsers } from "../support/pool-stage.ts";

test("cells are written as people see them, and what is none is reported by its row", async (t) => {
  const app = await setApp(t, { config: "rate: 500\n" });
  addUsers(app.pool, 7);
  const path = await app.file(
    [
      "\uFEFFUser\u00A0Name,family_name\u200B,nickname",
      "\u200Bu0,Lee\u202C,",
      "u1,Le\u202Ee,N1",
      'u2,="007",N2',
      "u3,#REF!,N3",
      "u4,Null,NULL",
      "u5,NULLA,-",
      "00u6,Lee,N6",
      "",
    ].join("\n"),
  );
  await app.trySync([path], { baseline: "live", blank: ["-"] });
  const of = (username: string) => {
    const found = app.pool.user(username)?.attributes;
    return [found?.["family_name"], found?.["nickname"]];
  };
  assert.deepEqual(["u0", "u1", "u2", "u3", "u4", "u5"].map(of), [
    ["Lee", undefined],
    [undefined, "N1"],
    ["007", "N2"],
    [undefined, "N3"],
    ["Null", undefined],
    ["NULLA", undefined],
  ]);
  const report = await readFile(app.at("report.ndjson"), "utf8");
  assert.deepEqual(
    report
      .trim()
      .split("\n")
      .map((line) => /"line":(\d+).*"reason":"([a-z-]+)"/.exec(line)?.slice(1).join(" ")),
    ["3 hidden-character", "5 spreadsheet-error", "6 word-for-nothing", "8 user-unknown"],
  );
});
