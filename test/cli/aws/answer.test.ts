import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answerText, checkAnswerFlags, type AnswerFlags } from "../../../src/cli/aws/answer.ts";
import { inputSkeleton, outputSkeleton } from "../../../src/cli/aws/skeleton.ts";

const ANSWER = {
  CodeDeliveryDetailsList: [
    { Destination: "j***@e***", DeliveryMedium: "EMAIL", AttributeName: "email" },
    { Destination: "+*******1212", DeliveryMedium: "SMS", AttributeName: "phone_number" },
  ],
};
const INPUT = { UserAttributes: [{ Name: "email", Value: "jane@example.com" }], AccessToken: "a.b.c" };
const of = (answer: object, flags: AnswerFlags, width = 80): string =>
  answerText("UpdateUserAttributes", answer, INPUT, flags, width);

describe("an answer", () => {
  const printed: [title: string, answer: object, flags: AnswerFlags, text: string][] = [
    ["JSON unless asked", { a: [] }, {}, '{\n    "a": []\n}\n'],
    ["nothing for an answer without members", {}, {}, ""],
    ["nothing for an answer without members in a table", {}, { output: "table" }, ""],
    ["nothing for an answer without members in text", {}, { output: "text" }, ""],
    ["null for what a query does not find", {}, { query: "a.b" }, "null\n"],
    ["None for what a query does not find, in text", {}, { query: "a.b", output: "text" }, "None\n"],
    [
      "lines with tabs, texts in the order of their names",
      ANSWER,
      { output: "text" },
      "CODEDELIVERYDETAILSLIST\temail\tEMAIL\tj***@e***\nCODEDELIVERYDETAILSLIST\tphone_number\tSMS\t+*******1212\n",
    ],
    [
      "a list's texts on one line",
      ANSWER,
      { output: "text", query: "CodeDeliveryDetailsList[].AttributeName" },
      "email\tphone_number\n",
    ],
    ["one text", ANSWER, { output: "text", query: "length(CodeDeliveryDetailsList)" }, "2\n"],
    ["truth as the AWS CLI writes it", ANSWER, { output: "text", query: "`[true,null]`" }, "True\tNone\n"],
    [
      "a table",
      ANSWER,
      { output: "table" },
      `\
-------------------------------------------------------
|                UpdateUserAttributes                 |
+-----------------------------------------------------+
||              CodeDeliveryDetailsList              ||
|+---------------+------------------+----------------+|
|| AttributeName | DeliveryMedium   |  Destination   ||
|+---------------+------------------+----------------+|
||  email        |  EMAIL           |  j***@e***     ||
||  phone_number |  SMS             |  +*******1212  ||
|+---------------+------------------+----------------+|
`,
    ],
    ["one field for -Select", ANSWER, { select: "codedeliverydetailslist", query: "[0].AttributeName" }, '"email"\n'],
    ["everything for *", { a: 1 }, { select: "*" }, '{\n    "a": 1\n}\n'],
    ["a parameter for ^", {}, { select: "^UserAttribute", query: "[].Name", output: "text" }, "email\n"],
  ];
  for (const [title, answer, flags, text] of printed) {
    test(`is printed as ${title}`, () => assert.equal(of(answer, flags), text));
  }

  test("turns a table's only row that is too wide", () => {
    const [first] = ANSWER.CodeDeliveryDetailsList;
    assert.match(
      of({ CodeDeliveryDetailsList: [first] }, { output: "table" }, 40),
      /\|\|  AttributeName +\|  email +\|\|\n/,
    );
  });

  const refused: [flags: AnswerFlags, message: RegExp][] = [
    [{ query: "a[" }, /Bad value for --query: .*column 2/],
    [{ select: "Nothing" }, /--select: Expected one of \*, CodeDeliveryDetailsList, \^UserPoolId/],
    [{ select: "^AccessToken" }, /never printed/],
    [{ select: "^Nothing" }, /--select: Expected one of/],
  ];
  for (const [flags, message] of refused) {
    test(`refuses ${JSON.stringify(flags)} before a call is made`, () => {
      assert.throws(() => checkAnswerFlags("UpdateUserAttributes", flags), message);
    });
  }
});

describe("a skeleton", () => {
  test("is what the AWS CLI prints", () => {
    assert.equal(
      JSON.stringify(inputSkeleton("AdminUpdateUserAttributes")),
      '{"UserPoolId":"","Username":"","UserAttributes":[{"Name":"","Value":""}],"ClientMetadata":{"KeyName":""}}',
    );
    assert.equal(
      JSON.stringify(inputSkeleton("UpdateUserAttributes")),
      '{"UserAttributes":[{"Name":"","Value":""}],"AccessToken":"","ClientMetadata":{"KeyName":""}}',
    );
    assert.deepEqual(outputSkeleton("AdminUpdateUserAttributes"), {});
    assert.deepEqual(Object.keys(outputSkeleton("UpdateUserAttributes")), ["CodeDeliveryDetailsList"]);
  });
});
