import type { PoolProfile } from "../../src/core/pool-schema.ts";

/** Of a pool in which nothing is special; a test spreads what is over it. */
export const PROFILE: PoolProfile = {
  id: "eu-west-1_Example",
  arn: "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Example",
  region: "eu-west-1",
  accountId: "123456789012",
  attributes: {},
  caseSensitive: false,
  usernameAttributes: [],
  aliasAttributes: [],
  autoVerified: [],
  requireVerificationBeforeUpdate: [],
};
