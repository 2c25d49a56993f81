/**
 * What a sender signs by hmac: a text with holes for the body, the time and the id. It must be read in one way alone, or
 * whoever sees a signed request sends it again with another id and body: so what ends a hole may not be in it.
 */

export type Hole = "body" | "timestamp" | "id";

/** A piece of the text: as it is signed, or a hole. */
export type SignedPiece =
  | { readonly text: string }
  | {
      readonly hole: Hole;
      /** What stands between it and the body: a character, `body` where it touches that, blank where another hole does. */
      readonly end: string;
    };

export function signedPieces(signed: string): readonly SignedPiece[] {
  const pieces = signed.split(/(\{(?:body|timestamp|id)\})/).filter((piece) => piece !== "");
  const body = pieces.indexOf("{body}");
  return pieces.map((piece, index) => {
    const hole = holeOf(piece);
    if (hole === undefined) return { text: piece };
    const next = pieces[index < body ? index + 1 : index - 1] ?? "";
    if (holeOf(next) !== undefined) return { hole, end: next === "{body}" ? "body" : "" };
    return { hole, end: next.at(index < body ? 0 : -1) ?? "" };
  });
}

function holeOf(piece: string): Hole | undefined {
  return (["body", "timestamp", "id"] as const).find((hole) => piece === `{${hole}}`);
}

/** What is wrong with a text in which a hole could end elsewhere. A time may touch the body: see {@link touches}. */
export function signedFault(signed: string): string | undefined {
  const open = signedPieces(signed).find((piece) => {
    if (!("hole" in piece) || piece.hole === "body") return false;
    const { hole, end } = piece;
    if (hole === "timestamp") return end !== "body" && !/^\D$/.test(end);
    return end === "body" || !/^[^A-Za-z0-9_-]$/.test(end);
  });
  if (open === undefined || !("hole" in open)) return undefined;
  const sign = open.hole === "id" ? "a sign that no id has, such as a full stop" : "a sign that is no digit";
  return `Expected ${sign} between \`{${open.hole}}\` and what follows on the side of \`{body}\`: without it, whoever sees a request can send it again with another body`;
}

/** Whether digits of a time and of a body that it touches could be taken for each other's. No JSON document with a name in it begins or ends with one. */
export function touches(pieces: readonly SignedPiece[], body: Uint8Array): boolean {
  const at = pieces.findIndex((piece) => "hole" in piece && piece.hole === "body");
  const isTouched = (piece: SignedPiece | undefined): boolean =>
    piece !== undefined && "hole" in piece && piece.hole === "timestamp";
  return (isTouched(pieces[at - 1]) && isDigit(body.at(0))) || (isTouched(pieces[at + 1]) && isDigit(body.at(-1)));
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** An address as HubSpot signs it with its v3: these escapes are undone, and no others. */
export function hubSpotUrl(url: string): string {
  return url.replaceAll(/%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, decodeURIComponent);
}
