/** The file of a feed, wherever it lies, as a source that can be read twice. */
import { glob, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { authorizationOf, bucketTarget, readAwsSettings } from "../../config/config.ts";
import type { FetchSetting } from "../../config/schedule.ts";
import { ConfigError } from "../../config/config-error.ts";
import { FeedError } from "../../feeds/feed-error.ts";
import { LOCATION_FORM, nameOf, parseLocation } from "../../feeds/location.ts";
import { openFetched, openSource, type Source } from "../../feeds/source.ts";
import type { FetchedFile } from "../../feeds/web-file.ts";

export interface FeedFileOptions {
  /** The feed of the configuration, where it is one. */
  readonly feed: string | undefined;
  readonly fetch: FetchSetting | undefined;
  /** Of what was fetched last. */
  readonly etag?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>> | undefined;
  readonly spoolDir: string;
  readonly encoding?: string | undefined;
  readonly stream?: boolean;
  readonly stdin?: Readable;
  readonly signal: AbortSignal;
}

export type FeedFile =
  | { readonly is: "unchanged" }
  | { readonly is: "opened"; readonly source: Source; readonly etag?: string };

/** Throws a FeedError, or a ConfigError where a credential is not set. Without an `etag` it is never unchanged. */
export async function openFeedFile(file: string, options: FeedFileOptions): Promise<FeedFile> {
  const location = parseLocation(file);
  if (location === undefined) throw new ConfigError([{ path: "FILE", message: `Expected ${LOCATION_FORM}` }]);
  if (location.kind === "path") return { is: "opened", source: await openSource(file, options) };
  if (location.kind === "glob") return { is: "opened", source: await openSource(await newest(file), options) };
  const { feed = "", fetch: setting = {}, etag, environment, signal, spoolDir, encoding } = options;
  // Few feeds are fetched: what fetches them is loaded here.
  const { DEFAULT_FETCH_LIMITS, fetchWebFile } = await import("../../feeds/web-file.ts");
  const limits = {
    maxBytes: setting.maxMegabytes === undefined ? DEFAULT_FETCH_LIMITS.maxBytes : setting.maxMegabytes * 2 ** 20,
    timeoutMs: setting.timeout ?? DEFAULT_FETCH_LIMITS.timeoutMs,
  };
  let fetched: FetchedFile;
  if (location.kind === "web") {
    const authorization = authorizationOf(feed, setting, environment);
    fetched = await fetchWebFile({ url: location.url, authorization, etag, limits, signal });
  } else {
    const { fetchS3File } = await import("../../cognito/s3-file.ts");
    const target = bucketTarget(await readAwsSettings(environment), feed, setting);
    fetched = await fetchS3File({ ...location, target, etag, limits, signal });
  }
  if (fetched.is === "unchanged") return fetched;
  const { body, modifiedAtMs, undated } = fetched;
  try {
    const source = await openFetched(nameOf(location), body, {
      spoolDir,
      encoding,
      modifiedAtMs,
      undated,
      maxBytes: limits.maxBytes,
    });
    return { is: "opened", source, ...(fetched.etag === undefined ? {} : { etag: fetched.etag }) };
  } finally {
    await fetched.close();
  }
}

/**
 * The file that was modified last among those that match: each export holds everybody, so an older one says nothing
 * that the newest does not. Of two of one time it is the one whose name is last. A file of just that name goes before.
 */
async function newest(pattern: string): Promise<string> {
  const isThere = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() === true;
  if (await isThere(pattern)) return pattern;
  let found: { path: string; at: number } | undefined;
  for await (const path of glob(pattern)) {
    const stats = await stat(path).catch(() => undefined);
    if (stats?.isFile() !== true) continue;
    const at = stats.mtimeMs;
    if (found === undefined || at > found.at || (at === found.at && path > found.path)) found = { path, at };
  }
  if (found !== undefined) return found.path;
  throw new FeedError(
    "missing",
    `No file matches \`${pattern}\`; check the pattern and whether the export was written.`,
  );
}
