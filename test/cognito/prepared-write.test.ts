import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AdminUpdateUserAttributesCommand } from "@aws-sdk/client-cognito-identity-provider";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { prepareWrite } from "../../src/cognito/prepared-write.ts";
import { exampleAws } from "../support/aws-environment.ts";

const INPUT = {
  UserPoolId: "eu-west-1_Example",
  Username: "zoë",
  UserAttributes: [
    { Name: "name", Value: 'Zoë "Z" \u{1f600} Ørsted' },
    { Name: "nickname", Value: "" },
  ],
  ClientMetadata: { reason: "tidy up" },
};
/** Of one attempt, and of the time that it is made at. */
const OF_ONE_ATTEMPT = ["amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date"];

describe("a prepared write", () => {
  for (const endpoint of [undefined, "http://127.0.0.1:9229", "https://[::1]/prefix"]) {
    test(`is what the SDK sends to ${endpoint ?? "Cognito"}`, async () => {
      const restore = exampleAws();
      const cognito = createCognitoClient({ concurrency: 1, ...(endpoint === undefined ? {} : { endpoint }) });
      const sent: unknown[] = [];
      const refuse = (request: unknown): Promise<never> => {
        sent.push(request);
        return Promise.reject(new Error("Not sent"));
      };
      cognito.sdk.config.requestHandler.handle = refuse;
      const write = prepareWrite(cognito);
      await assert.rejects(cognito.sdk.send(new AdminUpdateUserAttributesCommand(INPUT)), /Not sent/);
      for (let times = 1; times <= 2; times += 1) {
        await assert.rejects(write.send(await write.sign(INPUT), new AbortController().signal), /Not sent/);
      }
      cognito.close();
      restore();
      const [sdk, ...ours] = sent.map((request) => plain(request));
      for (const own of ours) {
        assert.deepEqual(own, sdk);
      }
    });
  }

  test("finds no place to send to without a Region, and looks again the next time", async () => {
    const undo = exampleAws({ AWS_REGION: undefined });
    const cognito = createCognitoClient({ concurrency: 1 });
    const write = prepareWrite(cognito);
    await assert.rejects(write.sign(INPUT), /Region is missing/);
    await assert.rejects(write.sign(INPUT), /Region is missing/);
    cognito.close();
    undo();
  });
});

/** What goes over the wire, but for what is of one attempt. */
function plain(request: unknown): unknown {
  assert.ok(typeof request === "object" && request !== null && "headers" in request && "body" in request);
  const { protocol, hostname, port, path, method } = { port: undefined, ...request } as Record<string, unknown>;
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => !OF_ONE_ATTEMPT.includes(name));
  const signed = /SignedHeaders=/.test(JSON.stringify(request.headers));
  const body = Buffer.from(request.body as string | Uint8Array).toString();
  return { protocol, hostname, port, path, method, headers: Object.fromEntries(headers), body, signed };
}
