import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { classify, type Failure } from "../../src/core/failure.ts";
import { judgeRefusal, type Judgement } from "../../src/core/refused-call.ts";

const failure = (name: string): Failure => classify({ name, answered: true, fateUnknown: false });
const invalid = failure("InvalidParameterException");
const taken = failure("AliasExistsException");
const two = ["nickname", "website"];

describe("a refused call", () => {
  const table: readonly (readonly [
    title: string,
    refused: Failure,
    message: string,
    names: readonly string[],
    splitBy: Failure | undefined,
    judgement: Judgement,
  ])[] = [
    ["that was throttled is put off", failure("TooManyRequestsException"), "", two, undefined, { is: "put-off" }],
    [
      "that the process may not make is put off",
      failure("AccessDeniedException"),
      "",
      two,
      undefined,
      { is: "put-off" },
    ],
    [
      "for a user who is not there is one for all of theirs",
      failure("UserNotFoundException"),
      "",
      two,
      undefined,
      { is: "alike" },
    ],
    [
      "that names no unit is made again in halves",
      invalid,
      "no",
      [...two, "name"],
      undefined,
      { is: "halved", parts: [two, ["name"]] },
    ],
    [
      "whose halves fail for its own reason is halved further",
      invalid,
      "no",
      two,
      invalid,
      { is: "halved", parts: [["nickname"], ["website"]] },
    ],
    [
      "of one unit is that unit's fault",
      invalid,
      "no",
      ["name"],
      undefined,
      { is: "at-fault", names: ["name"], rest: [] },
    ],
    [
      "that names a unit is that unit's fault, and the rest goes on",
      invalid,
      "Attributes did not conform to the schema: website: no",
      two,
      undefined,
      { is: "at-fault", names: ["website"], rest: ["nickname"] },
    ],
    [
      "whose half fails for another reason fails as a whole for the first",
      taken,
      "no",
      two,
      invalid,
      { is: "together", failure: invalid },
    ],
  ];
  for (const [title, refused, message, names, splitBy, judgement] of table) {
    test(title, () => {
      const part = { names, sent: names, ...(splitBy ? { splitBy } : {}) };
      assert.deepEqual(judgeRefusal(refused, message, part), judgement);
    });
  }
});
