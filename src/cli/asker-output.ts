/** What a command prints for an asker at the other end of a wire. */
import { Writable } from "node:stream";
import { AppError } from "../app/app-error.ts";
import type { Wire } from "../store/postgres/wire.ts";
import type { CommandRequest, HolderMessage } from "./served-command.ts";

/** What all askers together have not taken yet. */
export interface Waiting {
  /** UTF-16. */
  units: number;
}

interface AskerOutputOptions {
  readonly look: CommandRequest["stdout"];
  readonly wire: Wire;
  readonly waiting: Waiting;
  readonly said: (text: string) => HolderMessage;
}

type Done = (error: Error | null | undefined) => void;

/** UTF-16 units of what is printed that go into one message. */
const LONGEST_PART = 65_536;
/** Where more units wait for askers that stand still, nothing is added. */
const MOST_WAITING = 64_000_000;

const TOO_MUCH_WAITS = new AppError(
  "in-use",
  "What other commands have printed waits to be read: end those that stand still, look whether this one was carried out, and give it again.",
);

export class AskerOutput extends Writable {
  readonly isTTY: boolean;
  readonly columns?: number;
  readonly #options: AskerOutputOptions;
  #units = 0;

  constructor(options: AskerOutputOptions) {
    super({ decodeStrings: false });
    const { isTTY, columns } = options.look;
    this.isTTY = isTTY;
    if (columns !== undefined) this.columns = columns;
    this.#options = options;
    // The command does not look, and its end does.
    this.on("error", () => undefined);
  }

  /** What a command prints counts from here on: it does not wait until an asker has taken it. */
  override write(chunk: unknown, encoding?: BufferEncoding | Done, callback?: Done): boolean {
    const text = String(chunk);
    if (this.#options.waiting.units > MOST_WAITING) this.destroy(TOO_MUCH_WAITS);
    else if (!this.destroyed) this.#count(text.length);
    return super.write(text, typeof encoding === "function" ? encoding : callback);
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    const text = String(chunk);
    const { wire, said } = this.#options;
    sendParts(wire, text, said, () => {
      if (!this.destroyed) this.#count(-text.length);
      done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#count(-this.#units);
    done(error);
  }

  #count(units: number): void {
    this.#units += units;
    this.#options.waiting.units += units;
  }
}

/** Sends a part once the one before it has gone, or the asker has. */
function sendParts(wire: Wire, text: string, said: (text: string) => HolderMessage, onSent: () => void): void {
  if (text === "" || wire.closed.aborted) return onSent();
  // A character of two units stays whole.
  const end = /[\uD800-\uDBFF]/.test(text[LONGEST_PART - 1] ?? "") ? LONGEST_PART + 1 : LONGEST_PART;
  wire.send(said(text.slice(0, end)), () => sendParts(wire, text.slice(end), said, onSent));
}
