import { adminCreateUser } from "./admin-create-user.ts";
import { adminDeleteUser } from "./admin-delete-user.ts";
import { adminGetUser } from "./admin-get-user.ts";
import { adminUpdateUserAttributes } from "./admin-update-user-attributes.ts";
import { describeIdentityProvider } from "./describe-identity-provider.ts";
import { describeUserPool } from "./describe-user-pool.ts";
import { listUsers } from "./list-users.ts";
import type { Operation } from "./operation.ts";
import { updateUserAttributes } from "./update-user-attributes.ts";

/** Every operation that the emulator knows, by name. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  [
    adminCreateUser,
    adminDeleteUser,
    adminGetUser,
    adminUpdateUserAttributes,
    describeIdentityProvider,
    describeUserPool,
    listUsers,
    updateUserAttributes,
  ].map((operation) => [operation.name, operation]),
);
