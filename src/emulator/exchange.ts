import type { IncomingMessage, ServerResponse } from "node:http";
import { ServiceError } from "./service-error.ts";

/**
 * The body of a request as text. Rejects where the caller goes before its end, and with a ServiceError for one of more
 * than `maxBytes`, of which no more is kept.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) return void chunks.push(chunk);
      chunks = [];
      reject(new ServiceError("RequestEntityTooLargeException", "Request body is too large", 413));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
  });
}

/** Sends a whole body. Does nothing where the caller has gone. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  text: string,
): void {
  if (response.destroyed) return;
  const body = Buffer.from(text);
  response.writeHead(status, { ...headers, "content-length": body.length }).end(body);
}

export function sendAnswer(response: ServerResponse, requestId: string, answer: object): void {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": requestId };
  send(response, 200, headers, JSON.stringify(answer));
}

const MAX_HEADER_LENGTH = 4096;

/** Cognito repeats the error's text in a header, form-encoded where it is not plain: a second place for values. */
function messageHeader(message: string): Record<string, string> {
  const text = /^[\x20-\x7e]*$/.test(message) ? message : new URLSearchParams({ m: message }).toString().slice(2);
  return text.length === 0 || text.length > MAX_HEADER_LENGTH ? {} : { "x-amzn-errormessage": text };
}

export function sendError(response: ServerResponse, requestId: string, error: ServiceError): void {
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amzn-requestid": requestId,
    "x-amzn-errortype": `${error.name}:`,
    ...messageHeader(error.message),
  };
  const message = error.message === "" ? {} : { message: error.message };
  send(response, error.status, headers, JSON.stringify({ __type: error.name, ...message }));
}
