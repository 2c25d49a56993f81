import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClients } from "../../src/cognito/client.ts";
import { fetchS3File } from "../../src/cognito/s3-file.ts";
import { bucketTarget, choosePool, readConfig } from "../../src/config/config.ts";
import { AWS_ENVIRONMENT, exampleAws } from "../support/aws-environment.ts";

/** AWS's documented examples, both of them. */
const [OF_ENVIRONMENT, OF_PROFILE] = [AWS_ENVIRONMENT.AWS_ACCESS_KEY_ID, "AKIAI44QH8DHBEXAMPLE"];
/** As a role has them. */
const OF_ROLE = "ASIAIOSFODNN7EXAMPLE";

/** Stands in for Cognito, for S3 and for the service that roles are assumed at, and remembers whose keys signed. */
describe("who signs a call", () => {
  const signed: string[] = [];
  const server = createServer((request, response) => {
    const by = /Credential=(\w+)\/\d+\/([\w-]+)\/([\w-]+)/.exec(request.headers.authorization ?? "");
    signed.push(by?.slice(1).join(" ") ?? "nobody");
    const credentials = `<AccessKeyId>${OF_ROLE}</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>y</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`;
    const assumed = `<AssumeRoleResponse><AssumeRoleResult><Credentials>${credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>`;
    response.end(by?.[3] === "sts" ? assumed : request.method === "GET" ? "username\n" : "{}");
  });
  let directory = "";
  let files: Record<string, string> = {};
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`;
    directory = await mkdtemp(join(tmpdir(), "poolsync-keys-"));
    files = { AWS_CONFIG_FILE: join(directory, "config"), AWS_SHARED_CREDENTIALS_FILE: join(directory, "credentials") };
    const role = "role_arn = arn:aws:iam::123456789012:role/sync\nsource_profile = p";
    const profiles = [
      `[profile p]\nendpoint_url = ${endpoint}\nregion = eu-west-1`,
      `[profile role]\nendpoint_url = ${endpoint}\nregion = eu-west-1\n${role}`,
      `[profile keyless]\nendpoint_url = ${endpoint}\nregion = eu-west-1`,
    ];
    await writeFile(join(directory, "config"), profiles.join("\n"));
    const keys = `aws_access_key_id = ${OF_PROFILE}\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n`;
    await writeFile(join(directory, "credentials"), `[p]\n${keys}`);
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(directory, { recursive: true, force: true });
  });

  const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  const cognito = "eu-west-1 cognito-idp";
  for (const [title, variables, profile, wanted] of [
    ["the environment's keys before AWS_PROFILE's", { AWS_PROFILE: "p" }, undefined, [`${OF_ENVIRONMENT} ${cognito}`]],
    ["the same with AWS_DEFAULT_PROFILE", { AWS_DEFAULT_PROFILE: "p" }, undefined, [`${OF_ENVIRONMENT} ${cognito}`]],
    [
      "AWS_PROFILE's where the environment has none",
      { AWS_PROFILE: "p", ...none },
      undefined,
      [`${OF_PROFILE} ${cognito}`],
    ],
    ["AWS_DEFAULT_PROFILE's", { AWS_DEFAULT_PROFILE: "p", ...none }, undefined, [`${OF_PROFILE} ${cognito}`]],
    ["a named profile before the environment's keys", { AWS_PROFILE: "keyless" }, "p", [`${OF_PROFILE} ${cognito}`]],
    ["a role, assumed at the profile's endpoint", {}, "role", [`${OF_PROFILE} eu-west-1 sts`, `${OF_ROLE} ${cognito}`]],
    ["nobody for a named profile without any", {}, "keyless", []],
  ] as const) {
    test(`is ${title}`, async (t) => {
      t.after(exampleAws({ ...variables, ...files }));
      const warned = t.mock.method(console, "warn");
      signed.length = 0;
      const clients = createCognitoClients({ concurrency: 1 });
      t.after(() => clients.close());
      const config = await readConfig({}, process.env, directory);
      const chosen = choosePool(config, "eu-west-1_Example", profile === undefined ? {} : { profile });
      const said = await createAttributeWriter(clients.of(chosen)).write("eu-west-1_Example", "ada", [], {
        signal: new AbortController().signal,
        notAfter: Infinity,
      });
      assert.equal(said.ok, wanted.length > 0);
      if (!said.ok) assert.equal(said.failure.kind, "credentials-missing");
      assert.deepEqual(signed, wanted);
      assert.equal(warned.mock.callCount(), 0);
    });
  }

  test("for a bucket as for a pool, with the profile's Region and endpoint", async (t) => {
    for (const [variables, profile, wanted] of [
      [{ AWS_PROFILE: "p", AWS_REGION: undefined }, undefined, `${OF_ENVIRONMENT} eu-west-1 s3`],
      [{ AWS_DEFAULT_PROFILE: "p", AWS_REGION: undefined, ...none }, undefined, `${OF_PROFILE} eu-west-1 s3`],
      [{ AWS_DEFAULT_PROFILE: "keyless", AWS_REGION: "eu-west-2" }, "p", `${OF_PROFILE} eu-west-2 s3`],
    ] as const) {
      const restore = exampleAws({ ...variables, ...files });
      t.after(restore);
      signed.length = 0;
      const { aws } = await readConfig({}, process.env, directory);
      const file = await fetchS3File({
        bucket: "exports",
        key: "staff.csv",
        target: bucketTarget(aws, "hr", profile === undefined ? {} : { profile }),
        limits: { maxBytes: 1000, timeoutMs: 20_000 },
        signal: new AbortController().signal,
      });
      assert.ok(file.is === "new");
      assert.equal(Buffer.concat(await Array.fromAsync(file.body)).toString(), "username\n");
      assert.deepEqual(signed, [wanted]);
      restore();
    }
    const { aws } = await readConfig({}, files, directory);
    assert.throws(() => bucketTarget(aws, "hr", { profile: "nope" }), /feeds\.hr\.fetch\.profile: .*got `nope`/);
  });
});
