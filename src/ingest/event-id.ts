/** The event's own id, as a feed's settings say where it is: so that a repeat is known for one. */
import { search } from "@aws-lambda-powertools/jmespath";
import { z } from "zod";
import type { EventsSetting } from "../config/events.ts";
import type { EventRequest } from "./verifier.ts";

const LONGEST_ID = 256;

/** Reads it of a request that is genuine; undefined where it says none. Never throws. */
export function createIdReader({
  id: expression,
  idHeader,
}: Pick<EventsSetting, "id" | "idHeader">): (request: EventRequest) => string | undefined {
  if (idHeader !== undefined) {
    const name = idHeader.toLowerCase();
    return ({ header }) => idOf(header(name));
  }
  if (expression === undefined) return () => undefined;
  return ({ body }) => {
    try {
      return idOf(search(expression, document.parse(JSON.parse(utf8.decode(body)))));
    } catch {
      // What cannot be read is kept all the same, and is known by its body.
      return undefined;
    }
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
/** What a parser gives is JSON. */
const document = z.custom<Parameters<typeof search>[1]>();

function idOf(value: unknown): string | undefined {
  // Of a number with more digits the last are not the sender's, and two events would have one id.
  const text = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
  return typeof text === "string" && text !== "" && text.length <= LONGEST_ID ? text : undefined;
}
