import type { FileHandle } from "node:fs/promises";
import { StringDecoder } from "node:string_decoder";
import { openUnnamedFile } from "../feeds/unnamed-file.ts";
import type { Keyring } from "../store/keyring.ts";
import { codeOf, PlanFileError } from "./plan-file-error.ts";
import { linesOf } from "./text-lines.ts";

/**
 * Lines of a plan, in a file that no other process can open: whoever swaps or alters the plan does not reach it. They
 * are sealed, since it lies on a disk.
 */
export interface PlanCopy {
  add(line: string): Promise<void>;
  /** All of them, from the first. */
  lines(): AsyncIterable<string>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 16 * 1024;
const PLACE = ["plan copy"] as const;

export async function openPlanCopy(directory: string, keyring: Pick<Keyring, "seal" | "open">): Promise<PlanCopy> {
  const fail = (cause: unknown): never => {
    throw new PlanFileError(
      `The plan cannot be copied to \`${directory}\` (${codeOf(cause)}): check that directory (--data-dir) and its free space.`,
      { cause },
    );
  };
  const handle = await openUnnamedFile(directory).catch(fail);
  let unwritten = "";
  const flush = async (): Promise<void> => {
    if (unwritten !== "") await handle.appendFile(`${keyring.seal(PLACE, unwritten)}\n`).catch(fail);
    unwritten = "";
  };
  return {
    async add(line) {
      unwritten += `${line}\n`;
      if (unwritten.length >= CHUNK_BYTES) await flush();
    },
    async *lines() {
      await flush();
      for await (const sealed of linesOf(piecesOf(handle))) {
        const lines = keyring.open(PLACE, sealed) ?? fail(undefined);
        yield* lines.split("\n").slice(0, -1);
      }
    },
    close: () => handle.close(),
  };
}

async function* piecesOf(handle: FileHandle): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield decoder.write(chunk.subarray(0, bytesRead));
  }
}
