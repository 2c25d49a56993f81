/**
 * A feed's file in S3. The client is another package than Cognito's, loaded only where a feed asks for it, so that
 * poolsync works without it.
 */
import type * as S3 from "@aws-sdk/client-s3";
import { defined } from "../core/defined.ts";
import type { CallTarget } from "../core/call-target.ts";
import { FeedError } from "../feeds/feed-error.ts";
import { codeOf, limited, tooLong, tooSlow, type FetchedFile, type FetchLimits } from "../feeds/web-file.ts";
import { credentialsFor } from "./credentials.ts";

export interface S3FileOptions {
  readonly bucket: string;
  readonly key: string;
  /** At an endpoint that is not AWS's own, buckets are in the path. */
  readonly target: CallTarget;
  /** The ETag of the version that is known: the file is not sent again where it is still the same. */
  readonly etag?: string | undefined;
  readonly limits: FetchLimits;
  readonly signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Throws a FeedError `fetch`, or what `signal` was aborted with. */
export async function fetchS3File(options: S3FileOptions): Promise<FetchedFile> {
  const { bucket, key, target, etag, limits, signal } = options;
  const { region, profile, endpoint } = target;
  const name = `s3://${bucket}/${key}`;
  const { GetObjectCommand, S3Client } = await loadClient(name);
  const client = new S3Client({
    ...defined({ region, profile, endpoint, forcePathStyle: endpoint === undefined ? undefined : true }),
    ignoreConfiguredEndpointUrls: true,
    credentials: credentialsFor(target),
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
    userAgentAppId: "poolsync",
  });
  const within = AbortSignal.any([signal, AbortSignal.timeout(limits.timeoutMs)]);
  const failed = (cause: unknown): unknown => {
    if (cause instanceof FeedError || signal.aborted) return cause;
    if (within.aborted) return tooSlow(name, limits.timeoutMs, cause);
    return new FeedError("fetch", `\`${name}\` could not be fetched (${codeOf(cause)}): ${adviceOf(cause)}.`, {
      cause,
    });
  };
  const beganAtMs = Date.now();
  try {
    const command = new GetObjectCommand(defined({ Bucket: bucket, Key: key, IfNoneMatch: etag }));
    const answer = await client.send(command, { abortSignal: within });
    if ((answer.ContentLength ?? 0) > limits.maxBytes) throw tooLong(name, limits.maxBytes);
    if (answer.Body === undefined) throw new FeedError("fetch", `\`${name}\` has no content: check the key.`);
    const body = completeBody(answer.Body.transformToWebStream(), answer.ContentLength, name);
    return {
      is: "new",
      modifiedAtMs: answer.LastModified?.getTime() ?? beganAtMs,
      ...defined({ etag: answer.ETag, undated: answer.LastModified ? undefined : (true as const) }),
      body: limited(body, name, limits.maxBytes, failed),
      close: async () => client.destroy(),
    };
  } catch (cause) {
    client.destroy();
    if (statusOf(cause) === 304) return { is: "unchanged" };
    throw failed(cause);
  }
}

async function loadClient(name: string): Promise<typeof S3> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw new FeedError(
      "fetch",
      `\`${name}\` needs the package @aws-sdk/client-s3, which is not installed: install it beside poolsync.`,
      { cause },
    );
  }
}

/** Throws where fewer bytes came than were announced. */
async function* completeBody(body: AsyncIterable<Uint8Array>, announced: number | undefined, name: string) {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    yield chunk;
  }
  if (announced !== undefined && bytes !== announced) {
    throw new FeedError("fetch", `\`${name}\` ended after ${bytes} of ${announced} bytes: try again.`);
  }
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const { $metadata: metadata } = error;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}

function adviceOf(error: unknown): string {
  const status = statusOf(error);
  if (status === 403) return "allow the identity s3:GetObject on it";
  if (status === 404) return "check bucket, key and Region";
  return "check the network, the Region and the credentials";
}
