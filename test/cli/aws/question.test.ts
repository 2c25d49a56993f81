import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { ask, risksOf } from "../../../src/cli/aws/question.ts";
import type { Io } from "../../../src/cli/io.ts";
import type { Unit } from "../../../src/core/unit.ts";

const never = new AbortController().signal;
const pool = { usernameAttributes: [], aliasAttributes: ["email"] };
const cleared: Unit = { name: "nickname", value: { kind: "clear" } };
const email: Unit = { name: "email", value: { kind: "text", text: "jane@example.com", verified: "mark" } };
const phone: Unit = { name: "phone_number", value: { kind: "text", text: "+14325551212", verified: "mark" } };

function terminal(answer: string, isTTY: boolean): Io {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const stderr = Object.assign(new PassThrough().resume(), { isTTY });
  stdin.end(answer);
  return { stdin, stdout: new PassThrough(), stderr, interrupts: { drain: never, abort: never } };
}

describe("the question before a change", () => {
  test("is about what is deleted, and addresses that people sign in with", () => {
    assert.deepEqual(risksOf(pool, [phone]), []);
    const [first, second, ...none] = risksOf(pool, [cleared, email, phone]);
    assert.equal(first, "This deletes nickname.");
    assert.match(second ?? "", /^People sign in with `email`/);
    assert.deepEqual(none, []);
  });

  test("goes on with yes, and with nothing to ask", async () => {
    await ask(terminal("y\n", true), ["This deletes nickname."], never);
    await ask(terminal("no\n", true), [], never);
  });

  test("writes nothing with any other answer", async () => {
    await assert.rejects(ask(terminal("\n", true), ["This deletes nickname."], never), {
      kind: "declined",
      category: "guarded",
    });
  });

  test("takes the end of the input for no answer", async () => {
    await assert.rejects(ask(terminal("", true), ["This deletes nickname."], never), { kind: "interrupted" });
  });

  test("is not asked where nobody is there", async () => {
    await ask(terminal("no\n", false), ["This deletes nickname."], never);
  });
});
