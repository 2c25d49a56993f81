/** Listens to the calls that are made for one change, so that who made it is told what Cognito said. */
import { scrub } from "../core/scrub.ts";
import type { AttributeWriter } from "./attribute-writer.ts";
import type { Refusal } from "./fault.ts";
import type { TokenAnswer, TokenWriter } from "./token-writer.ts";
import type { UserDirectory } from "./user-directory.ts";

/** A refused call as the AWS CLI would tell of it. Holds none of the values that were sent. */
export interface SaidRefusal {
  readonly operation: "AdminUpdateUserAttributes" | "UpdateUserAttributes" | "ListUsers";
  /** `UserNotFoundException` */
  readonly name: string;
  readonly message: string;
  readonly kind: string;
  readonly advice: string;
}

export interface HeardCalls {
  readonly writer: AttributeWriter;
  readonly directory: UserDirectory;
  readonly tokenWriter: TokenWriter;
  /** What Cognito answered to the user's own calls. */
  readonly tokenAnswer: TokenAnswer | undefined;
  /** What was refused last. */
  readonly refusal: SaidRefusal | undefined;
  /** Names of attributes that were written. */
  readonly written: ReadonlySet<string>;
}

/** The refusal without the values. */
export function saidRefusal(
  operation: SaidRefusal["operation"],
  { failure, name, message }: Refusal,
  values: readonly string[],
): SaidRefusal {
  const { kind, advice } = failure;
  return { operation, name, message: scrub(message, values).trim(), kind, advice };
}

export interface Calls {
  readonly writer: AttributeWriter;
  readonly tokenWriter: TokenWriter;
  readonly directory: UserDirectory;
}

export function hearCalls({ writer, tokenWriter, directory }: Calls): HeardCalls {
  let tokenAnswer: TokenAnswer | undefined;
  let refusal: SaidRefusal | undefined;
  const written = new Set<string>();
  return {
    writer: {
      async write(poolId, username, attributes, options) {
        const said = await writer.write(poolId, username, attributes, options);
        if (said.ok) for (const { Name } of attributes) written.add(Name);
        else
          refusal = saidRefusal("AdminUpdateUserAttributes", said, [username, ...attributes.map(({ Value }) => Value)]);
        return said;
      },
    },
    directory: {
      ...directory,
      async readUser(poolId, name, look) {
        const said = await directory.readUser(poolId, name, look);
        if (!said.ok) refusal = saidRefusal("ListUsers", said, Object.values(name));
        return said;
      },
      async resolve(poolId, attribute, value, look) {
        const said = await directory.resolve(poolId, attribute, value, look);
        if (!said.ok) refusal = saidRefusal("ListUsers", said, [value]);
        return said;
      },
      async owners(poolId, alias, look) {
        const said = await directory.owners(poolId, alias, look);
        if (!said.ok) refusal = saidRefusal("ListUsers", said, [alias.value]);
        return said;
      },
    },
    tokenWriter: {
      async write(token, attributes, options) {
        const said = await tokenWriter.write(token, attributes, options);
        const values = attributes.map(({ Value }) => Value);
        if (!said.ok) refusal = saidRefusal("UpdateUserAttributes", said, [token, ...values]);
        else {
          for (const { Name } of attributes) written.add(Name);
          const codes = [
            ...(tokenAnswer?.CodeDeliveryDetailsList ?? []),
            ...(said.answer.CodeDeliveryDetailsList ?? []),
          ];
          tokenAnswer = codes.length === 0 ? {} : { CodeDeliveryDetailsList: codes };
        }
        return said;
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
