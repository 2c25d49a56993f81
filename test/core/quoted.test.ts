import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { quoted, withoutTokens, withoutJwts } from "../../src/core/quoted.ts";
import { assertNoToken, madeUpToken } from "../support/token.ts";

describe("what is repeated of what somebody typed", () => {
  test("has no part of a token, wherever it stands and however it was cut", () => {
    for (let round = 0; round < 300; round++) {
      const token = madeUpToken();
      const [head = "", payload = "", signature = ""] = token.split(".");
      const cut = token.slice(0, 12 + (round % (token.length - 12)));
      for (const part of [token, head, payload, signature, `${payload}.${signature}`, cut]) {
        for (const text of [
          part,
          `file:///tmp/${part}`,
          `--token=${part}`,
          `{"a":"${part}"}`,
          `a,${part};b`,
          `'${part}…`,
        ]) {
          assertNoToken(withoutTokens(text), token, text.replace(part, "…"));
          assertNoToken(quoted(text), token, text.replace(part, "…"));
        }
      }
      for (const part of [token, payload, cut]) assertNoToken(withoutJwts(`x "${part}…" y`), token, "an answer");
    }
  });

  test("is as it was where it is no token", () => {
    for (const text of [
      "eu-west-1_Example",
      "ap-northeast-1_aBcDeFgH9",
      "/home/jane/Documents/HR/Export2026Q1/StaffListGermanyV2.csv",
      "arn:aws:iam::123456789012:role/MyCompanyProductionAdministratorRole",
      "0f8fad5b-d9cb-469f-a165-70867728950e",
      "0F8FAD5B-D9CB-469F-A165-70867728950E",
      randomBytes(32).toString("hex"),
      "cognito-idp.ap-southeast-2.amazonaws.com",
      "custom:employment_contract_ends_on",
      "a-user.with.a.long.name+2026@subsidiary.of.a.company.example",
      "Eyjafjallajökull, Eyjafjardarsveit",
      "custom:keyJsonDocument",
    ]) {
      assert.equal(withoutTokens(text), text);
      assert.equal(withoutJwts(text), text);
    }
    assert.equal(quoted("x".repeat(100)), `\`${"x".repeat(80)}\``);
  });

  // Where each character looked at all others, a million of them would take many minutes.
  test("ends for a long text, whatever is in it", { timeout: 60_000 }, () => {
    for (const part of ["a", "eyJ", ".", "a1B."]) {
      const text = part.repeat(1e6 / part.length);
      assert.equal(withoutTokens(`${text} `).endsWith(" "), true);
    }
  });
});
