import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { awsSettings, callTarget, type AwsFiles, type GivenTarget } from "../../src/core/call-target.ts";

const FILES: AwsFiles = {
  profiles: {
    default: { region: "eu-central-1" },
    plain: { aws_access_key_id: "AKIAIOSFODNN7EXAMPLE" },
    all: { endpoint_url: "http://all:1", region: "us-east-1" },
    own: { services: "local", endpoint_url: "http://all:1" },
    lost: { services: "gone" },
    deaf: { endpoint_url: "http://all:1", ignore_configured_endpoint_urls: "True" },
    role: { endpoint_url: "http://all:1", role_arn: "arn:aws:iam::123456789012:role/sync", source_profile: "plain" },
    bare: { endpoint_url: "127.0.0.1:9229" },
  },
  services: {
    local: { "cognito_identity_provider.endpoint_url": "http://own:2", "s3.endpoint_url": "http://bucket:3" },
  },
};

type Case = readonly [
  title: string,
  environment: Readonly<Record<string, string>>,
  said: Partial<GivenTarget>,
  wanted: Readonly<Record<string, unknown>>,
];

const flag = (value: string) => ({ value, path: "--flag" });
const OWN = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";

describe("where calls go", () => {
  const endpoints: readonly Case[] = [
    ["nothing said: AWS's own", {}, {}, { endpoint: undefined }],
    ["the profile's", {}, { profile: flag("all") }, { endpoint: "http://all:1" }],
    [
      "the service's own, of the section that the profile names",
      {},
      { profile: flag("own") },
      { endpoint: "http://own:2" },
    ],
    ["for a bucket", {}, { profile: flag("own"), service: "S3" }, { endpoint: "http://bucket:3" }],
    [
      "a section without the service: the profile's",
      {},
      { profile: flag("own"), service: "STS" },
      { endpoint: "http://all:1" },
    ],
    ["AWS_PROFILE's", { AWS_PROFILE: "own" }, {}, { endpoint: "http://own:2" }],
    ["AWS_DEFAULT_PROFILE's", { AWS_DEFAULT_PROFILE: "all" }, {}, { endpoint: "http://all:1" }],
    ["AWS_PROFILE before it", { AWS_DEFAULT_PROFILE: "all", AWS_PROFILE: "plain" }, {}, { endpoint: undefined }],
    ["a blank AWS_PROFILE is none", { AWS_DEFAULT_PROFILE: "all", AWS_PROFILE: " " }, {}, { endpoint: "http://all:1" }],
    [
      "a profile that is named before AWS_PROFILE's",
      { AWS_PROFILE: "all" },
      { profile: flag("plain") },
      { endpoint: undefined },
    ],
    [
      "the environment's before the profile's",
      { AWS_ENDPOINT_URL: "http://env:4" },
      { profile: flag("own") },
      { endpoint: "http://env:4" },
    ],
    [
      "the service's own in the environment first",
      { AWS_ENDPOINT_URL: "http://env:4", [OWN]: "http://env:5" },
      {},
      { endpoint: "http://env:5" },
    ],
    [
      "what is said before all",
      { [OWN]: "http://env:5" },
      { endpoint: flag("http://flag:6") },
      { endpoint: "http://flag:6" },
    ],
    [
      "ignored by variable",
      { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "TRUE", AWS_ENDPOINT_URL: "http://env:4" },
      { profile: flag("all") },
      { endpoint: undefined },
    ],
    [
      "ignored by the profile, the environment's as well",
      { AWS_ENDPOINT_URL: "http://env:4" },
      { profile: flag("deaf") },
      { endpoint: undefined },
    ],
    [
      "the variable before the profile's word",
      { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "false" },
      { profile: flag("deaf") },
      { endpoint: "http://all:1" },
    ],
    [
      "what is said is never ignored",
      { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
      { endpoint: flag("http://flag:6") },
      { endpoint: "http://flag:6" },
    ],
    ["a role is assumed there too", {}, { profile: flag("role") }, { roleEndpoint: "http://all:1" }],
  ];
  const credentials: readonly Case[] = [
    ["no keys, no profile", {}, {}, { profile: undefined, keysOfEnvironment: undefined }],
    ["keys before AWS_PROFILE", { AWS_ACCESS_KEY_ID: "x", AWS_PROFILE: "plain" }, {}, { keysOfEnvironment: true }],
    [
      "a named profile before keys",
      { AWS_ACCESS_KEY_ID: "x" },
      { profile: flag("plain") },
      { profile: "plain", keysOfEnvironment: undefined },
    ],
  ];
  const regions: readonly Case[] = [
    ["said", { AWS_REGION: "eu-west-2" }, { region: "eu-west-3", regionOfId: "eu-west-1" }, { region: "eu-west-3" }],
    ["AWS_REGION", { AWS_REGION: "eu-west-2" }, { regionOfId: "eu-west-1" }, { region: "eu-west-2" }],
    ["the pool's id", { AWS_DEFAULT_REGION: "eu-west-4" }, { regionOfId: "eu-west-1" }, { region: "eu-west-1" }],
    ["AWS_DEFAULT_REGION", { AWS_DEFAULT_REGION: "eu-west-4" }, { profile: flag("all") }, { region: "eu-west-4" }],
    ["the named profile", {}, { profile: flag("all") }, { region: "us-east-1" }],
    ["AWS_PROFILE's", { AWS_PROFILE: "all" }, {}, { region: "us-east-1" }],
    ["the default profile's", {}, {}, { region: "eu-central-1" }],
    ["nowhere", { AWS_PROFILE: "plain" }, {}, { region: undefined }],
  ];
  for (const [group, cases] of Object.entries({ endpoints, credentials, regions })) {
    test(`${group}, in the AWS CLI's order`, () => {
      for (const [title, environment, said, wanted] of cases) {
        const found = callTarget(awsSettings(environment, FILES), { service: "COGNITO_IDENTITY_PROVIDER", ...said });
        assert.ok("target" in found, title);
        const target: Readonly<Record<string, unknown>> = { ...found.target };
        for (const [key, value] of Object.entries(wanted)) assert.equal(target[key], value, `${title}: ${key}`);
      }
    });
  }

  test("the Region that the pool's id goes before is told, where it is another", () => {
    const passed = (environment: Readonly<Record<string, string>>, regionOfId = "eu-west-1") => {
      const found = callTarget(awsSettings(environment, FILES), { service: "COGNITO_IDENTITY_PROVIDER", regionOfId });
      return "target" in found ? found.passed : undefined;
    };
    assert.deepEqual(passed({}), { region: "eu-central-1", givenBy: "profile default" });
    assert.deepEqual(passed({ AWS_PROFILE: "all" }), { region: "us-east-1", givenBy: "profile all" });
    const variable = { AWS_DEFAULT_REGION: "eu-west-4" };
    assert.deepEqual(passed(variable), { region: "eu-west-4", givenBy: "AWS_DEFAULT_REGION" });
    assert.equal(passed({}, "eu-central-1"), undefined);
    assert.equal(passed({ AWS_REGION: "eu-west-2" }), undefined);
  });

  test("what is named and not there, or no URL, is a fault and never passed over", () => {
    const faults: readonly (readonly [Readonly<Record<string, string>>, Partial<GivenTarget>, string, RegExp])[] = [
      [{}, { profile: flag("nope") }, "--flag", /there are default, .*, got `nope`: look in ~\/\.aws\/config/],
      [{ AWS_PROFILE: "nope" }, {}, "AWS_PROFILE", /got `nope`/],
      [{ AWS_DEFAULT_PROFILE: "nope", AWS_ACCESS_KEY_ID: "x" }, {}, "AWS_DEFAULT_PROFILE", /got `nope`/],
      [{}, { profile: flag("") }, "--flag", /got ``/],
      [{}, { profile: flag("toString") }, "--flag", /got `toString`/],
      [{}, { profile: flag("lost") }, "profile lost", /\[services gone\].*look in ~\/\.aws\/config/],
      [{}, { profile: flag("bare") }, "profile bare", /Expected a URL .* got `127\.0\.0\.1:9229`/],
      [{ [OWN]: "localhost:9229" }, {}, OWN, /Expected a URL/],
      [{}, { endpoint: flag("") }, "--flag", /Expected a URL/],
    ];
    for (const [environment, said, path, message] of faults) {
      const found = callTarget(awsSettings(environment, FILES), { service: "COGNITO_IDENTITY_PROVIDER", ...said });
      assert.ok("fault" in found, path);
      assert.equal(found.fault.path, path);
      assert.match(found.fault.message, message);
    }
  });
});
