import { z } from "zod";
import { CONTACTS } from "./contact.ts";
import { DATA_TYPES } from "./schema.ts";
import { USER_STATUSES } from "./user.ts";

const ATTRIBUTE = z.strictObject({
  name: z.string().min(1),
  type: z.enum(DATA_TYPES).optional(),
  mutable: z.boolean().optional(),
  required: z.boolean().optional(),
  developerOnly: z.boolean().optional(),
  minLength: z.int().min(0).optional(),
  maxLength: z.int().min(0).optional(),
  minValue: z.number().optional(),
  maxValue: z.number().optional(),
});

const contacts = z.array(z.enum(CONTACTS)).readonly().optional();

/** A pool to add, in process or by `POST /_emulator/pools`. */
export const POOL_DEFINITION = z
  .strictObject({
    /** Region, underscore, letters and digits: `eu-west-1_Example`. One is made up where it is absent. */
    id: z
      .string()
      .max(55)
      .regex(/^[\w-]+_[0-9a-zA-Z]+$/)
      .optional(),
    name: z.string().min(1).optional(),
    schema: z.array(ATTRIBUTE).readonly().optional(),
    /** People sign in with these: values are unique, the username is the sub. Excludes `aliasAttributes`. */
    usernameAttributes: contacts,
    /** Verified values of these are further names of a user. */
    aliasAttributes: z
      .array(z.enum([...CONTACTS, "preferred_username"]))
      .readonly()
      .optional(),
    autoVerified: contacts,
    /** A subset of `autoVerified`. */
    requireVerificationBeforeUpdate: contacts,
    /** True unless said, as where a pool is created through the API. */
    caseSensitive: z.boolean().optional(),
    /** Identity providers by name, each with the attributes that it gives its users, by what they are called there. */
    identityProviders: z.record(z.string(), z.record(z.string(), z.string())).optional(),
  })
  .refine(
    ({ usernameAttributes = [], aliasAttributes = [] }) => !(usernameAttributes.length && aliasAttributes.length),
    {
      error: "Expected `usernameAttributes` or `aliasAttributes`, got both",
    },
  )
  .refine(
    ({ requireVerificationBeforeUpdate = [], autoVerified = [] }) =>
      requireVerificationBeforeUpdate.every((contact) => autoVerified.includes(contact)),
    { error: "All attributes in AttributesRequireVerificationBeforeUpdate must exist in AutoVerifiedAttributes" },
  );
export type PoolDefinition = z.infer<typeof POOL_DEFINITION>;

/** A user to put into a pool as it is, past the rules for requests. */
export const USER_SEED = z.strictObject({
  /** In a pool with username attributes: the e-mail address or phone number. */
  username: z.string().min(1).max(128),
  /** Made up where it is absent. */
  sub: z.string().optional(),
  attributes: z.record(z.string(), z.string()).optional(),
  status: z.enum(USER_STATUSES).optional(),
  enabled: z.boolean().optional(),
  /** Epoch ms. Now where it is absent, and then a lagging ListUsers does not show the user at once. */
  createdAt: z.number().min(0).optional(),
});
export type UserSeed = z.infer<typeof USER_SEED>;
