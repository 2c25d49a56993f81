/**
 * The SDK's client, set so that a call is one request: no retries of its own (they would bypass the pace). Requests go
 * over undici, by AWS's own handler for it, which ends an answer that never ends or is too long; and the SDK's
 * middleware is put together once (docs/adr/0006).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { CognitoIdentityProvider } from "@aws-sdk/client-cognito-identity-provider";
import { getSchemaSerdePlugin } from "@smithy/core/schema";
import { UndiciHttpHandler, type UndiciHttpHandlerOptions } from "@smithy/undici-http-handler";
import { Agent } from "undici";
import { defined } from "../core/defined.ts";
import type { CallTarget } from "../core/call-target.ts";
import { createControlPlane, type ControlPlane } from "./control-plane.ts";
import { credentialsFor } from "./credentials.ts";
import { TooLateToSend } from "./fault.ts";
import type { ReadTurns } from "./read-retry.ts";
import { Sha256 } from "./sha256.ts";

/**
 * These options say completely where the client calls: the SDK itself reads no endpoint from the environment or from
 * AWS's files.
 */
export interface ClientOptions extends CallTarget {
  /** The most calls in flight: each has a socket. */
  readonly concurrency: number;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** Shared with other clients of the same endpoint; its own where absent. */
  readonly controlPlane?: ControlPlane;
}

export interface CallLimits {
  readonly signal?: AbortSignal | undefined;
  /**
   * By performance.now(): from then on the request is not sent. The client checks it as the last thing before the wire,
   * because a process that was suspended goes on in the middle of its work, before any timer can abort it.
   */
  readonly notAfter?: number | undefined;
}

export interface CognitoClient {
  /**
   * Makes the call within its limits. Only for the files of this folder. Throws TooLateToSend, and what the SDK does.
   */
  within<T>(limits: CallLimits, call: (sdk: CognitoIdentityProvider) => Promise<T>): Promise<T>;
  /** How long a call may take before it fails by time-out, in ms. */
  readonly callMs: number;
  /** Host and port that calls go to, as the SDK resolves them. Rejects where no Region is set. */
  endpointHost(): Promise<string>;
  /** The turns in which pools' descriptions are read. */
  readonly controlPlane: ReadTurns;
  close(): void;
}

/** How many bytes of one answer are read at most. A page of ListUsers with every attribute at its limit stays below. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 15_000;

/**
 * The limits of the call under way. If they were options of the call, the SDK would build its middleware anew for each
 * call.
 */
const limitsOfCall = new AsyncLocalStorage<CallLimits>();

/** Sends each request of a call within the call's limits, but not those for credentials, which calls share. */
class LimitedHandler extends UndiciHttpHandler {
  readonly #agent: Agent;

  /**
   * `agent` is of our own undici. The one that AWS's handler brings along, and the one in Node 24, end the process where
   * a server closes the connection while an answer waits to be read (nodejs/undici#5360).
   */
  constructor(agent: Agent) {
    if (!isTakenByHandler(agent)) throw new TypeError("Expected an agent of undici");
    super({ dispatcher: agent });
    this.#agent = agent;
  }

  override async handle(...[request, options]: Parameters<UndiciHttpHandler["handle"]>) {
    const isCall = request.headers["x-amz-target"]?.startsWith("AWSCognitoIdentityProviderService.");
    const { signal, notAfter = Infinity } = (isCall && limitsOfCall.getStore()) || {};
    if (performance.now() >= notAfter) throw new TooLateToSend();
    return super.handle(request, signal ? { ...options, abortSignal: signal } : options);
  }

  /** A client that was closed stays closed: AWS's handler would go on over another agent, that of the process. */
  override destroy(): void {
    void this.#agent.destroy();
  }
}

/** AWS's handler takes the agent of any undici, as it documents; its types name only the undici that it brings along. */
function isTakenByHandler(agent: unknown): agent is NonNullable<UndiciHttpHandlerOptions["dispatcher"]> {
  return agent instanceof Agent;
}

/** Opens nothing: sockets are made by the first call, and credentials are looked for then. */
export function createCognitoClient(options: ClientOptions): CognitoClient {
  const { region, endpoint, profile, concurrency } = options;
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const { controlPlane = createControlPlane() } = options;
  const sdk = new CognitoIdentityProvider({
    ...defined({ region, endpoint, profile }),
    // By itself the SDK would take the endpoint of AWS_PROFILE's profile, even where another profile is meant.
    ignoreConfiguredEndpointUrls: true,
    credentials: credentialsFor(options),
    // With `maxAttempts: 1` the SDK would keep account of its one attempt, which is a tenth of what a call costs.
    retryStrategy: { retry: (send, args) => send(args) },
    cacheMiddleware: true,
    sha256: Sha256,
    userAgentAppId: "poolsync",
    requestHandler: new LimitedHandler(
      new Agent({
        connections: concurrency,
        connect: { timeout: connectTimeoutMs },
        headersTimeout: requestTimeoutMs,
        bodyTimeout: requestTimeoutMs,
        maxResponseSize: MAX_ANSWER_BYTES,
        // Each call in flight has a socket, to which the limits above are known to apply.
        allowH2: false,
      }),
    ),
  });
  makeCopiesCheap(sdk);
  return {
    within: (limits, call) => limitsOfCall.run(limits, () => call(sdk)),
    callMs: connectTimeoutMs + requestTimeoutMs,
    endpointHost: () => hostOf(sdk),
    controlPlane,
    close() {
      if (options.controlPlane === undefined) controlPlane.close();
      sdk.destroy();
    },
  };
}

/**
 * The SDK copies its settings for each call, several times. In the form in which it has put them together that takes
 * 7 µs each time, a sixth of what a call costs; of a copy of them, next to nothing.
 */
function makeCopiesCheap(sdk: CognitoIdentityProvider): void {
  const settings = { ...sdk.config };
  // For what a command puts together, and for what the client has put together already.
  Object.assign(sdk, { config: settings });
  sdk.middlewareStack.use(getSchemaSerdePlugin(settings));
}

/** What the client was given, else what AWS's rules say of the Region. */
async function hostOf({ config }: CognitoIdentityProvider): Promise<string> {
  const given = await config.endpoint?.();
  if (given) return given.port === undefined ? given.hostname : `${given.hostname}:${given.port}`;
  const [Region, UseDualStack, UseFIPS] = await Promise.all([
    config.region(),
    config.useDualstackEndpoint(),
    config.useFipsEndpoint(),
  ]);
  return config.endpointProvider({ Region, UseDualStack, UseFIPS }).url.host;
}

/**
 * One client per target, made when first asked for: the sockets, the credentials and their
 * renewal are shared by the pools that have them in common.
 */
export interface CognitoClients {
  of(target: CallTarget): CognitoClient;
  close(): void;
}

/** What the clients of all targets have in common. */
export type ClientSettings = Omit<ClientOptions, keyof CallTarget | "controlPlane">;

export function createCognitoClients(options: ClientSettings): CognitoClients {
  const clients = new Map<string, CognitoClient>();
  // Whose account a profile is of is not known before the first answer: the profiles of one endpoint share its turns.
  const controlPlanes = new Map<string, ControlPlane>();
  const controlPlaneOf = ({ region, endpoint }: CallTarget): ControlPlane => {
    const key = JSON.stringify([region, endpoint]);
    const controlPlane = controlPlanes.get(key) ?? createControlPlane();
    controlPlanes.set(key, controlPlane);
    return controlPlane;
  };
  return {
    of({ region, endpoint, profile, keysOfEnvironment, roleEndpoint }) {
      const target = defined({ region, endpoint, profile, keysOfEnvironment, roleEndpoint });
      const key = JSON.stringify(target);
      const client =
        clients.get(key) ?? createCognitoClient({ ...options, ...target, controlPlane: controlPlaneOf(target) });
      clients.set(key, client);
      return client;
    },
    close() {
      for (const client of clients.values()) client.close();
      clients.clear();
      for (const controlPlane of controlPlanes.values()) controlPlane.close();
      controlPlanes.clear();
    },
  };
}
