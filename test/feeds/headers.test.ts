import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { closest, editDistance } from "../../src/feeds/closest.ts";
import { headerColumns } from "../../src/feeds/columns.ts";
import { fitColumns, mapHeaders } from "../../src/feeds/headers.ts";
import type { HeaderOptions } from "../../src/feeds/headers.ts";
import type { Mapping } from "../../src/feeds/mapping.ts";
import { feedError } from "./feed-file.ts";

const POOL = [
  "sub",
  "name",
  "given_name",
  "family_name",
  "email",
  "email_verified",
  "phone_number",
  "phone_number_verified",
  "custom:cost_center",
  "custom:name",
  "dev:tag",
];

function map(headers: readonly string[], over: Partial<HeaderOptions> = {}): Mapping {
  return mapHeaders(headerColumns(headers), { name: "a.csv", attributes: POOL, ...over });
}

/** `attribute<-column` of each. */
function pairs({ usernameColumn, attributes }: Mapping): string[] {
  return [usernameColumn, ...attributes.map(({ name, column }) => `${name}<-${column}`)];
}

const GUARDED = { name: "a.csv", missing: "guard" } as const;

describe("headers", () => {
  const table: readonly (readonly [readonly string[], readonly string[]])[] = [
    [
      ["username", "given_name"],
      ["username", "given_name<-given_name"],
    ],
    [
      ["User Name", "Given Name"],
      ["User Name", "given_name<-Given Name"],
    ],
    [
      ["cognito:username", "NAME"],
      ["cognito:username", "name<-NAME"],
    ],
    [
      ["sub", "custom:cost_center"],
      ["sub", "custom:cost_center<-custom:cost_center"],
    ],
    [
      ["name", "Username", "sub"],
      ["Username", "name<-name"],
    ],
    [
      ["username", "Cost Center"],
      ["username", "custom:cost_center<-Cost Center"],
    ],
    [
      ["username", "cost_center", "dev:tag"],
      ["username", "custom:cost_center<-cost_center", "dev:tag<-dev:tag"],
    ],
    [
      ["username", "custom:name", "name"],
      ["username", "custom:name<-custom:name", "name<-name"],
    ],
    [
      ["username", "email_verified"],
      ["username", "email_verified<-email_verified"],
    ],
  ];
  for (const [headers, expected] of table) {
    test(`say the mapping by themselves: ${headers.join(", ")}`, () => assert.deepEqual(pairs(map(headers)), expected));
  }

  test("may be any custom attribute where the pool is not known", () => {
    assert.deepEqual(pairs(mapHeaders(headerColumns(["username", "custom:x"]), { name: "a.csv" })), [
      "username",
      "custom:x<-custom:x",
    ]);
    assert.throws(() => mapHeaders(headerColumns(["username", "x"]), { name: "a.csv" }), feedError("columns"));
  });

  test("trim values, skip blanks and know all columns", () => {
    const mapping = map(["username", "name", "sub"]);
    assert.deepEqual(mapping.attributes, [
      { name: "name", column: "name", transforms: [{ kind: "trim" }], onBlank: "skip" },
    ]);
    assert.deepEqual([mapping.ignored, mapping.unknown], [["sub"], "refuse"]);
  });

  test("take the username from the column that is told", () => {
    assert.deepEqual(pairs(map(["email", "name"], { usernameColumn: "email" })), ["email", "name<-name"]);
    assert.throws(
      () => map(["Emial", "name"], { usernameColumn: "Email" }),
      feedError("columns", /no column `Email` .*did you mean `Emial`/),
    );
    assert.throws(() => map(["id", "name"]), feedError("columns", /--username-column .*`id`, `name`/));
    assert.throws(() => map(["username", "User Name", "name"]), feedError("columns", /could all be the username/));
  });

  test("refuse an e-mail address or phone number whose flag nobody decided", () => {
    assert.throws(
      () => map(["username", "email"]),
      feedError("columns", /sign in .*--verified mark .*ask .*keep .*email_verified/),
    );
    assert.throws(
      () => map(["username", "Phone Number", "email"]),
      feedError("columns", /phone_number.*Also, .*email/),
    );
    assert.equal(map(["username", "email"], { verified: "ask" }).attributes[0]?.verified, "ask");
    assert.equal(map(["username", "name"], { verified: "ask" }).attributes[0]?.verified, undefined);
  });

  test("let a flag's column decide for the value beside it", () => {
    const [email, ...others] = map(["username", "Email Verified", "email"]).attributes;
    assert.deepEqual(
      [email?.name, email?.column, email?.verifiedColumn, email?.verified],
      ["email", "email", "Email Verified", undefined],
    );
    assert.deepEqual(others, []);
  });

  test("that are no attribute are listed with the closest ones, all in one error", () => {
    assert.throws(
      () => map(["username", "givenname", "Work Email", "CostCentre", "Shoe size"]),
      feedError(
        "columns",
        /4 columns .*`givenname` \(did you mean `given_name`.*`Work Email` \(did you mean `email`.*`CostCentre` \(did you mean `custom:cost_center`\?\), `Shoe size`;.*--ignore-unknown/,
      ),
    );
    const mapping = map(["username", "name", "Shoe size"], { ignoreUnknown: true });
    assert.deepEqual([mapping.ignored, mapping.unknown], [["Shoe size"], "ignore"]);
    assert.throws(
      () => map(["username", "Shoe size"], { ignoreUnknown: true }),
      feedError("columns", /no column besides/),
    );
    assert.throws(() => map(["username"]), feedError("columns", /no column besides/));
  });

  test("that are very many still make a message that can be read", () => {
    const headers = ["username", ...Array.from({ length: 10_000 }, (_, index) => `column ${"x".repeat(100)}${index}`)];
    assert.throws(
      () => map(headers),
      (error: unknown) =>
        feedError("columns", /10000 columns .*and 9980 more/)(error) &&
        error instanceof Error &&
        error.message.length < 5000,
    );
  });

  test("that mean the same attribute are refused", () => {
    assert.throws(() => map(["username", "given_name", "Given Name"]), feedError("columns", /both mean given_name/));
  });

  test("that are somebody's data are not repeated in the message", () => {
    for (const data of ["zoe@example.com", "+44 7700 900123", "1985-03-12"]) {
      const quiet = (error: unknown): boolean =>
        feedError("columns", /looks like data \(column 2\)/)(error) &&
        error instanceof Error &&
        !error.message.includes(data);
      assert.throws(() => map(["Zoë", data]), quiet);
      assert.throws(() => fitColumns(map(["username", "name"]), headerColumns(["Zoë", data]), GUARDED), quiet);
    }
  });

  test("called like a property of every object are only names", () => {
    assert.throws(() => map(["username", "__proto__", "constructor"]), feedError("columns", /2 columns/));
  });
});

describe("a mapping from the configuration", () => {
  const mapping: Mapping = {
    usernameColumn: "Employee ID",
    attributes: [{ name: "name", template: "{First} {Last}", transforms: [], onBlank: "skip" }],
    ignored: ["Shoe size"],
    unknown: "refuse",
  };
  test("fits columns that it names or ignores", () => {
    const more = ["Last", "First", "Employee ID", "x"];
    assert.equal(fitColumns(mapping, headerColumns(["Last", "First", "Employee ID", "Shoe size"]), GUARDED), mapping);
    assert.equal(fitColumns(mapping, headerColumns(more), { ...GUARDED, ignoreUnknown: true }), mapping);
    const lax: Mapping = { ...mapping, unknown: "ignore" };
    assert.equal(fitColumns(lax, headerColumns(more), GUARDED), lax);
  });

  test("is refused with every column that is left over, and where nothing is left to plan", () => {
    assert.throws(
      () => fitColumns(mapping, headerColumns(["Last", "Frist", "Employee ID"]), GUARDED),
      feedError("renamed", /`First` .*did you mean `Frist`/),
    );
    assert.throws(
      () => fitColumns(mapping, headerColumns(["First", "Last", "Number"]), GUARDED),
      feedError("renamed", /`Employee ID` of the mapping is not there.*Also, 1 column is not in the mapping: `Number`/),
    );
    assert.throws(
      () => fitColumns(mapping, headerColumns(["First", "Last", "Employee ID", "Cost centre"]), GUARDED),
      feedError("columns", /1 column is not in the mapping: `Cost centre`/),
    );
  });

  test("leaves out what has no column, and takes no offence at the column in its place", () => {
    const nickname = { name: "nickname", column: "Nick", transforms: [], onBlank: "clear" } as const;
    const email = {
      name: "email",
      column: "Mail",
      verifiedColumn: "Checked",
      transforms: [],
      onBlank: "skip",
    } as const;
    const wanted: Mapping = { ...mapping, attributes: [...mapping.attributes, nickname, email] };
    const fitted = fitColumns(wanted, headerColumns(["First", "Last", "Employee ID", "Nickname", "Mail"]), GUARDED);
    assert.deepEqual(
      fitted.attributes.map(({ name }) => name),
      ["name"],
    );
    assert.deepEqual(fitted.missing, [
      { attribute: "nickname", column: "Nick", likely: "Nickname" },
      { attribute: "email", column: "Checked" },
    ]);
    assert.deepEqual(fitted.ignored, ["Shoe size", "Nickname"]);
  });

  test("where no guard stops it is refused for a column that is missing, or for one that is left over", () => {
    const nickname = { name: "nickname", column: "Nick", transforms: [], onBlank: "clear" } as const;
    const wanted: Mapping = { ...mapping, attributes: [...mapping.attributes, nickname] };
    const headers = ["First", "Last", "Employee ID"];
    assert.throws(
      () => fitColumns(wanted, headerColumns(headers), { ...GUARDED, missing: "refuse" }),
      feedError("renamed", /column `Nick` of the mapping is not there/),
    );
    assert.equal(fitColumns(wanted, headerColumns(headers), { ...GUARDED, missing: "leave" }).attributes.length, 1);
    assert.throws(
      () => fitColumns(wanted, headerColumns([...headers, "Nickname"]), { ...GUARDED, missing: "leave" }),
      feedError("columns", /1 column is not in the mapping: `Nickname`/),
    );
  });
});

test("the edit distance counts changed, added and missing letters", () => {
  assert.deepEqual(
    [
      ["", ""],
      ["a", ""],
      ["kitten", "sitting"],
      ["email", "emial"],
      ["same", "same"],
    ].map(([a = "", b = ""]) => editDistance(a, b)),
    [0, 1, 3, 2, 0],
  );
  assert.deepEqual(closest("fmaily name", POOL), ["family_name"]);
  assert.deepEqual(closest("zzz", POOL), []);
});
