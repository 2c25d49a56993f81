import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseShorthand, ShorthandError, type Shorthand } from "../../../src/cli/aws/shorthand.ts";

// What each form means is what the AWS CLI, version 2, makes of it.
const forms: [text: string, value: Record<string, Shorthand>][] = [
  // The documentation of the two operations.
  ["Name=custom:CustomAttr1,Value=Purple", { Name: "custom:CustomAttr1", Value: "Purple" }],
  ['Name="custom:CustomAttr1",Value="Purple"', { Name: "custom:CustomAttr1", Value: "Purple" }],
  ["Name=nickname,Value=Dan", { Name: "nickname", Value: "Dan" }],
  ["KeyName1=string,KeyName2=string", { KeyName1: "string", KeyName2: "string" }],
  // "Using shorthand syntax in the AWS CLI".
  ["Name=string,Values=string,string", { Name: "string", Values: ["string", "string"] }],
  ["Name=tag:Owner,Values=a b,'c,d'", { Name: "tag:Owner", Values: ["a b", "c,d"] }],
  ["A={b=[c,d],e={f=g}}", { A: { b: ["c", "d"], e: { f: "g" } } }],
  // Texts.
  ["a=b", { a: "b" }],
  ["a=b,c=d,e=f", { a: "b", c: "d", e: "f" }],
  ["a=", { a: "" }],
  ["a= ", { a: "" }],
  ["a=,b=", { a: "", b: "" }],
  ["Name=nickname,Value=", { Name: "nickname", Value: "" }],
  ["a=b=c", { a: "b=c" }],
  ["a=b=c,d=e", { a: "b=c", d: "e" }],
  ["a=✓", { a: "✓" }],
  ["a=😀 b", { a: "😀 b" }],
  ["a=b c,d=e f  ", { a: "b c", d: "e f" }],
  ["a = b ,  c  =  d", { a: "b", c: "d" }],
  ["a=b,\nc=d\n", { a: "b", c: "d" }],
  ["a=https://example.com/x?y=z&w=1", { a: "https://example.com/x?y=z&w=1" }],
  ["Name=phone_number,Value=+14325551212", { Name: "phone_number", Value: "+14325551212" }],
  // Names.
  ["with-dash=1,with_underscore=2,with.dot=3", { "with-dash": "1", with_underscore: "2", "with.dot": "3" }],
  ["#key=v", { "#key": "v" }],
  ["aws:service:region:124:foo/bar=baz", { "aws:service:region:124:foo/bar": "baz" }],
  ["__proto__=a,constructor=b", { ["__proto__"]: "a", constructor: "b" }],
  // Quotes and escapes.
  ["a='b'", { a: "b" }],
  ["a='b,c=d'", { a: "b,c=d" }],
  ["a='it\\'s'", { a: "it's" }],
  ["a='b\\\\c'", { a: "b\\c" }],
  ['a="b"', { a: "b" }],
  ['a="b,c=d"', { a: "b,c=d" }],
  ['a="say \\"b\\""', { a: 'say "b"' }],
  ['a="b\\\\c"', { a: "b\\c" }],
  ['a=" b "', { a: " b " }],
  ['a="it\'s"', { a: "it's" }],
  ['a=""', { a: "" }],
  ["a=b\\,c", { a: "b,c" }],
  ["a=\\,", { a: "," }],
  ["a=b\\,c,d=e", { a: "b,c", d: "e" }],
  ["a=b\\c", { a: "b\\c" }],
  // Lists.
  ["a=b,c", { a: ["b", "c"] }],
  ["a=b,c,d=e,f", { a: ["b", "c"], d: ["e", "f"] }],
  ["a=b,'c=d'", { a: ["b", "c=d"] }],
  ["a=b,c\\,d", { a: ["b", "c,d"] }],
  ["a=b,c=  d,  e,  f", { a: "b", c: ["d", "e", "f"] }],
  ["a=[]", { a: [] }],
  ["a=[b]", { a: ["b"] }],
  ["a=[ b , c ]", { a: ["b", "c"] }],
  ["a=[b=c,d=e]", { a: ["b=c", "d=e"] }],
  ["a=[,,]", { a: ["", ""] }],
  ["a=[b,c],d=e,f", { a: ["b", "c"], d: ["e", "f"] }],
  ["a=[[b],[c]]", { a: [["b"], ["c"]] }],
  // Maps.
  ["a={b=c,d=e}", { a: { b: "c", d: "e" } }],
  ["a={b=c},d=e", { a: { b: "c" }, d: "e" }],
  ["a={b={c=d,e=f},g=h}", { a: { b: { c: "d", e: "f" }, g: "h" } }],
  ["a=[{b=c}, {d=[e,f]}]", { a: [{ b: "c" }, { d: ["e", "f"] }] }],
  // Values from files.
  ["a@=file://a.txt", { a: "what a.txt holds" }],
  ["a@=b", { a: "b" }],
  ["a@=file://a.txt,b=file://a.txt", { a: "what a.txt holds", b: "file://a.txt" }],
  ["a={b@=file://a.txt}", { a: { b: "what a.txt holds" } }],
  ["a@=[b, file://a.txt]", { a: ["b", "what a.txt holds"] }],
  ["a@={b=file://a.txt}", { a: { b: "file://a.txt" } }],
  ["a@='file://a.txt'", { a: "what a.txt holds" }],
];

const faults: [text: string, message: string][] = [
  ["foo", "Expected: '=', received: 'EOF' for input:\n***\n   ^"],
  ["", "Expected: '=', received: 'EOF' for input:\n\n^"],
  [
    "Name=given_name Value=Jane,",
    "Expected: 'text', received: 'EOF' for input:\nName=********** Value=****,\n                           ^",
  ],
  ["a=b,", "Expected: 'text', received: 'EOF' for input:\n*=*,\n    ^"],
  ["Value=O'Brien", "Expected: ',', received: ''' for input:\nValue=*'*****\n       ^"],
  ['a="b', "Expected: 'closing \"', received: '\"' for input:\n*=\"*\n  ^"],
  ["a='b", "Expected: 'closing '', received: ''' for input:\n*='*\n  ^"],
  ["a=[b", "Expected: ',', received: 'EOF' for input:\n*=[*\n    ^"],
  ["a={b", "Expected: '=', received: 'EOF' for input:\n*={*\n    ^"],
  ["a={b}", "Expected: '=', received: '}' for input:\n*={*}\n    ^"],
  ["a={b=c", "Expected: ',', received: 'EOF' for input:\n*={*=*\n      ^"],
  ["a==b,\nc=d", "Expected: ',', received: '=' for input:\n*==*,\n  ^\n*=*"],
  [
    "Name=a,Value=b,Name=c",
    'Second instance of key "Name" encountered for input:\nName=*,Value=*,Name=*\n               ^\nThis is often because there is a preceding "," instead of a space.',
  ],
  [`a=${"[".repeat(50_000)}`, ""],
  [`a="${"\\".repeat(100)}`, ""],
];

describe("the AWS CLI's shorthand", () => {
  const read = (text: string): string | undefined => (text.startsWith("file://") ? "what a.txt holds" : undefined);

  for (const [text, value] of forms) {
    test(`means by ${JSON.stringify(text)} what the AWS CLI means`, () => {
      assert.deepEqual(parseShorthand(text, read), value);
    });
  }

  for (const [text, message] of faults) {
    test(`has no meaning as ${JSON.stringify(text.slice(0, 40))}, and the message points at the place`, () => {
      assert.throws(
        () => parseShorthand(text),
        (error) => {
          assert.ok(error instanceof ShorthandError);
          if (message !== "") assert.equal(error.message, message);
          return true;
        },
      );
    });
  }

  test("shows no value in a message", () => {
    assert.throws(
      () => parseShorthand("Name=email,Value=jane.doe@example.com'"),
      (error) => error instanceof Error && !/jane|doe|example/.test(error.message),
    );
  });
});
