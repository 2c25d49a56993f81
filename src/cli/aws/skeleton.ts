/** `--generate-cli-skeleton`: the same JSON that the AWS CLI prints for the two operations. */

export type Operation = "AdminUpdateUserAttributes" | "UpdateUserAttributes";

export const SKELETON_KINDS = ["input", "output"] as const;

const attributes = [{ Name: "", Value: "" }];
const metadata = { KeyName: "" };

const INPUT: Readonly<Record<Operation, object>> = {
  AdminUpdateUserAttributes: {
    UserPoolId: "",
    Username: "",
    UserAttributes: attributes,
    ClientMetadata: metadata,
  },
  UpdateUserAttributes: { UserAttributes: attributes, AccessToken: "", ClientMetadata: metadata },
};

const OUTPUT: Readonly<Record<Operation, object>> = {
  AdminUpdateUserAttributes: {},
  UpdateUserAttributes: {
    CodeDeliveryDetailsList: [
      { Destination: "Destination", DeliveryMedium: "DeliveryMedium", AttributeName: "AttributeName" },
    ],
  },
};

/** A request to be filled in, as `--cli-input-json` takes it. */
export function inputSkeleton(operation: Operation): object {
  return INPUT[operation];
}

/** An answer as the operation gives it, with the members' names for values. */
export function outputSkeleton(operation: Operation): object {
  return OUTPUT[operation];
}
