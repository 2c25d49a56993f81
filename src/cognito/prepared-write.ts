/**
 * AdminUpdateUserAttributes without the SDK's middleware, which costs more than signing and sending together. What is
 * sent is the SDK's own request, made by it once: endpoint, host, target and user agent. Later ones differ from it by
 * their body and signature. Signer, credentials, HTTP handler and the reading of errors are the client's.
 */
import {
  AdminUpdateUserAttributes$,
  AdminUpdateUserAttributesCommand,
} from "@aws-sdk/client-cognito-identity-provider";
import type { AdminUpdateUserAttributesCommandInput } from "@aws-sdk/client-cognito-identity-provider";
import { z } from "zod";
import type { CognitoClient } from "./client.ts";

type Sdk = CognitoClient["sdk"];
interface Template {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Record<string, string>;
}
/** Signed, and of the SDK's own type, which is that of no HTTP in particular. */
type HttpRequest = Awaited<ReturnType<Signer["sign"]>>;
type Signer = Awaited<ReturnType<Sdk["config"]["signer"]>>;
interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body: unknown;
}

export interface PreparedWrite {
  /** Signs the request. Rejects as the SDK does, where there is no Region or there are no credentials. */
  sign(input: AdminUpdateUserAttributesCommandInput): Promise<HttpRequest>;
  /** Sends it, and rejects as the SDK does where it is refused or fails. */
  send(request: HttpRequest, signal: AbortSignal): Promise<void>;
}

const REQUEST = z.object({
  method: z.string(),
  protocol: z.string(),
  hostname: z.string(),
  port: z.number().optional(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
});

const [, namespace, name, traits, input, output] = AdminUpdateUserAttributes$;
const OPERATION = { namespace, name, traits, input, output };
/** What Cognito answers to a write. Anything else is the SDK's to read. */
const DONE = "{}";

export function prepareWrite({ sdk }: CognitoClient): PreparedWrite {
  const { config } = sdk;
  let prepared: { readonly template: Template; readonly signer: Signer } | undefined;

  async function prepare(): Promise<NonNullable<typeof prepared>> {
    const template = await templateOf(sdk);
    return { template, signer: await config.signer() };
  }

  async function read(response: HttpResponse): Promise<void> {
    try {
      const bytes = await config.streamCollector(response.body);
      if (response.statusCode === 200 && Buffer.from(bytes).toString() === DONE) return;
      response.body = bytes;
      // Its type is of several versions of the SDK's types at once, which no argument fits.
      const { protocol } = config;
      await Reflect.apply(protocol.deserializeResponse, protocol, [OPERATION, config, response]);
    } catch (error) {
      // As the SDK does for answers that are none of Cognito's: who reads the error knows that there was one.
      if (error instanceof Error && !("$metadata" in error)) {
        Object.assign(error, { $metadata: { httpStatusCode: response.statusCode } });
      }
      throw error;
    } finally {
      // The SDK's own correction of a clock that is wrong.
      const serverMs = Date.parse(response.headers["date"] ?? "");
      if (!Number.isNaN(serverMs)) config.systemClockOffset = serverMs - Date.now();
    }
  }

  return {
    async sign(values) {
      prepared ??= await prepare();
      const { template, signer } = prepared;
      const body = JSON.stringify(values);
      const headers = { ...template.headers, "content-length": String(Buffer.byteLength(body)) };
      return signer.sign(
        { ...template, query: {}, headers, body },
        { signingDate: new Date(Date.now() + config.systemClockOffset) },
      );
    },
    async send(request, signal) {
      const said: { readonly response: HttpResponse } = await config.requestHandler.handle(request, {
        abortSignal: signal,
      });
      await read(said.response);
    },
  };
}

/** The request as the SDK makes it, caught before it is signed. */
async function templateOf(sdk: Sdk): Promise<Template> {
  const command = new AdminUpdateUserAttributesCommand({ UserPoolId: "x", Username: "x", UserAttributes: [] });
  let made: unknown;
  command.middlewareStack.add(
    () => async (args) => {
      made = args.request;
      throw new Caught();
    },
    // After everything that belongs to the request, before what belongs to one attempt.
    { step: "build", priority: "low", name: "caught" },
  );
  try {
    await sdk.send(command, {});
  } catch (thrown) {
    if (!(thrown instanceof Caught)) throw thrown;
  }
  const { port, ...rest } = REQUEST.parse(made);
  return port === undefined ? rest : { ...rest, port };
}

class Caught extends Error {}
