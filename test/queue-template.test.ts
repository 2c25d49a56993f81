import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { transmute } from "cdk-from-cfn";
import { readConfigFile } from "../src/config/config-file.ts";
import { section } from "./support/markdown-page.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

// The CDK's own reader of CloudFormation knows every type of resource and its properties: what it cannot make a program
// of, CloudFormation would not deploy either. It looks at properties of resources, and not at what these are made of.

const docs = join(dirname(import.meta.dirname), "docs");
const template = readFileSync(join(docs, "queue.cfn.yaml"), "utf8");
const program = (text: string): string => transmute(text, "typescript", "Stack");

describe("the example of a queue", () => {
  test("is read without a problem", async () => {
    const page = readFileSync(join(docs, "events.md"), "utf8");
    const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(section(page, "Queues of Amazon SQS")) ?? [];
    const directory = await temporaryDirectory();
    try {
      const path = join(directory.path, "poolsync.yaml");
      await writeFile(path, yaml);
      const { file, problems } = await readConfigFile(path, { needed: true });
      assert.deepEqual(problems, []);
      const events = file?.feeds["crm"]?.events;
      assert.ok(events !== undefined && events.scheme === undefined);
      assert.match(events.sqs.url, /^https:\/\/sqs\.eu-west-1\./);
    } finally {
      await directory.remove();
    }
  });
});

describe("the template of a queue", () => {
  test("is one that CloudFormation can deploy, with the rule, both queues and who may do what", () => {
    const made = Array.from(program(template).matchAll(/new (\w+\.Cfn\w+)\(/g), ([, name = ""]) => name);
    assert.deepEqual(made.toSorted(), [
      "cdk.CfnOutput",
      "cdk.CfnOutput",
      "cdk.CfnOutput",
      "cdk.CfnOutput",
      "cloudwatch.CfnAlarm",
      "events.CfnRule",
      "iam.CfnManagedPolicy",
      "sqs.CfnQueue",
      "sqs.CfnQueue",
      "sqs.CfnQueuePolicy",
    ]);
  });

  test("makes no dead letters of an outage of a day, where a function is invoked", () => {
    const figure = (name: string): number => Number(new RegExp(`${name}: (\\d+)`).exec(template)?.[1]);
    assert.ok(figure("VisibilityTimeout") * figure("maxReceiveCount") > 2 * 86_400);
    assert.ok(figure("maxReceiveCount") <= 1000, "more than SQS takes");
  });

  test("has its alarm told to a topic where one is named", () => {
    assert.match(program(template), /alarmActions: /);
  });

  const wrong: readonly (readonly [what: string, from: string, to: string])[] = [
    ["a property that a queue does not have", "RedrivePolicy", "RedrivePolice"],
    ["a type that is not there", "AWS::SQS::Queue\n", "AWS::SQS::Line\n"],
    ["a name of nothing", "!GetAtt Rule.Arn", "!GetAtt Role.Arn"],
    ["a value of another kind", "VisibilityTimeout: 300", "VisibilityTimeout: { seconds: 300 }"],
  ];
  for (const [what, from, to] of wrong) {
    test(`would be refused with ${what}`, () => {
      assert.ok(template.includes(from));
      assert.throws(() => program(template.replace(from, to)));
    });
  }
});
