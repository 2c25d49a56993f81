import type { Category, CategoryCount } from "./quota.ts";
import type { Contact } from "./contact.ts";

interface OperationCount {
  calls: number;
  /** Answers that were errors, by name; scripted `reset`, `hang`, `http-503` and `late-success` stand here too. */
  errors: Record<string, number>;
}

/** What has happened since the start. The object is live; copy it to compare two moments. */
export interface Counters {
  readonly operations: Record<string, OperationCount>;
  readonly categories: Readonly<Record<Category, CategoryCount>>;
  /** Verification messages and invitations that Cognito would have sent. */
  readonly messages: Record<Contact, number>;
}

export function createCounters(): Counters {
  const count = (): CategoryCount => ({ calls: 0, throttled: 0 });
  return {
    operations: {},
    categories: {
      UserUpdate: count(),
      UserList: count(),
      UserRead: count(),
      UserPoolRead: count(),
      UserPoolResourceRead: count(),
      UserCreation: count(),
    },
    messages: { email: 0, phone_number: 0 },
  };
}

function operationCount(counters: Counters, operation: string): OperationCount {
  return (counters.operations[operation] ??= { calls: 0, errors: {} });
}

export function countCall(counters: Counters, operation: string): void {
  operationCount(counters, operation).calls += 1;
}

export function countError(counters: Counters, operation: string, name: string): void {
  const { errors } = operationCount(counters, operation);
  errors[name] = (errors[name] ?? 0) + 1;
}
