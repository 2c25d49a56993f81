import { z } from "zod";
import { verifyToken } from "../access-token.ts";
import { isFlag, maskContact } from "../contact.ts";
import { namedError, notAuthorized } from "../service-error.ts";
import { defineOperation } from "./operation.ts";
import { ATTRIBUTES, CLIENT_METADATA } from "./request.ts";

export const updateUserAttributes = defineOperation({
  name: "UpdateUserAttributes",
  category: "UserUpdate",
  signed: false,
  request: z.object({
    AccessToken: z.string().regex(/^[A-Za-z0-9-_=.]+$/, { error: "[A-Za-z0-9-_=.]+" }),
    UserAttributes: ATTRIBUTES,
    ClientMetadata: CLIENT_METADATA,
  }),
  run({ AccessToken, UserAttributes, ClientMetadata }, { pools, now }) {
    const subject = verifyToken(AccessToken, now());
    const pool = pools.demand(subject.pool);
    const user = pool.directory.bySub(subject.sub);
    if (user === undefined) throw namedError("UserNotFoundException");
    if (!user.enabled) throw notAuthorized("User is disabled.");
    if (user.status === "UNCONFIRMED") throw namedError("UserNotConfirmedException");
    if (user.status === "RESET_REQUIRED") throw namedError("PasswordResetRequiredException");
    // Sources disagree on the flags (some saw success without effect); no caller should send them on this path.
    if (UserAttributes.some(({ name }) => isFlag(name) || pool.schema.get(name)?.developerOnly === true)) {
      throw notAuthorized("A client attempted to write unauthorized attribute");
    }
    const call = { operation: "UpdateUserAttributes", clientMetadata: ClientMetadata };
    const { messages, attributes, held } = pool.update(user, UserAttributes, call);
    const deliveries = messages.map((contact) => ({
      Destination: maskContact(contact, held.get(contact) ?? attributes.get(contact) ?? ""),
      DeliveryMedium: contact === "email" ? "EMAIL" : "SMS",
      AttributeName: contact,
    }));
    return deliveries.length > 0 ? { CodeDeliveryDetailsList: deliveries } : {};
  },
});
