import { StoreError, storeReplaced } from "../store-error.ts";
import { FOREIGN, foreignFormat, REPLACED } from "./format.ts";

/**
 * ioredis hangs the whole command on its errors, arguments included: usernames, values, and for AUTH the password. No
 * log may show these, so the command is taken off before an error leaves this room.
 */
export function withoutCommand(error: unknown): unknown {
  if (error instanceof Error && "command" in error) delete error.command;
  return error;
}

/** Where a script was refused something, Redis 6.2 says the place in the script before the code. */
const CODE =
  /^(?:ERR Error running script \(call to f_[0-9a-f]+\): @user_script:\d+: @user_script: \d+: -)?(?:ERR )?([A-Z]+)\b/;

/** The code that a Redis error begins with, such as `READONLY`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? CODE.exec(error.message)?.[1] : undefined;
}

const AGAIN = "Nothing is lost; then do the same again.";

type Fault = (cause: unknown) => StoreError;

const full: Fault = (cause) =>
  new StoreError(
    "full",
    `Redis has reached its maxmemory and takes no more changes: give it more memory, or let workers deliver what is queued. ${AGAIN}`,
    { cause },
  );
const withoutReplicas: Fault = (cause) =>
  new StoreError(
    "no-replicas",
    `Redis takes no changes while fewer replicas follow it than its min-replicas-to-write: a failover is over in seconds, else bring the replicas back. ${AGAIN}`,
    { cause },
  );
const notSaving: Fault = (cause) =>
  new StoreError(
    "not-saving",
    `Redis takes no changes because it cannot save them: its disk is full, or it may not write there. Its log has why. ${AGAIN}`,
    { cause },
  );
const notReady: Fault = (cause) =>
  new StoreError(
    "not-ready",
    `Redis cannot carry this out at the moment: it is starting, failing over, or busy with something that takes long. That is over in seconds, else look at its log. ${AGAIN}`,
    { cause },
  );
const refused: Fault = (cause) =>
  new StoreError(
    "unreachable",
    "Redis takes the credentials of REDIS_URL no more, or not for this: check the user and password, and that the user may run every command on keys that begin with {poolsync",
    { cause },
  );
const ofCluster: Fault = (cause) =>
  new StoreError(
    "misconfigured",
    "Redis is a node of a cluster, and is not asked as one: let REDIS_URL begin with redis+cluster://",
    { cause },
  );
const ofAnotherType: Fault = (cause) =>
  new StoreError(
    "damaged",
    "A key of this namespace is not of the type that poolsync gives it: something else writes to it, or it was restored in part. Take another POOLSYNC_NAMESPACE, or restore the whole of it from a backup.",
    { cause },
  );

/** What a server answers where it does not do what it was asked, by the code that the answer begins with. */
const FAULTS: Readonly<Record<string, Fault>> = {
  OOM: full,
  NOREPLICAS: withoutReplicas,
  MISCONF: notSaving,
  LOADING: notReady,
  MASTERDOWN: notReady,
  READONLY: notReady,
  UNBLOCKED: notReady,
  BUSY: notReady,
  UNKILLABLE: notReady,
  CLUSTERDOWN: notReady,
  TRYAGAIN: notReady,
  EXECABORT: notReady,
  NOAUTH: refused,
  WRONGPASS: refused,
  NOPERM: refused,
  MOVED: ofCluster,
  ASK: ofCluster,
  WRONGTYPE: ofAnotherType,
};

/**
 * The error of a Redis that does not do what it is asked, or of lua/fence.lua, said so that one can act on it; any other
 * as it is, without its command.
 */
export function redisFault(error: unknown): unknown {
  const code = codeOf(error);
  const cause = withoutCommand(error);
  if (code === FOREIGN && error instanceof Error) {
    return foreignFormat(/\bFOREIGNFORMAT (\S+)/.exec(error.message)?.[1] ?? "", cause);
  }
  if (code === REPLACED && error instanceof Error) {
    const how = /\bREPLACEDSTORE (gone|epoch)/.exec(error.message)?.[1];
    return storeReplaced(how === "gone" || how === "epoch" ? how : "other", cause);
  }
  // A transaction is refused for what one of its commands was.
  const codes = [...refusalsBefore(error).map(codeOf), code];
  const known = codes.find((one) => one !== undefined && Object.hasOwn(FAULTS, one));
  return FAULTS[known ?? ""]?.(cause) ?? cause;
}

/** Of a transaction: what its commands were refused with, without these. */
function refusalsBefore(error: unknown): readonly unknown[] {
  if (!(error instanceof Error && "previousErrors" in error && Array.isArray(error.previousErrors))) return [];
  return error.previousErrors.map(withoutCommand);
}

/** A client whose promises reject as `redisFault` says: of Redis, or of BullMQ, which asks Redis by itself. */
export function withFaults<Client extends object>(client: Client): Client {
  const faulty: Client = new Proxy(client, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...args: readonly unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args);
        if (answer === target) return faulty;
        if (!(answer instanceof Promise)) return answer;
        return answer.catch((error: unknown) => {
          throw redisFault(error);
        });
      };
    },
  });
  return faulty;
}
