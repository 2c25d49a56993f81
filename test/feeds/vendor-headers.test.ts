import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { closest } from "../../src/feeds/closest.ts";
import { headerColumns } from "../../src/feeds/columns.ts";
import { fitColumns, mapHeaders } from "../../src/feeds/headers.ts";
import type { Mapping } from "../../src/feeds/mapping.ts";
import { vendorMeaning } from "../../src/feeds/vendor-headers.ts";
import { feedError } from "./feed-file.ts";

const POOL = ["name", "given_name", "family_name", "nickname", "email", "phone_number", "birthdate", "custom:fte"];

describe("a vendor's header", () => {
  for (const [header, meaning] of [
    ["First Name", "given_name"],
    ["FIRSTNAME", "given_name"],
    ["firstName", "given_name"],
    ["first_name", "given_name"],
    ["Legal First Name", "given_name"],
    ["Last\u00A0Name", "family_name"],
    ["Work Email", "email"],
    ["Work_Email", "email"],
    ["Work Contact: Work Email", "email"],
    ["EmailAddress", "email"],
    ["Mobile Phone", "phone_number"],
    ["Preferred_Name", "nickname"],
    ["Employee_ID", "username"],
    ["Employee #", "username"],
    ["USERID", "username"],
    ["Worker ID", "username"],
    ["Manager First Name", undefined],
    ["Fax", undefined],
    ["Assistant Email", undefined],
    ["Department", undefined],
  ] as const) {
    test(`${header} means ${meaning ?? "nothing that is known"}`, () => assert.equal(vendorMeaning(header), meaning));
  }

  test("is the hint, and a short word is near to nothing", () => {
    assert.throws(
      () =>
        mapHeaders(headerColumns(["username", "First Name", "Fax", "Mobile Phone", "Employee ID"]), {
          name: "a.csv",
          attributes: POOL,
        }),
      feedError(
        "columns",
        /`First Name` \(did you mean `given_name`\?\), `Fax`, `Mobile Phone` \(did you mean `phone_number`\?\), `Employee ID`;/,
      ),
    );
    assert.deepEqual(
      [closest("Fax", POOL), closest("fte", POOL), closest("emial", POOL)],
      [[], ["custom:fte"], ["email"]],
    );
  });

  test("may name the user, where no column is called so", () => {
    assert.throws(
      () => mapHeaders(headerColumns(["Employee_ID", "Work_Email"]), { name: "a.csv", attributes: POOL }),
      feedError("columns", /with --username-column, perhaps `Employee_ID` \(there are: `Employee_ID`, `Work_Email`\)/),
    );
  });

  test("is told in the place of another system's", () => {
    const mapping: Mapping = {
      usernameColumn: "id",
      attributes: [{ name: "phone_number", column: "Phone", verified: "keep", transforms: [], onBlank: "skip" }],
      ignored: [],
      unknown: "refuse",
    };
    assert.throws(
      () => fitColumns(mapping, headerColumns(["id", "Mobile"]), { name: "a.csv", missing: "refuse" }),
      feedError("renamed", /column `Phone` of the mapping is not there: map/),
    );
    assert.throws(
      () => fitColumns(mapping, headerColumns(["id", "mobile_phone"]), { name: "a.csv", missing: "refuse" }),
      feedError("renamed", /`Phone` of the mapping is not there \(did you mean `mobile_phone`\?\)/),
    );
  });
});

test("the header of Cognito's own import goes as it is", () => {
  const standard =
    "name,given_name,family_name,middle_name,nickname,preferred_username,profile,picture,website,email,email_verified,gender,birthdate,zoneinfo,locale,phone_number,phone_number_verified,address,updated_at";
  const header = `cognito:username,${standard},custom:id,cognito:mfa_enabled`.split(",");
  const attributes = ["sub", ...standard.split(","), "custom:id"];
  const mapping = mapHeaders(headerColumns(header), { name: "a.csv", attributes });
  assert.equal(mapping.usernameColumn, "cognito:username");
  assert.deepEqual([mapping.ignored, mapping.attributes.length], [["cognito:mfa_enabled"], 18]);
});
