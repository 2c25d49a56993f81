import type { z } from "zod";
import type { Category } from "../quota.ts";
import type { ListOptions } from "../user-list.ts";
import type { ServedPools } from "../pools.ts";
import { parseRequest } from "./request.ts";

/** What the operations work on. */
export interface Account {
  readonly pools: ServedPools;
  readonly now: () => number;
  readonly list: ListOptions;
}

/** One operation of the API. */
export interface Operation {
  readonly name: string;
  readonly category: Category;
  /** False for operations that an access token authorises, and nobody signs. */
  readonly signed: boolean;
  /** The answer's body. Throws the ServiceError that the caller is answered; nothing is written then. */
  answer(body: unknown, account: Account): object;
}

export interface OperationDefinition<Request extends z.ZodType> {
  readonly name: string;
  readonly category: Category;
  readonly signed: boolean;
  /** The constraints of the service model. */
  readonly request: Request;
  readonly run: (request: z.infer<Request>, account: Account) => object;
}

export function defineOperation<Request extends z.ZodType>(definition: OperationDefinition<Request>): Operation {
  const { name, category, signed, request, run } = definition;
  return { name, category, signed, answer: (body, account) => run(parseRequest(request, body), account) };
}

/** Epoch seconds with a fraction, as AWS JSON has its times. */
export function epochSeconds(ms: number): number {
  return ms / 1000;
}
