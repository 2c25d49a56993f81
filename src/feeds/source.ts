import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { FeedError } from "./feed-error.ts";
import { openUnnamedFile } from "./unnamed-file.ts";

/** Small, because every stage of the way holds a few of them: larger ones are no faster and take more memory. */
const CHUNK_BYTES = 16 * 1024;
const STDIN_NAME = "standard input";

/** What a feed is known by: of the bytes as they lie on the disk, packed or not. */
export interface Identity {
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Where the bytes of a feed come from: a file, or standard input that was spooled to one. It is opened once and read
 * through the same file handle every time, so that a file renamed over it between two passes is not mixed in.
 */
export interface Source {
  /** As the user wrote it; what messages call it. */
  readonly name: string;
  /** A label of the WHATWG Encoding Standard, where the user gave one. */
  readonly encoding: string | undefined;
  /** Epoch ms: the as-of of a feed without a clock of its own. For standard input the time it was opened. */
  readonly modifiedAtMs: number;
  /** Nobody says when it was written: the time is that at which it was opened, or fetching it began. */
  readonly undated?: true | undefined;
  /** False for `--stream`: the bytes pass by once, and no first pass can check them. */
  readonly rereadable: boolean;
  /** Undefined until one pass has read everything. */
  readonly identity: Identity | undefined;
  /** The bytes from the beginning, unpacked. Throws a FeedError where they end too soon or changed since the first pass. */
  open(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

type FileTime = Pick<Source, "modifiedAtMs" | "undated">;

export interface SourceOptions {
  readonly encoding?: string | undefined;
  /** Standard input and pipes are spooled here, to a file that only its owner may read. Made where it is missing. */
  readonly spoolDir: string;
  /** Do not spool: read standard input as it comes, once. */
  readonly stream?: boolean;
  /** What `-` means; the process's own where absent. */
  readonly stdin?: Readable;
}

/** Opens `spec`, a path or `-`. Throws a FeedError for what is missing, a directory, unreadable or an unknown encoding. */
export async function openSource(spec: string, options: SourceOptions): Promise<Source> {
  checkEncoding(options.encoding);
  if (spec === "-") {
    const stdin = options.stdin ?? process.stdin;
    if (options.stream) return streamSource(STDIN_NAME, stdin, options.encoding, Date.now());
    const undated = { modifiedAtMs: Date.now(), undated: true } as const;
    return fileSource(STDIN_NAME, await spool(stdin, options.spoolDir), options.encoding, undated);
  }
  const handle = await openFile(spec);
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    await handle.close();
    throw new FeedError("directory", `\`${spec}\` is a directory; give the path of a file in it.`);
  }
  if (stats.isFile()) return fileSource(spec, handle, options.encoding, { modifiedAtMs: Math.trunc(stats.mtimeMs) });
  // A named pipe or a shell's `<(…)` can be read only once, just like standard input.
  const piped = handle.createReadStream();
  if (options.stream) return streamSource(spec, piped, options.encoding, Date.now());
  const undated = { modifiedAtMs: Date.now(), undated: true } as const;
  return fileSource(spec, await spool(piped, options.spoolDir), options.encoding, undated);
}

function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined) return;
  try {
    new TextDecoder(encoding);
  } catch (cause) {
    throw new FeedError(
      "encoding",
      `Expected \`--encoding\` to be an encoding such as utf-8, utf-16le, windows-1252 or iso-8859-15, got \`${encoding}\`.`,
      { cause },
    );
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new FeedError("missing", `\`${path}\` does not exist; check the path, or give \`-\` for standard input.`, {
        cause,
      });
    }
    const why =
      code === "EACCES" || code === "EPERM" ? "may not be read by this user" : `cannot be opened (${String(code)})`;
    throw new FeedError("unreadable", `\`${path}\` ${why}; check its permissions.`, { cause });
  }
}

export interface FetchedOptions extends Pick<SourceOptions, "spoolDir" | "encoding">, FileTime {
  /** The most that it may be once it is unpacked: how much of it was fetched says nothing of that. */
  readonly maxBytes: number;
}

/** What was fetched from elsewhere, spooled. A FeedError of `body` goes through as it is. */
export async function openFetched(
  name: string,
  body: AsyncIterable<Uint8Array>,
  { spoolDir, encoding, modifiedAtMs, undated, maxBytes }: FetchedOptions,
): Promise<Source> {
  checkEncoding(encoding);
  return fileSource(name, await spool(body, spoolDir), encoding, { modifiedAtMs, undated }, maxBytes);
}

/** Copies a stream to a file that is gone with the process. */
async function spool(input: AsyncIterable<Uint8Array>, directory: string): Promise<FileHandle> {
  let handle: FileHandle | undefined;
  try {
    handle = await openUnnamedFile(directory);
    await handle.writeFile(input);
    return handle;
  } catch (cause) {
    await handle?.close();
    if (cause instanceof FeedError) throw cause;
    throw new FeedError(
      "unreadable",
      `The feed cannot be spooled to \`${directory}\`; check that directory (--data-dir) and its free space; for standard input there is --stream.`,
      {
        cause,
      },
    );
  }
}

function fileSource(
  name: string,
  handle: FileHandle,
  encoding: string | undefined,
  { modifiedAtMs, undated }: FileTime,
  maxBytes = Infinity,
): Source {
  let identity: Identity | undefined;

  async function* raw(): AsyncGenerator<Buffer> {
    const hash = createHash("sha256");
    let bytes = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, bytes).catch((cause: unknown) => {
        throw new FeedError(
          "unreadable",
          `\`${name}\` could not be read on at byte ${bytes}; check the disk or the mount, and begin again.`,
          { cause },
        );
      });
      if (bytesRead === 0) break;
      const read = chunk.subarray(0, bytesRead);
      hash.update(read);
      bytes += bytesRead;
      yield read;
    }
    const seen: Identity = { sha256: hash.digest("hex"), bytes };
    if (identity !== undefined && (identity.sha256 !== seen.sha256 || identity.bytes !== seen.bytes))
      throw changed(name);
    identity = seen;
  }

  return {
    name,
    encoding,
    modifiedAtMs,
    undated,
    rereadable: true,
    get identity() {
      return identity;
    },
    async *open() {
      // What was appended or cut off is known before a row is read; what was changed in place, only at the end.
      if (identity !== undefined && (await handle.stat()).size !== identity.bytes) throw changed(name);
      yield* within(unpack(raw(), name), name, maxBytes);
    },
    close: () => handle.close(),
  };
}

function streamSource(name: string, input: Readable, encoding: string | undefined, modifiedAtMs: number): Source {
  let identity: Identity | undefined;
  let opened = false;

  async function* raw(): AsyncGenerator<Buffer> {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const piece of input) {
      const chunk = Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
    identity = { sha256: hash.digest("hex"), bytes };
  }

  return {
    name,
    encoding,
    modifiedAtMs,
    rereadable: false,
    get identity() {
      return identity;
    },
    async *open() {
      if (opened)
        throw new FeedError("read-once", `${name} was read once already; leave out --stream to read it twice.`);
      opened = true;
      yield* unpack(raw(), name);
    },
    async close() {
      input.destroy();
    },
  };
}

function changed(name: string): FeedError {
  return new FeedError(
    "changed",
    `\`${name}\` was changed while it was read; wait until it is complete and run again.`,
  );
}

/** Passes plain bytes on and unpacks gzip, which is known by its first two bytes and not by a name. */
async function* unpack(raw: AsyncGenerator<Buffer>, name: string): AsyncGenerator<Buffer> {
  const head: Buffer[] = [];
  let length = 0;
  while (length < 2) {
    const next = await raw.next();
    if (next.done === true) break;
    head.push(next.value);
    length += next.value.length;
  }
  const first = Buffer.concat(head);
  const rejoined = prepend(first, raw);
  if (first[0] !== 0x1f || first[1] !== 0x8b) {
    yield* rejoined;
    return;
  }
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const input = Readable.from(rejoined, { objectMode: false, highWaterMark: CHUNK_BYTES });
  // A fault of the input destroys the unpacker with it, and so comes out of the loop below.
  const piped = pipeline(input, gunzip).catch(() => {});
  try {
    for await (const chunk of gunzip) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
  } catch (cause) {
    throw gzipFault(cause, name);
  } finally {
    input.destroy();
    gunzip.destroy();
    await piped;
  }
}

async function* within(unpacked: AsyncGenerator<Buffer>, name: string, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of unpacked) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLongUnpacked(name, maxBytes);
    yield chunk;
  }
}

function tooLongUnpacked(name: string, maxBytes: number): FeedError {
  return new FeedError(
    "fetch",
    `\`${name}\` is longer than ${Math.floor(maxBytes / 2 ** 20)} MB once it is unpacked: check the export, or raise \`fetch.maxMegabytes\`.`,
  );
}

async function* prepend(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  yield* rest;
}

function gzipFault(cause: unknown, name: string): unknown {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "Z_BUF_ERROR") {
    return new FeedError("truncated", `\`${name}\` ends in the middle of its gzip data; fetch it again.`, { cause });
  }
  if (typeof code === "string" && code.startsWith("Z_")) {
    return new FeedError("corrupt", `\`${name}\` is damaged gzip data; fetch it again.`, { cause });
  }
  return cause;
}
