/** Records the calls that are made for one change, so that its caller learns what Cognito answered. */
import { scrub } from "../core/scrub.ts";
import type { AttributeWriter } from "./attribute-writer.ts";
import type { Refusal } from "./fault.ts";
import type { TokenAnswer, TokenWriter } from "./token-writer.ts";
import type { UserDirectory } from "./user-directory.ts";

/** A refused call as the AWS CLI would tell of it. Holds none of the values that were sent. */
export interface CallRefusal {
  readonly operation: "AdminUpdateUserAttributes" | "UpdateUserAttributes" | "ListUsers";
  /** `UserNotFoundException` */
  readonly name: string;
  readonly message: string;
  readonly kind: string;
  readonly advice: string;
}

export interface RecordedCalls {
  readonly writer: AttributeWriter;
  readonly directory: UserDirectory;
  readonly tokenWriter: TokenWriter;
  /** What Cognito answered to the user's own calls. */
  readonly tokenAnswer: TokenAnswer | undefined;
  /** What was refused last. */
  readonly refusal: CallRefusal | undefined;
  /** Names of attributes that were written. */
  readonly written: ReadonlySet<string>;
}

/** The refusal without the values. */
export function callRefusal(
  operation: CallRefusal["operation"],
  { failure, name, message }: Refusal,
  values: readonly string[],
): CallRefusal {
  const { kind, advice } = failure;
  return { operation, name, message: scrub(message, values).trim(), kind, advice };
}

export interface Calls {
  readonly writer: AttributeWriter;
  readonly tokenWriter: TokenWriter;
  readonly directory: UserDirectory;
}

export function recordCalls({ writer, tokenWriter, directory }: Calls): RecordedCalls {
  let tokenAnswer: TokenAnswer | undefined;
  let refusal: CallRefusal | undefined;
  const written = new Set<string>();
  return {
    writer: {
      async write(poolId, username, attributes, options) {
        const response = await writer.write(poolId, username, attributes, options);
        if (response.ok) for (const { Name } of attributes) written.add(Name);
        else
          refusal = callRefusal("AdminUpdateUserAttributes", response, [
            username,
            ...attributes.map(({ Value }) => Value),
          ]);
        return response;
      },
    },
    directory: {
      ...directory,
      async readUser(poolId, name, look) {
        const response = await directory.readUser(poolId, name, look);
        if (!response.ok) refusal = callRefusal("ListUsers", response, Object.values(name));
        return response;
      },
      async resolve(poolId, attribute, value, look) {
        const response = await directory.resolve(poolId, attribute, value, look);
        if (!response.ok) refusal = callRefusal("ListUsers", response, [value]);
        return response;
      },
      async owners(poolId, alias, look) {
        const response = await directory.owners(poolId, alias, look);
        if (!response.ok) refusal = callRefusal("ListUsers", response, [alias.value]);
        return response;
      },
    },
    tokenWriter: {
      async write(token, attributes, options) {
        const response = await tokenWriter.write(token, attributes, options);
        const values = attributes.map(({ Value }) => Value);
        if (!response.ok) refusal = callRefusal("UpdateUserAttributes", response, [token, ...values]);
        else {
          for (const { Name } of attributes) written.add(Name);
          const codes = [
            ...(tokenAnswer?.CodeDeliveryDetailsList ?? []),
            ...(response.answer.CodeDeliveryDetailsList ?? []),
          ];
          tokenAnswer = codes.length === 0 ? {} : { CodeDeliveryDetailsList: codes };
        }
        return response;
      },
    },
    get tokenAnswer() {
      return tokenAnswer;
    },
    get refusal() {
      return refusal;
    },
    written,
  };
}
